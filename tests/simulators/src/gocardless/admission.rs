//! What is checked before a call reaches its resource: token, version, media types, rate (GC 1, 5, 5.1).

use super::calendar::{after_secs, http_date};
use super::error::Refusal;
use super::kind::Kind;
use super::settings::Access;
use super::{Simulator, VERSION};
use crate::wire;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, Method};

/// Length of a rate window (GC 5.1).
const WINDOW_SECS: i64 = 60;

/// Calls counted since the window opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    opened: Timestamp,
    used: u32,
}

/// The rate headers of one answer.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) reset: String,
    pub(crate) exceeded: bool,
}

impl Simulator {
    /// The token of a call and what it may do, or why it is not let in.
    pub(crate) fn authenticate(&self, request: &HttpRequest) -> Result<(String, Access), Refusal> {
        let Some(header) = request.header("authorization") else {
            return Err(Refusal::usage(
                401,
                "missing_authorization_header",
                "No authorization header was given",
            ));
        };
        let Some(token) = header
            .strip_prefix("Bearer ")
            .filter(|token| !token.is_empty())
        else {
            return Err(Refusal::usage(
                401,
                "invalid_authorization_header",
                "The authorization header is not of the form Bearer <token>",
            ));
        };
        match self.settings.tokens.get(token) {
            None => Err(Refusal::usage(
                401,
                "access_token_not_found",
                "Unknown access token",
            )),
            Some(Access::Revoked) => Err(Refusal::usage(
                401,
                "access_token_revoked",
                "The access token was revoked",
            )),
            Some(Access::NotActive) => Err(Refusal::usage(
                401,
                "access_token_not_active",
                "The access token is not active",
            )),
            Some(access) => Ok((token.to_owned(), *access)),
        }
    }

    /// Counts the call and gives the headers that every answer carries (GC 5.1).
    pub(crate) fn rate(&mut self, token: &str, kind: Option<Kind>, now: Timestamp) -> Rate {
        let balances = kind == Some(Kind::Balances);
        let limit = if balances {
            self.settings.balance_calls_per_minute
        } else {
            self.settings.calls_per_minute
        };
        let fresh = Window {
            opened: now,
            used: 0,
        };
        let window = self
            .windows
            .entry((token.to_owned(), balances))
            .or_insert(fresh);
        if after_secs(window.opened, WINDOW_SECS) <= now {
            *window = fresh;
        }
        let exceeded = window.used >= limit;
        if !exceeded {
            window.used += 1;
        }
        let reset = after_secs(window.opened, WINDOW_SECS);
        Rate {
            limit,
            remaining: limit - window.used,
            // An HTTP date has whole seconds; rounded up, so that waiting until it is enough.
            reset: http_date(after_secs(reset, i64::from(reset.subsec_nanosecond() > 0))),
            exceeded,
        }
    }
}

/// Version header and media types (GC 1).
pub(crate) fn check_headers(request: &HttpRequest) -> Result<(), Refusal> {
    match request.header("gocardless-version") {
        None => {
            return Err(Refusal::usage(
                400,
                "missing_version_header",
                "No version header was given",
            ));
        }
        Some(VERSION) => {}
        Some(_) => {
            return Err(Refusal::usage(
                400,
                "version_not_found",
                "Version not found",
            ));
        }
    }
    if let Some(accept) = request.header("accept") {
        let admits = |range: &str| {
            let media = range
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase();
            matches!(media.as_str(), "*/*" | "application/*" | "application/json")
        };
        if !accept.split(',').any(admits) {
            return Err(Refusal::usage(
                406,
                "not_acceptable",
                "Only application/json is served",
            ));
        }
    }
    if request.body.is_empty() {
        return Ok(());
    }
    if matches!(request.method, Method::Get | Method::Delete) {
        return Err(Refusal::usage(
            400,
            "request_body_not_allowed",
            "This call takes no body",
        ));
    }
    if wire::media_type(request).as_deref() != Some("application/json") {
        return Err(Refusal::usage(
            415,
            "unsupported_media_type",
            "The body must be sent as application/json",
        ));
    }
    Ok(())
}
