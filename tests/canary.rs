//! A canary secret and a canary SSN are put in wherever a real one would be, the systems throw them back at us wherever they
//! can, and then everything that the engine says is searched for them.

use crate::cli::Sealed;
use crate::cli::operating::{exchange, free, ready};
use ml_connector_core::hex;
use ml_connector_simulators::webhooks::sign;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const HOOK: &str = "canary-hook-5f1c7a";
const PASSWORD: &str = "canary-password-93be";
const TOKEN: &str = "canary-token-d21f08";
const SSN: &str = "078-05-1120";
const ACCOUNT: &str = "DE89370400440532013000";

const SECRETS: [&str; 3] = [HOOK, PASSWORD, TOKEN];

/// Everything that must be found nowhere.
const CANARIES: [&str; 5] = [HOOK, PASSWORD, TOKEN, SSN, ACCOUNT];

const PAYROLL: &str = r#"version: 1
connector: payroll
settings: { base_url: { type: string } }
secrets: { hook: {}, token: {} }
http:
  base_url: "{{ settings.base_url }}"
  auth: { kind: bearer, token: "{{ secrets.token }}" }
  answer: { body: json_or_text }
health: { operation: ready }
triggers:
  checks:
    kind: webhook
    verify: { scheme: hmac-sha256, header: Signature, encoding: hex, secret: hook }
    each: $.checks[*]
    id: $.id
    schema: payroll/check.json
operations:
  ready:
    kind: read
    request: { method: GET, path: /payroll/ready }
  get_worker:
    kind: read
    input: { ssn: { type: string, x-sensitive: true } }
    request: { method: GET, path: "/payroll/workers/{{ input.ssn }}" }
    result: { schema: payroll/worker.json }
outcomes:
  - { when: status == 200, outcome: succeeded }
  - { when: status >= 400, outcome: rejected, class: value, why: "{{ text | truncate(300) }}" }
"#;

const LEDGER: &str = r#"version: 1
connector: ledger
settings: { base_url: { type: string } }
secrets: { password: {} }
http:
  base_url: "{{ settings.base_url }}"
  auth: { kind: session, logon: logon, token: result.session, scope: clerk }
  answer: { body: json_or_text }
health: { operation: ready }
operations:
  logon:
    kind: session
    request: { method: POST, path: /ledger/logon, body: { json: { password: "{{ secrets.password }}" } } }
    result: { schema: { type: object, properties: { session: { type: string } }, required: [session] } }
  ready:
    kind: read
    auth: none
    request: { method: GET, path: /ledger/ready }
  post:
    kind: write
    input:
      ssn: { type: string, x-sensitive: true }
      account: { type: string, x-sensitive: true }
      amount: { type: number, x-unit: major }
    repeat: natural
    request:
      method: POST
      path: /ledger/posts
      query: { ssn: "{{ input.ssn }}" }
      headers: { Session: "{{ session }}" }
      body: { json: { ssn: "{{ input.ssn }}", account: "{{ input.account }}", amount: "{{ input.amount | string }}" } }
    result: { schema: { type: object } }
outcomes:
  - { when: status == 200, outcome: succeeded }
  - { when: status >= 400, outcome: rejected, class: value, why: "{{ text | truncate(300) }}", help: look there }
"#;

const MAPPING: &str = r#"version: 1
integration: payroll-ledger/checks
connections: { payroll: payroll, ledger: ledger }
source: { connection: payroll, trigger: checks }
dedup_key: "{{ event.id }}"
fetch:
  worker: { operation: payroll.get_worker, with: { ssn: "{{ event.ssn }}" } }
sink:
  operation: ledger.post
  fields:
    ssn: "{{ worker.ssn }}"
    account: "{{ event.account }}"
    amount: "{{ event.amount | from_minor('USD') }}"
"#;

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "id": { "type": "string" },
    "ssn": { "type": "string", "x-sensitive": true },
    "account": { "type": "string", "x-sensitive": true },
    "amount": { "type": "integer", "x-unit": "minor" }
  },
  "required": ["id", "ssn", "account", "amount"]
}"#;

const WORKER: &str = r#"{
  "type": "object",
  "properties": { "ssn": { "type": "string", "x-sensitive": true } },
  "required": ["ssn"]
}"#;

/// A system that says back everything it is told, when it refuses.
fn echoing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8_lossy(&body);
    let (status, text) = if head.contains("/logon") {
        (
            200,
            json!({ "session": "session-of-the-clerk" }).to_string(),
        )
    } else if head.contains("/workers/") {
        (200, json!({ "ssn": SSN }).to_string())
    } else if head.contains("/ready") {
        (200, "{}".to_owned())
    } else {
        let said = format!(
            "cannot post {body} as {PASSWORD} with {TOKEN}, said {}",
            head.trim()
        );
        (422, said)
    };
    let length = text.len();
    let reply = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    );
    // The engine may have stopped waiting.
    stream.write_all(reply.as_bytes()).ok();
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{what} never came"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signature(body: &str) -> String {
    sign(HOOK, body.as_bytes())
}

/// The ways in which a value may be written.
fn forms(value: &str) -> Vec<String> {
    vec![
        value.to_owned(),
        hex::of(value.as_bytes()),
        value.replace('-', "%2D"),
        value.replace('-', ""),
    ]
}

fn assert_clean(place: &str, text: &str) {
    assert_without(&CANARIES, place, text);
}

fn assert_without(canaries: &[&str], place: &str, text: &str) {
    for canary in canaries {
        for form in forms(canary) {
            if let Some(at) = text.find(&form) {
                let from = text[..at]
                    .char_indices()
                    .rev()
                    .nth(120)
                    .map_or(0, |(at, _)| at);
                panic!("{place} shows {canary}: …{}…", &text[from..at + form.len()]);
            }
        }
    }
}

#[test]
fn a_canary_secret_and_a_canary_ssn_are_found_nowhere() {
    let system = echoing();
    let (webhooks, admin) = (free(), free());
    let sealed = Sealed::new();
    sealed.file("connectors/payroll/connector.yaml", PAYROLL);
    sealed.file("connectors/ledger/connector.yaml", LEDGER);
    sealed.file("mappings/payroll-ledger/checks.yaml", MAPPING);
    sealed.file("schemas/payroll/check.json", SCHEMA);
    sealed.file("schemas/payroll/worker.json", WORKER);
    let site = format!(
        r#"version: 1
site: canary
vault: {{ path: vault, key: {{ file: vault.key }} }}
listen: {{ webhooks: "{webhooks}", admin: "{admin}" }}
connections:
  payroll: {{ connector: payroll, settings: {{ base_url: "http://{system}" }}, secrets: {{ hook: hook, token: token }} }}
  ledger: {{ connector: ledger, settings: {{ base_url: "http://{system}" }}, secrets: {{ password: password }} }}
integrations: [{{ use: payroll-ledger/checks }}]
"#
    );
    sealed.file("ml-connector.yaml", &site);
    sealed.run(&["secrets", "init"]).fine();
    for (name, value) in [("hook", HOOK), ("token", TOKEN), ("password", PASSWORD)] {
        sealed.run_with(&["secrets", "set", name], value).fine();
    }
    let api_token = sealed
        .run(&[
            "tokens", "create", "ann", "--role", "admin", "--reason", "canary",
        ])
        .fine();
    let log = std::fs::File::create(sealed.path("engine.log")).unwrap();
    let engine = sealed
        .command(["run", "--log", "trace"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut engine = Running(engine);
    wait_for("readiness", || ready(admin));

    let event = json!({ "id": "CHECK1", "ssn": SSN, "account": ACCOUNT, "amount": 125_050 });
    let body = json!({ "checks": [event] }).to_string();
    let post = |signature: &str, body: &str| {
        let head = format!(
            "POST /webhooks/payroll HTTP/1.1\r\ncontent-type: application/json\r\nsignature: {signature}"
        );
        exchange(webhooks, &head, body).unwrap()
    };
    assert!(post(&signature(&body), &body).contains(" 202 "));
    // Refused in every way there is, each with the canaries in it.
    for (signed_with, body) in [
        ("00".to_owned(), body.clone()),
        (HOOK.to_owned(), body.clone()),
        (signature(&body[1..]), body[1..].to_owned()),
        {
            let odd = json!({ "checks": [{ "ssn": SSN, "account": ACCOUNT }] }).to_string();
            (signature(&odd), odd)
        },
    ] {
        assert_clean("a refused webhook's answer", &post(&signed_with, &body));
    }
    wait_for("the refusal", || {
        let list = sealed.run(&["deliveries", "list", "--format", "json"]).out;
        list.contains("held")
    });

    sealed.file("event.json", &event.to_string());
    // Two hand out events as they were received, to whoever asks on this machine for just that: `deliveries show --event`, and
    // `audit export`, whose hashes could not be verified without them. No secret is in either.
    for arguments in [
        &["deliveries", "show", "dlv_1", "--event"][..],
        &["audit", "export"],
    ] {
        let ran = sealed.run(arguments);
        assert_without(
            &SECRETS,
            &arguments.join(" "),
            &format!("{}{}", ran.out, ran.err),
        );
    }
    let commands: [&[&str]; 12] = [
        &["status"],
        &["deliveries", "list"],
        &["deliveries", "list", "--format", "json"],
        &["deliveries", "show", "dlv_1"],
        &["deliveries", "show", "dlv_1", "--format", "json"],
        &["audit", "show", "dlv_1"],
        &["audit", "verify"],
        &["preview", "payroll-ledger/checks", "--event", "event.json"],
        &[
            "preview",
            "payroll-ledger/checks",
            "--event",
            "event.json",
            "--format",
            "json",
        ],
        &["ping"],
        &["secrets", "list"],
        &["validate"],
    ];
    for arguments in commands {
        let ran = sealed.run(arguments);
        assert!(!ran.err.contains("Usage:"), "{arguments:?}: {}", ran.err);
        assert_clean(&arguments.join(" "), &format!("{}{}", ran.out, ran.err));
    }
    every_answer_of_the_api(admin, api_token.trim());

    engine.0.kill().unwrap();
    engine.0.wait().unwrap();
    assert_clean("the log at its most talkative", &sealed.text("engine.log"));
}

/// Every path of the OpenAPI document that only reads.
fn every_answer_of_the_api(admin: SocketAddr, token: &str) {
    let get = |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nauthorization: Bearer {token}");
        exchange(admin, &head, "").unwrap()
    };
    let answer = get("/api/v1/openapi.json");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let document: Value = serde_json::from_str(body).unwrap();
    let mut read = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        if methods.get("get").is_none() {
            continue;
        }
        let path = path
            .replace("{delivery}", "dlv_1")
            .replace("{event}", "CHECK1")
            .replace("{table}", "none")
            .replace("{key}", "none");
        for query in ["", "?event=true", "?format=csv"] {
            assert_clean(&path, &get(&format!("{path}{query}")));
        }
        read += 1;
    }
    assert!(read > 5, "only {read} paths were read");
    let metrics = get("/metrics");
    assert!(metrics.contains("# TYPE"), "{metrics}");
    assert_clean("/metrics", &metrics);
}
