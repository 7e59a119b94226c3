//! What the codecs promise, tried with two invented systems: one strict and modern, one old and
//! peculiar.

#![expect(
    clippy::wildcard_enum_match_arm,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "a test may take the short way: what it does not expect, it shows"
)]

mod answers;
mod bodies;
mod choices;
mod requests;
mod sequences;
mod webhooks;
mod wire;

use super::*;
use crate::http::{HttpResponse, SendError};
use crate::plan::{Connector, Library, Operation};
use crate::source::SourceSet;
use bytes::Bytes;
use serde_json::json;
use std::sync::{Arc, OnceLock};

pub(super) const NULL: Document = Document::Null;

/// JSON, a bearer token, idempotency keys, cursors.
const PAYFAST: &str = include_str!("payfast.yaml");

/// XML in query parameters, a session, texts for errors, windows-1252, a look-up instead of a key.
const NETLEDGER: &str = include_str!("netledger.yaml");

pub(super) fn library(files: &[(&str, &str)]) -> Library {
    let mut sources = SourceSet::new();
    for (name, text) in files {
        sources.add(name, text);
    }
    let (library, findings) = Library::load(&sources);
    let findings: Vec<String> = findings
        .sorted(&sources)
        .iter()
        .map(|one| {
            format!(
                "{} {} ({})",
                sources.show(one.primary.span),
                one.message,
                one.primary.text
            )
        })
        .collect();
    assert!(findings.is_empty(), "{findings:#?}");
    library
}

fn connector(text: &str) -> Arc<Connector> {
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("connector: "))
        .unwrap();
    let library = library(&[(&format!("connectors/{name}/connector.yaml"), text)]);
    library.connectors.values().next().unwrap().clone()
}

pub(super) fn payfast() -> Arc<Connector> {
    static READ: OnceLock<Arc<Connector>> = OnceLock::new();
    READ.get_or_init(|| connector(PAYFAST)).clone()
}

pub(super) fn netledger() -> Arc<Connector> {
    static READ: OnceLock<Arc<Connector>> = OnceLock::new();
    READ.get_or_init(|| connector(NETLEDGER)).clone()
}

/// A connector's settings with defaults, and an operation's input completed.
struct Bench {
    connector: Arc<Connector>,
    settings: Document,
    page: Document,
    input: Document,
    operation: Arc<Operation>,
}

impl Bench {
    fn new(connector: Arc<Connector>, operation: &str, input: Document) -> Self {
        let properties = connector
            .settings
            .get("properties")
            .and_then(Document::as_object);
        let defaults = properties
            .into_iter()
            .flatten()
            .filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())));
        let settings = Document::Object(defaults.collect());
        let operation = connector.operations[operation].clone();
        let input = operation
            .input
            .complete(input.as_object().unwrap().clone())
            .unwrap();
        Self {
            connector,
            settings,
            page: NULL,
            input,
            operation,
        }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.settings[name] = value.into();
        self
    }

    fn call(&self) -> Call<'_> {
        Call {
            connector: &self.connector,
            settings: &self.settings,
            operation: &self.operation,
            input: &self.input,
            reference: Some("R-1"),
            idempotency_key: Some("key-1"),
            steps: None,
            page: &self.page,
            cursor: &NULL,
        }
    }

    fn encode(&self) -> Result<crate::http::HttpRequest, EncodeError> {
        encode(&self.call(), &Keys)
    }

    fn answer(&self, status: u16, body: &str) -> Result<Answer, SendError> {
        Ok(decode(
            &self.call(),
            &response(status, &[], body.as_bytes()),
        ))
    }
}

struct Keys;

impl Credentials for Keys {
    fn secret(&self, name: &str) -> Option<&str> {
        (name != "company_password").then_some("s3cret&")
    }
    fn session(&self) -> Option<&str> {
        Some("SESSION 1")
    }
    fn bearer(&self) -> Option<&str> {
        Some("bearer")
    }
}

/// Of someone who has set no secret and is not logged on.
struct NoKeys;

impl Credentials for NoKeys {
    fn secret(&self, _name: &str) -> Option<&str> {
        None
    }
    fn session(&self) -> Option<&str> {
        None
    }
    fn bearer(&self) -> Option<&str> {
        None
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> HttpResponse {
    HttpResponse {
        status,
        headers: headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
        body: Bytes::copy_from_slice(body),
    }
}

fn now() -> Timestamp {
    "2026-03-14T12:00:00Z".parse().unwrap()
}

fn create() -> Bench {
    Bench::new(payfast(), "create", json!({ "amount": 4950 }))
}

fn post(customer: &str) -> Bench {
    let amount: Document = serde_json::from_str("49.50").unwrap();
    Bench::new(
        netledger(),
        "post",
        json!({ "customer": customer, "amount": amount }),
    )
}
