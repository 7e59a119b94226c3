//! HTTP messages as plain data.
//!
//! Every protocol the engine speaks is a pure codec over one function, `send(HttpRequest) -> HttpResponse`, which the
//! runtime performs over the network and a simulator performs in memory.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The request methods the definition language knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads in most systems; some systems post with it, so it is never resent by itself.
    Get,
    /// Creates or acts.
    Post,
    /// Replaces or updates.
    Put,
    /// Updates in part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// All methods, in the order the schema lists them.
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// The method as it stands on the request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One request, complete: absolute URL with its encoded query, header fields in order, body bytes.
///
/// `Debug` shows the method, the URL without its query and the names of the header fields only, because some systems
/// take passwords and whole documents in the query.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Absolute, percent-encoded.
    pub url: String,
    /// Header fields in sending order; names as written.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Bytes,
    /// How long to wait for the whole answer.
    pub timeout: Duration,
}

impl HttpRequest {
    /// The URL up to its query, which is safe to log.
    pub fn url_without_query(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// The first header field of this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpRequest")
            .field("method", &self.method.as_str())
            .field("url", &self.url_without_query())
            .field("header_names", &names)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// One answer. `Debug` shows the status and sizes only: answers carry personal data and session tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Header fields as received.
    pub headers: Vec<(String, String)>,
    /// Decompressed body bytes.
    pub body: Bytes,
}

impl HttpResponse {
    /// The first header field of this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why there is no answer. What matters is whether the request can have had an effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Certainly not sent: name not resolved, connection refused, TLS failed before the request was written.
    #[error("the request was not sent: {why}")]
    NotSent {
        /// What failed, without any URL query.
        why: String,
    },
    /// It may have arrived: time-out, connection cut, unreadable answer.
    #[error("the request may have arrived: {why}")]
    Unknown {
        /// What failed, without any URL query.
        why: String,
    },
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}
