//! Events: how they are written and when they show (GC 2.10, 4.3, 4.4, 4.5).

use super::Simulator;
use super::calendar::stamp;
use super::kind::Kind;
use super::store::{Record, Row};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Who caused a change (GC 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The payer's bank; carries scheme and reason code.
    Bank,
    /// A call of the API; carries the metadata of the call.
    Api,
    /// The vendor.
    Gocardless,
    /// The customer.
    Customer,
    /// The payer, in billing requests.
    Payer,
}

impl Origin {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Api => "api",
            Self::Gocardless => "gocardless",
            Self::Customer => "customer",
            Self::Payer => "payer",
        }
    }
}

/// Something that happened to a resource, before it is written as an event.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    pub(crate) action: &'static str,
    origin: Origin,
    cause: String,
    links: Vec<(&'static str, String)>,
    details: Record,
    metadata: Record,
}

impl Happening {
    pub(crate) fn new(action: &'static str, origin: Origin, cause: &str) -> Self {
        Self {
            action,
            origin,
            cause: cause.to_owned(),
            links: Vec::new(),
            details: Map::new(),
            metadata: Map::new(),
        }
    }

    /// Origin vendor.
    pub(crate) fn vendor(action: &'static str, cause: &str) -> Self {
        Self::new(action, Origin::Gocardless, cause)
    }

    /// Origin API, with the metadata of the call's body (GC 4.3).
    pub(crate) fn api(action: &'static str, cause: &str, body: &Record) -> Self {
        let mut happening = Self::new(action, Origin::Api, cause);
        if let Some(metadata) = body.get("metadata").and_then(Value::as_object) {
            happening.metadata.clone_from(metadata);
        }
        happening
    }

    /// Adds a link (GC 4.4).
    pub(crate) fn link(mut self, name: &'static str, id: impl Into<String>) -> Self {
        self.links.push((name, id.into()));
        self
    }

    /// Names the event that led to this one (GC 4.4).
    pub(crate) fn parent(self, event: Option<&str>) -> Self {
        match event {
            Some(event) => self.link("parent_event", event),
            None => self,
        }
    }

    /// Adds a member of `details`.
    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) const fn is_from_bank(&self) -> bool {
        matches!(self.origin, Origin::Bank)
    }

    pub(crate) fn cause(&self) -> &str {
        &self.cause
    }
}

impl Simulator {
    /// Writes the event and puts it before the webhook sender. Gives its id.
    pub(crate) fn emit(
        &mut self,
        kind: Kind,
        id: &str,
        happening: Happening,
        now: Timestamp,
    ) -> String {
        let event = self.store.fresh_id(Kind::Events.prefix());
        let mut links = Map::new();
        links.insert(kind.singular().to_owned(), json!(id));
        for (name, linked) in happening.links {
            links.insert(name.to_owned(), json!(linked));
        }
        let mut details = Map::new();
        details.insert("origin".to_owned(), json!(happening.origin.as_str()));
        details.insert("cause".to_owned(), json!(happening.cause));
        details.insert(
            "description".to_owned(),
            json!(describe(kind, happening.action, &happening.cause)),
        );
        details.extend(happening.details);
        let resource_metadata = self
            .store
            .get(kind, id)
            .and_then(|row| row.body.get("metadata").cloned())
            .unwrap_or_else(|| json!({}));
        let mut body = Map::new();
        body.insert("id".to_owned(), json!(event));
        body.insert("created_at".to_owned(), json!(stamp(now)));
        body.insert("resource_type".to_owned(), json!(kind.plural()));
        body.insert("action".to_owned(), json!(happening.action));
        body.insert("links".to_owned(), Value::Object(links));
        body.insert("details".to_owned(), Value::Object(details));
        body.insert("metadata".to_owned(), Value::Object(happening.metadata));
        body.insert("resource_metadata".to_owned(), resource_metadata);
        self.outbox.announce(&event);
        self.store.insert(Kind::Events, now, body);
        event
    }

    /// Events are written asynchronously: right after a write they may not be listed yet (GC 2.10).
    pub(crate) fn event_visible(&self, row: &Row, now: Timestamp) -> bool {
        row.created
            .checked_add(self.settings.event_lag)
            .is_ok_and(|shows| shows <= now)
    }
}

/// Text for people; its wording may change, so nothing may depend on it (GC 4.3).
fn describe(kind: Kind, action: &str, cause: &str) -> String {
    let words = |text: &str| text.replace('_', " ");
    format!(
        "{}: {} ({}).",
        words(kind.singular()),
        words(action),
        words(cause)
    )
}
