//! Errors as problem documents (RFC 9457).

use crate::operator::{RefusedKind, Reply};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ml_connector_store::tokens::Role;
use schemars::JsonSchema;
use serde::Serialize;

/// What every kind's URI begins with.
const KINDS: &str = "urn:ml-connector:problem:";

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Problem {
    /// Names the kind: `urn:ml-connector:problem:` and a word.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words; the same for every problem of a kind.
    title: &'static str,
    /// The answer's status.
    status: u16,
    /// What is wrong here.
    detail: String,
    /// The next step, where there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    help: String,
}

impl Problem {
    fn new(status: StatusCode, word: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{KINDS}{word}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            help: String::new(),
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    #[cfg(test)]
    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn unauthorised(detail: &str) -> Self {
        let title = "the request needs a token";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", title, detail)
            .help("send `Authorization: Bearer TOKEN`; `ml-connector tokens create` makes one")
    }

    pub(super) fn forbidden(has: Role, needs: Role) -> Self {
        let title = "the token's role does not suffice";
        let detail = format!("this needs the role {needs}; the token has the role {has}");
        Self::new(StatusCode::FORBIDDEN, "forbidden", title, detail)
    }

    pub(super) fn no_such_path() -> Self {
        let title = "there is no such path";
        Self::new(StatusCode::NOT_FOUND, "no-such-path", title, title)
            .help("`/api/v1/openapi.json` lists them")
    }

    pub(super) fn method() -> Self {
        let title = "the path does not have this method";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "no-such-method",
            title,
            title,
        )
        .help("`/api/v1/openapi.json` lists them")
    }

    pub(super) fn too_long(bytes_max: usize) -> Self {
        let title = "the request's body is too long or broken off";
        let detail = format!("a body of this request has at most {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body", title, detail)
    }

    /// A request that does not say what it should.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        let title = "the request does not make sense";
        Self::new(StatusCode::BAD_REQUEST, "invalid", title, detail)
            .help("`/api/v1/openapi.json` describes it")
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        let title = "there is no such thing";
        Self::new(StatusCode::NOT_FOUND, "not-found", title, detail)
    }

    /// What an operator's command says instead of doing it.
    pub(super) fn refused(kind: RefusedKind, error: impl Into<String>) -> Self {
        match kind {
            RefusedKind::NotFound => Self::not_found(error),
            RefusedKind::Invalid => Self::invalid(error),
            RefusedKind::Conflict => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "it cannot be done as things stand",
                error,
            ),
            RefusedKind::NeedsEngine => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no-engine",
                "it needs a running engine",
                error,
            ),
            RefusedKind::Failed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store",
                "the store cannot do it at the moment",
                error,
            ),
        }
    }

    /// A reply that is not the one expected: a refusal, or a fault of ours.
    pub(super) fn of(reply: Reply) -> Self {
        if let Reply::Refused { error, help, kind } = reply {
            return Self::refused(kind, error).help(help);
        }
        let title = "the engine answered something else than it was asked";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", title, title).help("please report it")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let kind = (header::CONTENT_TYPE, "application/problem+json");
        let mut response =
            (status, [kind, (header::CACHE_CONTROL, "no-store")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
