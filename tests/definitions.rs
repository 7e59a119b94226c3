//! What the shipped connectors make of requests and answers, beyond what the golden cases of the mappings show: log-ons,
//! look-ups, reads, adoption. No network and no simulator: answers are given here, as the systems' documentation has them.

mod gocardless;
mod syspro;

use bytes::Bytes;
use jiff::Timestamp;
use ml_connector_core::definition::site::Site;
use ml_connector_core::delivery::{LookUp, Outcome};
use ml_connector_core::http::{HttpRequest, HttpResponse};
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::plan::{Connection, Library, Plan, Repeat};
use ml_connector_core::protocol::{self, Answer, Call, Credentials, ReadResult};
use ml_connector_core::source::SourceSet;
use serde_json::{Map, Value as Document};
use std::path::Path;
use std::sync::Arc;

/// A connection of a shipped connector, bound to a site as a real one is.
struct System {
    connection: Arc<Connection>,
}

/// Credentials of which some are not given.
struct Given(&'static [(&'static str, &'static str)]);

impl Credentials for Given {
    fn secret(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }
    fn session(&self) -> Option<&str> {
        self.secret("session")
    }
    fn bearer(&self) -> Option<&str> {
        None
    }
}

fn add(sources: &mut SourceSet, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add(sources, &path);
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "json")
        {
            let name = path
                .strip_prefix(env!("CARGO_MANIFEST_DIR"))
                .unwrap()
                .to_str()
                .unwrap();
            sources.add_bytes(name, &std::fs::read(&path).unwrap());
        }
    }
}

impl System {
    /// `settings` is YAML, the inside of a flow map.
    fn new(connector: &str, settings: &str, secrets: &str) -> Self {
        let mut sources = SourceSet::new();
        for folder in ["connectors", "schemas"] {
            add(
                &mut sources,
                &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            );
        }
        let site = format!(
            "version: 1\nsite: test\nconnections:\n  one:\n    connector: {connector}\n    settings: {{ {settings} }}\n    \
             secrets: {{ {secrets} }}\nintegrations: []\n"
        );
        let file = sources.add("site.yaml", &site);
        let (library, _) = Library::load(&sources);
        let (site, findings) = Site::load(&sources, file);
        assert_eq!(findings.sorted(&sources).len(), 0, "the site has findings");
        let (plan, findings) = Plan::bind(&library, &site.unwrap());
        let messages: Vec<_> = findings
            .sorted(&sources)
            .iter()
            .map(|one| one.message.clone())
            .collect();
        assert!(messages.is_empty(), "{messages:?}");
        let connection = Arc::clone(&plan.connections[&ConnectionId::new("one")]);
        Self { connection }
    }

    fn call<'a>(
        &'a self,
        operation: &str,
        input: &'a Document,
        reference: Option<&'a str>,
    ) -> Call<'a> {
        Call {
            connector: &self.connection.connector,
            settings: &self.connection.settings,
            operation: &self.connection.connector.operations[operation],
            input,
            reference,
            idempotency_key: Some("key-of-this-record"),
            steps: None,
            page: &Document::Null,
            cursor: &Document::Null,
        }
    }

    /// The operation's input with what its schema fills in.
    fn input(&self, operation: &str, given: Document) -> Document {
        let Document::Object(given) = given else {
            panic!("an input is an object")
        };
        let operation = &self.connection.connector.operations[operation];
        operation.input.complete(given).unwrap()
    }

    fn request(&self, operation: &str, given: Document, credentials: &Given) -> HttpRequest {
        let input = self.input(operation, given);
        protocol::encode(&self.call(operation, &input, None), credentials).unwrap()
    }

    fn read(&self, operation: &str, given: Document, response: &HttpResponse) -> ReadResult {
        let input = self.input(operation, given);
        let call = self.call(operation, &input, None);
        protocol::classify_read(&call, &Ok(protocol::decode(&call, response)), now())
    }

    fn write(
        &self,
        operation: &str,
        given: Document,
        response: &HttpResponse,
    ) -> (Outcome, Answer) {
        let input = self.input(operation, given);
        let call = self.call(operation, &input, None);
        let answer = protocol::decode(&call, response);
        (
            protocol::classify_write(&call, &Ok(answer.clone()), now()),
            answer,
        )
    }

    /// What the answer to a write's look-up says about it.
    fn look_up(
        &self,
        operation: &str,
        given: Document,
        reference: &str,
        response: &HttpResponse,
    ) -> LookUp {
        let input = self.input(operation, given);
        let call = self.call(operation, &input, Some(reference));
        let Repeat::LookUp(spec) = &call.operation.write().unwrap().repeat else {
            panic!("`{operation}` is not looked up");
        };
        let asked = protocol::look_up_input(&call, spec, None).unwrap();
        let read = self.read(&spec.operation, asked, response);
        protocol::look_up_verdict(&call, spec, &read)
    }
}

fn now() -> Timestamp {
    "2026-03-16T09:00:00Z".parse().unwrap()
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse {
        status,
        headers: Vec::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

/// The query of a request, decoded.
fn query(request: &HttpRequest) -> Map<String, Document> {
    let document = ml_connector_core::cases::request_document(request);
    document
        .get("query")
        .and_then(Document::as_object)
        .cloned()
        .unwrap_or_default()
}

/// An outcome in one line: what it is, its class if it has one, the wait if it asks for one.
fn line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded { .. } => "succeeded".to_owned(),
        Outcome::AlreadyThere { .. } => "already there".to_owned(),
        Outcome::Retry { after, class, .. } => format!("retry {} {after:?}", class.as_str()),
        Outcome::Throttle { after, .. } => format!("throttle {after:?}"),
        Outcome::Reauthenticate { .. } => "reauthenticate".to_owned(),
        Outcome::Rejected { class, .. } => format!("rejected {}", class.as_str()),
        Outcome::Unknown { .. } => "unknown".to_owned(),
    }
}

/// A read's end in one line.
fn line_of_read(read: &ReadResult) -> String {
    match read {
        ReadResult::Found { result, .. } => format!("found {result}"),
        ReadResult::NotFound { .. } => "not found".to_owned(),
        ReadResult::Failed(outcome) => line(outcome),
    }
}
