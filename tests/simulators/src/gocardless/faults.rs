//! What can go wrong on the way to the API and inside it (GC 12.2, "fault modes").

use super::kind::Kind;
use ml_connector_core::http::Method;
use std::time::Duration;

/// What a fault does to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 429 whose reset lies so far ahead; no `request_id` (GC 5.1).
    RateLimited {
        /// Until the reset.
        reset_in: Duration,
    },
    /// 500 with the JSON error body.
    InternalError,
    /// 502 with an HTML body.
    BadGateway,
    /// 503 without a body.
    Unavailable,
    /// `{"error": "<text>"}` with this status (GC 5).
    BareError {
        /// HTTP status.
        status: u16,
        /// The text.
        text: String,
    },
    /// The connection is cut before anything happens.
    DropBefore,
    /// The connection is cut after the call had its effect (proves the 409 path, GC 12.2).
    DropAfter,
    /// The call has its effect, the answer comes late.
    Slow {
        /// How late.
        by: Duration,
    },
    /// The call has its effect, the answer breaks off after so many bytes of its body.
    Truncate {
        /// Bytes of the body that arrive.
        body_bytes: usize,
    },
}

/// Which calls a fault may strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Any call.
    Any,
    /// GET only.
    Reads,
    /// POST, PUT and DELETE.
    Writes,
    /// Calls on one kind of resource.
    Resource(Kind),
    /// Creates of one kind.
    Create(Kind),
}

impl On {
    pub(crate) fn covers(self, method: Method, kind: Option<Kind>, segments: usize) -> bool {
        match self {
            Self::Any => true,
            Self::Reads => method == Method::Get,
            Self::Writes => method != Method::Get,
            Self::Resource(wanted) => kind == Some(wanted),
            Self::Create(wanted) => method == Method::Post && kind == Some(wanted) && segments == 1,
        }
    }
}
