//! Answers: the envelope with `content`, the list of errors, and the headers of both (PX 3.3, 3.4, 7.1).

use super::settings::Switches;
use crate::wire;
use ml_connector_core::http::HttpResponse;
use serde_json::{Map, Value, json};

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            code,
            text: text.into(),
        }
    }

    /// Unknown id (PX 7.2).
    pub(crate) fn unknown(what: &str) -> Self {
        Self::new(404, "API-7", format!("The requested {what} does not exist"))
    }

    /// A search that found nothing (PX 5: not an empty list).
    pub(crate) fn nothing() -> Self {
        Self::new(404, "API-43", "No results for the search criteria")
    }

    /// An invalid value or combination of query members (PX 7.2).
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(400, "API-40", text)
    }

    /// A missing query member (PX 7.2).
    pub(crate) fn missing(text: impl Into<String>) -> Self {
        Self::new(400, "API-49", text)
    }

    /// The app has no right to this (PX 7.2).
    pub(crate) fn forbidden() -> Self {
        Self::new(
            403,
            "API-2",
            "The application is not authorized for the resource",
        )
    }

    pub(crate) fn response(&self) -> HttpResponse {
        let error = json!({
            "code": self.code,
            "description": self.text,
            "resolution": "Review the request and try again",
        });
        let body = json!({ "errors": [error] });
        wire::response(self.status, "application/json", body.to_string())
    }
}

/// What a handler gives back.
#[derive(Debug)]
pub(crate) enum Done {
    /// The envelope, in this projection.
    Content {
        media: &'static str,
        items: Vec<Value>,
        /// `metadata.pagination`, where a page was asked for.
        pagination: Option<Value>,
        links: Vec<Value>,
        etag: Option<String>,
    },
    /// A body without envelope, and its status.
    Bare(u16, Value),
    /// 204.
    Nothing,
}

impl Done {
    /// A list or a single resource without paging.
    pub(crate) fn items(media: &'static str, items: Vec<Value>) -> Self {
        Self::Content {
            media,
            items,
            pagination: None,
            links: Vec::new(),
            etag: None,
        }
    }

    pub(crate) fn response(self, own: &str, switches: &Switches) -> HttpResponse {
        match self {
            Self::Nothing => HttpResponse {
                status: 204,
                headers: Vec::new(),
                body: bytes::Bytes::new(),
            },
            Self::Bare(status, body) => {
                wire::response(status, "application/json", body.to_string())
            }
            Self::Content {
                media,
                items,
                pagination,
                links,
                etag,
            } => {
                let mut body = Map::new();
                if switches.metadata || pagination.is_some() {
                    let mut metadata = Map::new();
                    if switches.metadata {
                        metadata.insert("contentItemCount".to_owned(), json!(items.len()));
                    }
                    metadata.extend(pagination.map(|page| ("pagination".to_owned(), page)));
                    body.insert("metadata".to_owned(), Value::Object(metadata));
                }
                body.insert("content".to_owned(), Value::Array(items));
                if switches.links || !links.is_empty() {
                    let mut all = vec![link("self", own)];
                    all.extend(links);
                    body.insert("links".to_owned(), Value::Array(all));
                }
                let media = format!("application/vnd.paychex.{media}.v1+json;charset=UTF-8");
                let mut response = wire::response(200, &media, Value::Object(body).to_string());
                response
                    .headers
                    .extend(etag.map(|tag| ("ETag".to_owned(), tag)));
                response
            }
        }
    }
}

/// One element of `links`.
pub(crate) fn link(rel: &str, href: &str) -> Value {
    json!({ "rel": rel, "href": href })
}

/// Builds an object whose absent members are left out, or null where the switch says so (PX 3.3).
pub(crate) struct Object<'a> {
    members: Map<String, Value>,
    switches: &'a Switches,
}

impl<'a> Object<'a> {
    pub(crate) fn new(switches: &'a Switches) -> Self {
        Self {
            members: Map::new(),
            switches,
        }
    }

    pub(crate) fn put(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn maybe(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => {
                self.members.insert(name.to_owned(), value.into());
            }
            None if self.switches.nulls => {
                self.members.insert(name.to_owned(), Value::Null);
            }
            None => {}
        }
        self
    }

    pub(crate) fn done(mut self) -> Value {
        if self.switches.extra_fields {
            self.members
                .insert("futureField".to_owned(), json!("not documented"));
        }
        Value::Object(self.members)
    }
}
