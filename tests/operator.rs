//! The operator's day with the real binary: tokens made on the command line, the API over a real socket, a replay with and
//! without a running engine.

use crate::cli::Sealed;
use crate::cli::operating::{Engine, events, until};
use serde_json::{Value as Document, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Makes a token and gives its text.
fn token(sealed: &Sealed, name: &str, role: &str) -> String {
    let made = sealed.run(&[
        "tokens", "create", name, "--role", role, "--reason", "a test",
    ]);
    made.fine().trim().to_owned()
}

/// One request to a running engine's admin address.
fn ask(
    engine: &Engine,
    token: &str,
    method: &str,
    path: &str,
    body: Option<&Document>,
) -> (u16, Document) {
    let body = body.map(Document::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(&engine.admin).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(text).unwrap_or(Document::Null))
}

#[test]
fn tokens_are_shown_once_and_open_the_api_until_they_are_revoked() {
    let sealed = Sealed::with_vault();
    sealed
        .run(&["tokens", "create", "anna", "--role", "operator"])
        .ends(2);
    sealed
        .run(&[
            "tokens", "create", "anna", "--role", "king", "--reason", "x",
        ])
        .ends(2);
    let anna = token(&sealed, "anna", "operator");
    let viewer = token(&sealed, "grafana", "viewer");
    assert!(anna.starts_with("mlt_") && anna != viewer);
    let listed = sealed.run(&["tokens", "list", "--format", "json"]);
    crate::cli::assert_conforms(&sealed, "tokens", &listed.json());
    assert!(!listed.out.contains(&anna), "{listed:?}");
    assert_eq!(listed.json()["tokens"].as_array().unwrap().len(), 2);

    let engine = Engine::start(&sealed);
    assert_eq!(ask(&engine, "", "GET", "/api/v1/status", None).0, 401);
    let (status, overview) = ask(&engine, &viewer, "GET", "/api/v1/status", None);
    assert_eq!((status, &overview["site"]), (200, &json!("trial")));
    let reason = json!({ "reason": "month end" });
    let pause = "/api/v1/connections/netledger/pause";
    assert_eq!(ask(&engine, &viewer, "POST", pause, Some(&reason)).0, 403);
    assert_eq!(ask(&engine, &anna, "POST", pause, Some(&json!({}))).0, 400);
    assert_eq!(ask(&engine, &anna, "POST", pause, Some(&reason)).0, 200);
    assert!(sealed.run(&["status"]).out.contains("anna (token "));
    // Made and revoked beside the running engine.
    let late = token(&sealed, "bert", "admin");
    assert_eq!(ask(&engine, &late, "GET", "/api/v1/version", None).0, 200);
    sealed
        .run(&["tokens", "revoke", "anna", "--reason", "left us"])
        .fine();
    assert_eq!(ask(&engine, &anna, "GET", "/api/v1/version", None).0, 401);

    let exported = sealed.run(&["audit", "export"]).fine();
    for kept in [
        "token_made",
        "token_revoked",
        "left us",
        "month end",
        "anna (token ",
    ] {
        assert!(exported.contains(kept), "{kept} is not in the trail");
    }
    let (code, log) = engine.stop();
    assert_eq!(code, 0, "{log}");
    for secret in [&anna, &viewer, &late] {
        assert!(!log.contains(secret.as_str()) && !exported.contains(secret.as_str()));
        let file = sealed.text("data/vault.tokens.json");
        assert!(!file.contains(secret.as_str()));
    }
}

#[test]
fn the_monday_after_is_seen_explained_and_repaired_by_command_and_by_api() {
    let sealed = Sealed::with_vault();
    let admin = token(&sealed, "anna", "admin");
    let engine = Engine::start(&sealed);
    let body = events(&["CU1", "CU2", "CU3"]);
    assert_eq!(engine.receive(&body, "hook-77c1"), 202);
    let holds = ["deliveries", "holds", "--format", "json"];
    let ran = until(&sealed, &holds, |ran| ran.json()["held"] == 3);
    crate::cli::assert_conforms(&sealed, "holds", &ran.json());
    assert_eq!(ran.code, 1, "something waits for a person");
    let group = &ran.json()["groups"][0];
    assert_eq!(group["reason"], "`…` has no entry for `…`");
    let (_, same) = ask(&engine, &admin, "GET", "/api/v1/holds", None);
    assert_eq!(&same["groups"][0], group, "one set of documents");
    let text = sealed.run(&["deliveries", "holds"]).out;
    assert!(text.contains("resolve retry --cause"), "{text}");

    let plan = sealed.run(&["replay", "--plan", "--state", "held"]);
    crate::cli::assert_conforms(&sealed, "replay", &plan.json());
    assert_eq!(plan.json()["sorts"]["never_posted"], 3);
    assert_eq!(plan.json()["records"][0]["now"]["would"], "hold");
    sealed.file("plan.json", &plan.out);
    let shown = sealed.run(&["replay", "--show", "plan.json"]).fine();
    assert!(shown.contains("missing_master_data"), "{shown}");
    let (_, by_api) = ask(
        &engine,
        &admin,
        "POST",
        "/api/v1/replays/plan",
        Some(&json!({ "states": ["held"] })),
    );
    assert_eq!(by_api["sorts"], plan.json()["sorts"]);
    // Nothing of it would be written, so nothing is done; and a plan is refused once a record has moved.
    let applied = sealed.run(&[
        "replay",
        "--apply",
        "plan.json",
        "--reason",
        "x",
        "--format",
        "json",
    ]);
    assert_eq!((applied.code, &applied.json()["results"]), (0, &json!([])));
    let cause = group["cause"].as_str().unwrap();
    sealed
        .run(&[
            "resolve",
            "discard",
            "--cause",
            cause,
            "--reason",
            "test customers",
        ])
        .fine();
    let said = sealed
        .run(&["replay", "--apply", "plan.json", "--reason", "x"])
        .ends(3);
    assert!(said.contains("moved since"), "{said}");
    sealed.file("other.json", "{}");
    sealed
        .run(&["replay", "--apply", "other.json", "--reason", "x"])
        .ends(3);
    sealed
        .run(&["replay", "dlv_1", "dlv_2", "--force", "--reason", "x"])
        .ends(2);
    sealed.run(&["replay", "dlv_1"]).ends(2);

    let trail = sealed.run(&["audit", "show", "PM1", "--format", "json"]);
    crate::cli::assert_conforms(&sealed, "history", &trail.json());
    assert!(trail.out.contains("test customers"), "{trail:?}");
    engine.stop();

    // The same without an engine: the store directly, with the definitions and secrets loaded here.
    let plan = sealed.run(&["replay", "--plan"]);
    assert_eq!(plan.json()["sorts"]["never_posted"], 3, "{plan:?}");
    let again = sealed
        .run(&["replay", "dlv_1", "--reason", "was discarded by mistake"])
        .fine();
    assert!(again.contains("now pending"), "{again}");
    let forced = sealed.run(&["replay", "dlv_2", "--force", "--reason", "x"]);
    assert_eq!(forced.code, 1, "{forced:?}");
    assert!(
        forced.out.contains("never posted") || forced.err.contains("never posted"),
        "{forced:?}"
    );
}
