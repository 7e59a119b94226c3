//! The operator API over a real socket: every path it describes, with and without the right role; what it answers; what
//! it keeps.

use super::systems::Fault;
use super::world::World;
use crate::Listen;
use ml_connector_core::delivery::StateKind;
use ml_connector_store::tokens::{NewToken, Role, Tokens};
use serde_json::{Value as Document, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An installation with its API and a token of each role.
pub(super) struct Served {
    pub(super) world: World,
    address: SocketAddr,
    tokens: BTreeMap<Role, String>,
    _folder: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) text: String,
}

impl Answered {
    #[track_caller]
    pub(super) fn json(&self) -> Document {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(super) fn fine(self) -> Document {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The detail of a problem document.
    #[track_caller]
    pub(super) fn problem(self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        let document = self.json();
        assert_eq!(document["status"], status, "{document}");
        for member in ["type", "title", "detail"] {
            assert!(document[member].is_string(), "{document}");
        }
        document["detail"].as_str().unwrap().to_owned()
    }
}

impl Served {
    pub(super) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(super) async fn with(changes: super::world::Changes<'_>) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("tokens.json");
        let tokens = Role::ALL.map(|role| {
            let new = NewToken {
                name: format!("ann-{role}"),
                role,
                created_by: "root".to_owned(),
                expires_at: None,
            };
            let at = "2026-01-01T00:00:00Z".parse().unwrap();
            let (_, text) = Tokens::create(&file, new, at).unwrap();
            (role, text.expose().to_owned())
        });
        let listen = Listen {
            admin: Some("127.0.0.1:0".parse().unwrap()),
            tokens: Some(file),
            ..Listen::default()
        };
        let world = World::listening(changes, listen).await;
        let address = world.engine().admin().unwrap();
        Self {
            world,
            address,
            tokens: tokens.into(),
            _folder: folder,
        }
    }

    pub(super) async fn ask(
        &self,
        role: Option<Role>,
        method: &str,
        path: &str,
        body: Option<&Document>,
    ) -> Answered {
        let token = role.map_or(String::new(), |role| {
            format!("authorization: Bearer {}\r\n", self.tokens[&role])
        });
        let body = body.map(Document::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{token}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        Answered {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_lowercase(),
            text: text.to_owned(),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answered {
        self.ask(Some(Role::Viewer), "GET", path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Document) -> Answered {
        self.ask(Some(Role::Operator), "POST", path, Some(body))
            .await
    }

    /// A payment that the target refuses for a reason of its own.
    pub(super) async fn refused(&self, payment: &str) -> String {
        self.world
            .ledger
            .fail("POST /receipts", &[Fault::Status(422, None)]);
        self.world.collect(payment, 100).await;
        let held = self.world.until_state(payment, "held").await;
        held.id.to_string()
    }
}

fn role(word: &str) -> Role {
    word.parse().unwrap()
}

#[tokio::test]
async fn every_path_wants_its_role_and_answers_as_described() {
    let served = Served::new().await;
    let id = served.refused("PM1").await;
    let described = served.ask(None, "GET", "/api/v1/openapi.json", None).await;
    let document = described.fine();
    assert_eq!(document["openapi"], "3.1.0");
    let mut called = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let event = served.world.delivery("PM1").await.message.to_string();
        let filled = path
            .replace("{delivery}", &id)
            .replace("{event}", &event)
            .replace("{connection}", "ledger")
            .replace("{integration}", "payfast-netledger%2Freceipts")
            .replace("{table}", "customers")
            .replace("{key}", "CU1")
            .replace("{cause}", "none");
        assert!(!filled.contains('{'), "the test does not know {path}");
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            let Some(least) = operation["x-role"].as_str().map(role) else {
                continue;
            };
            let body = operation["requestBody"].is_object().then(|| json!({}));
            for (with, wanted) in [(None, 401)].into_iter().chain(
                Role::ALL
                    .into_iter()
                    .filter(|one| *one < least)
                    .map(|one| (Some(one), 403)),
            ) {
                let answered = served.ask(with, &method, &filled, body.as_ref()).await;
                answered.problem(wanted);
            }
            // With the right role it is heard: done, or refused for what it says.
            let heard = served
                .ask(Some(least), &method, &filled, body.as_ref())
                .await;
            if heard.status == 200 {
                let schema =
                    &operation["responses"]["200"]["content"]["application/json"]["schema"];
                conforms(&document, schema, &heard.json(), &filled);
            } else {
                let status = heard.status;
                assert!(
                    matches!(status, 400 | 404 | 409),
                    "{method} {filled}: {heard:?}"
                );
                conforms(
                    &document,
                    &json!({ "$ref": "#/components/schemas/Problem" }),
                    &heard.json(),
                    path,
                );
            }
            called += 1;
        }
    }
    assert!(called > 15, "{called}");
    served.world.stop().await;
}

/// The members that a schema of the description requires are there, and no others.
#[track_caller]
fn conforms(document: &Document, schema: &Document, answer: &Document, place: &str) {
    let Some(to) = schema["$ref"].as_str() else {
        return;
    };
    let schema = document.pointer(to.strip_prefix('#').unwrap()).unwrap();
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let members = answer
        .as_object()
        .unwrap_or_else(|| panic!("{place}: {answer}"));
    for required in schema["required"].as_array().into_iter().flatten() {
        let name = required.as_str().unwrap();
        assert!(
            members.contains_key(name),
            "{place} has no {name}: {answer}"
        );
    }
    for (name, value) in members {
        let about = properties.get(name);
        let about = about.unwrap_or_else(|| panic!("{place}: {name} is not described"));
        match value {
            Document::Array(items) => {
                for item in items {
                    conforms(document, &about["items"], item, name);
                }
            }
            value => conforms(document, about, value, name),
        }
    }
}

#[tokio::test]
async fn a_held_record_is_seen_explained_and_decided() {
    let served = Served::new().await;
    let id = served.refused("PM1").await;
    served.world.collect("PM2", 100).await;
    served.world.until_state("PM2", "delivered").await;

    let list = served
        .get("/api/v1/deliveries?state=held&class=value&connection=ledger")
        .await
        .fine();
    assert_eq!(list["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&list["deliveries"][0]["id"], &list["next"]),
        (&json!(id), &Document::Null)
    );
    let first = served.get("/api/v1/deliveries?limit=1").await.fine();
    let next = first["next"].as_str().unwrap();
    let second = served
        .get(&format!("/api/v1/deliveries?limit=1&after={next}"))
        .await
        .fine();
    assert_eq!(second["deliveries"][0]["state"], "delivered");
    for nothing in [
        "connection=pay",
        "integration=x",
        "since=2026-04-01T00:00:00Z",
        "reference=x",
    ] {
        let none = served
            .get(&format!("/api/v1/deliveries?{nothing}"))
            .await
            .fine();
        assert_eq!(none["deliveries"], json!([]), "{nothing}");
    }

    let detail = served.get(&format!("/api/v1/deliveries/{id}")).await.fine();
    let attempt = &detail["attempts"][0];
    assert_eq!(
        (&attempt["outcome"], &attempt["status"]),
        (&json!("rejected"), &json!(422))
    );
    assert!(
        attempt["request"].as_str().unwrap().starts_with("POST "),
        "{attempt}"
    );

    let holds = served.get("/api/v1/holds").await.fine();
    let group = &holds["groups"][0];
    assert_eq!(
        (&holds["held"], &group["count"], &group["class"]),
        (&json!(1), &json!(1), &json!("value"))
    );
    assert!(!group["help"].as_str().unwrap().is_empty());

    let path = format!("/api/v1/deliveries/{id}/resolution");
    let said = served
        .post(&path, &json!({ "decision": "retry", "reason": " " }))
        .await;
    assert!(said.problem(400).contains("reason"));
    served
        .post(&path, &json!({ "decision": "again", "reason": "x" }))
        .await
        .problem(400);
    served
        .post(
            &path,
            &json!({ "decision": "retry", "reason": "x", "who": "me" }),
        )
        .await
        .problem(400);
    let decided = served
        .post(
            &path,
            &json!({ "decision": "retry", "reason": "account mended" }),
        )
        .await
        .fine();
    assert_eq!(decided["state"], "pending");
    served.world.until_state("PM1", "delivered").await;
    let again = served
        .post(&path, &json!({ "decision": "discard", "reason": "x" }))
        .await;
    assert!(again.problem(409).contains("delivered"));
    served
        .post(
            "/api/v1/deliveries/dlv_99/resolution",
            &json!({ "decision": "retry", "reason": "x" }),
        )
        .await
        .problem(404);

    let trail = served.get("/api/v1/audit/trail?reference=PM1").await.fine();
    let text = trail.to_string();
    assert!(
        text.contains("account mended") && text.contains("ann-operator (token "),
        "{text}"
    );
    let receipt = served.world.delivery("PM1").await;
    let number = match receipt.state {
        ml_connector_core::delivery::DeliveryState::Delivered { receipt } => receipt
            .0
            .values()
            .next()
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned(),
        other => panic!("{other:?}"),
    };
    let by_number = served
        .get(&format!("/api/v1/audit/trail?reference={number}"))
        .await
        .fine();
    assert_eq!(by_number["deliveries"][0]["id"], json!(id));
    let verified = served.get("/api/v1/audit/verification").await.fine();
    assert_eq!(verified["verification"]["sound"], true);
    served.world.stop().await;
}

#[tokio::test]
async fn one_cause_is_decided_at_once_but_never_what_is_in_doubt() {
    let served = Served::new().await;
    for payment in ["PM1", "PM2", "PM3"] {
        served.refused(payment).await;
    }
    let holds = served.get("/api/v1/holds").await.fine();
    assert_eq!(
        (holds["groups"].as_array().unwrap().len(), &holds["held"]),
        (1, &json!(3)),
        "{holds}"
    );
    let cause = holds["groups"][0]["cause"].as_str().unwrap();
    let path = format!("/api/v1/holds/{cause}/resolution");
    let body = json!({ "decision": "retry", "reason": "the rule was mended" });
    served
        .post(&path, &json!({ "decision": "posted", "reason": "x" }))
        .await
        .problem(400);
    let done = served.post(&path, &body).await.fine();
    assert_eq!(done["results"].as_array().unwrap().len(), 3);
    for payment in ["PM1", "PM2", "PM3"] {
        served.world.until_state(payment, "delivered").await;
    }
    served.post(&path, &body).await.problem(404);
    served.world.stop().await;
}

#[tokio::test]
async fn matching_tables_and_connections_are_looked_after() {
    let served = Served::new().await;
    let path = "/api/v1/crosswalks/customers/CU%2F9%20x";
    served.get(path).await.problem(404);
    let body = json!({ "values": { "account": "ACC9" }, "reason": "new customer" });
    let set = served
        .ask(Some(Role::Operator), "PUT", path, Some(&body))
        .await
        .fine();
    assert_eq!(set["written"], 1);
    assert_eq!(served.get(path).await.fine()["key"], "CU/9 x");
    let table = served
        .get("/api/v1/crosswalks/customers?limit=1")
        .await
        .fine();
    assert_eq!(table["next"], "CU/9 x");
    let removed = served.ask(Some(Role::Operator), "DELETE", path, None).await;
    assert!(removed.problem(400).contains("reason"));
    let gone = served
        .ask(
            Some(Role::Operator),
            "DELETE",
            &format!("{path}?reason=left"),
            None,
        )
        .await;
    gone.fine();
    served.get(path).await.problem(404);

    let reason = json!({ "reason": "month end" });
    served
        .post("/api/v1/connections/ledger/pause", &reason)
        .await
        .fine();
    let connections = served.get("/api/v1/connections").await.fine();
    let ledger = connections["connections"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["connection"] == "ledger");
    let ledger = ledger.unwrap();
    assert_eq!(ledger["state"], "paused");
    assert!(
        ledger["why"].as_str().unwrap().contains("ann-operator"),
        "{ledger}"
    );
    served
        .post("/api/v1/connections/ledger/resume", &reason)
        .await
        .fine();
    served
        .post("/api/v1/connections/none/pause", &reason)
        .await
        .problem(404);
    let pinged = served
        .post("/api/v1/connections/ledger/ping", &json!({}))
        .await
        .fine();
    assert_eq!(pinged["steps"][0]["shows"], "version 1.2");
    served.world.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_words() {
    let served = Served::new().await;
    assert!(
        served
            .get("/api/v1/deliveries?stat=held")
            .await
            .problem(400)
            .contains("`stat`")
    );
    assert!(
        served
            .get("/api/v1/deliveries?state=hold")
            .await
            .problem(400)
            .contains("held")
    );
    served.get("/api/v1/deliveries?limit=0").await.problem(400);
    served
        .get("/api/v1/deliveries?limit=1&limit=2")
        .await
        .problem(400);
    served
        .get("/api/v1/deliveries?since=yesterday")
        .await
        .problem(400);
    served.get("/api/v1/deliveries/nonsense").await.problem(400);
    served.get("/api/v1/nowhere").await.problem(404);
    served
        .ask(Some(Role::Admin), "PATCH", "/api/v1/deliveries", None)
        .await
        .problem(405);
    let long = json!({ "decision": "retry", "reason": "x".repeat(2_000_000) });
    served
        .post("/api/v1/deliveries/dlv_1/resolution", &long)
        .await
        .problem(413);
    served.world.stop().await;
}

#[tokio::test]
async fn no_answer_shows_a_secret_or_an_event_as_received() {
    let served = Served::new().await;
    let id = served.refused("PM1").await;
    let event = served.world.delivery("PM1").await;
    assert_eq!(event.state.kind(), StateKind::Held);
    for path in [
        format!("/api/v1/deliveries/{id}"),
        format!("/api/v1/events/{}", event.message),
        "/api/v1/audit/records?limit=1000".to_owned(),
        "/api/v1/audit/trail?reference=PM1".to_owned(),
        "/api/v1/status".to_owned(),
        "/api/v1/connections".to_owned(),
        "/api/v1/integrations".to_owned(),
        "/metrics".to_owned(),
    ] {
        let answered = served.get(&path).await;
        let text = &answered.text;
        for secret in [
            "ledger-pass-99",
            "pay-token-1234",
            "hook-secret-5678",
            "mlt_",
            "\"raw\"",
        ] {
            assert!(!text.contains(secret), "{path} shows {secret}: {text}");
        }
    }
    let event = served
        .get(&format!("/api/v1/events/{}", event.message))
        .await
        .fine();
    assert_eq!(event["event"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(event["deliveries"][0]["id"], json!(id));
    let records = served.get("/api/v1/audit/records?limit=2").await.fine();
    assert_eq!(records["next"], 2);
    let more = served.get("/api/v1/audit/records?after=2").await.fine();
    assert_eq!(more["records"][0]["sequence"], 3);
    served.world.stop().await;
}
