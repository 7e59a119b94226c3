//! The operator's day with the real binary: tokens made on the command line, the API over a real socket, a replay with and
//! without a running engine.

use crate::cli::Sealed;
use crate::cli::operating::{Engine, events, exchange, until};
use ml_connector_core::hex;
use serde_json::{Value as Document, json};
use sha2::{Digest as _, Sha256};

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
    let head = format!("{method} {path} HTTP/1.1\r\nAuthorization: Bearer {token}");
    let answer = exchange(&engine.admin, &head, &body).unwrap();
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
    let reason = group["reason"].as_str().unwrap();
    assert!(reason.ends_with("`…` has no entry for `…`"), "{reason}");
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

    let trail = sealed.run(&["audit", "show", "EV1", "--format", "json"]);
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
    let forced = sealed
        .run(&["replay", "dlv_2", "--force", "--reason", "x"])
        .ends(3);
    assert!(forced.contains("never posted"), "{forced}");
}

/// Verifies an export as `docs/guide/audit.md` says, with nothing of this project. Gives the last hash.
fn verified(lines: &[Document]) -> Result<String, String> {
    let unhex = |text: &str| hex::read(text).unwrap();
    let text = |line: &Document, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let mut before: Option<(String, u64)> = None;
    for line in lines {
        let (hash, previous) = (text(line, "hash"), text(line, "previous"));
        let sequence: u64 = line["sequence"]
            .to_string()
            .trim_matches('"')
            .parse()
            .unwrap();
        let header = unhex(&text(line, "header"));
        assert!(
            text(line, "body_base64").is_empty(),
            "every event here is text"
        );
        let bytes = [
            header.as_slice(),
            text(line, "meta").as_bytes(),
            text(line, "body").as_bytes(),
        ]
        .concat();
        if unhex(&hash) != Sha256::digest(&bytes).as_slice() {
            return Err(format!(
                "record {sequence}: its bytes are not those of its hash"
            ));
        }
        if header[48..80] != unhex(&previous) {
            return Err(format!(
                "record {sequence}: its header names another one before"
            ));
        }
        if u64::from_le_bytes(header[16..24].try_into().unwrap()) != sequence {
            return Err(format!("record {sequence}: its header has another number"));
        }
        match &before {
            None if previous.bytes().any(|digit| digit != b'0') => {
                return Err(format!("record {sequence}: it is not the first"));
            }
            Some((last, number)) if *last != previous || number + 1 != sequence => {
                return Err(format!(
                    "record {sequence}: it does not follow record {number}"
                ));
            }
            _ => before = Some((hash, sequence)),
        }
    }
    Ok(before.map(|(hash, _)| hash).unwrap_or_default())
}

/// Reads CSV as RFC 4180 says.
fn table(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            _ => cell.push(c),
        }
    }
    rows
}

#[test]
fn an_export_verifies_by_the_recipe_and_not_when_it_was_touched() {
    let sealed = Sealed::with_vault();
    let engine = Engine::start(&sealed);
    assert_eq!(engine.receive(&events(&["CU1", "CU2"]), "hook-77c1"), 202);
    until(&sealed, &["status"], |ran| ran.code == 1);
    engine.stop();
    let head = sealed.run(&["audit", "verify", "--format", "json"]).json()["head"].clone();
    let exported = sealed.run(&["audit", "export"]).fine();
    let lines: Vec<Document> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.len() > 5 && lines.iter().any(|line| line["body"].is_string()));
    assert_eq!(verified(&lines).unwrap(), head);

    let csv = table(&sealed.run(&["audit", "export", "--format", "csv"]).fine());
    let rows = csv[1..].iter().map(|row| {
        let cells = csv[0]
            .iter()
            .cloned()
            .zip(row.iter().map(|cell| json!(cell)));
        cells.collect::<Document>()
    });
    let rows: Vec<Document> = rows.collect();
    assert_eq!(verified(&rows).unwrap(), head);

    let mut changed = lines.clone();
    let meta = changed[3]["meta"].as_str().unwrap().replacen('e', "E", 1);
    changed[3]["meta"] = json!(meta);
    assert!(verified(&changed).unwrap_err().contains("record 4"));
    let mut removed = lines.clone();
    removed.remove(3);
    assert!(
        verified(&removed)
            .unwrap_err()
            .contains("record 5: it does not follow record 3")
    );
    let mut reordered = lines.clone();
    reordered.swap(3, 4);
    assert!(verified(&reordered).is_err());
    let recipe = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/audit.md"),
    );
    assert!(recipe.unwrap().contains("Bytes 48 to 79 of the header"));
}
