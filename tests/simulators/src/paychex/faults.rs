//! What can go wrong on the way to the service and inside it (PX 7, 9.2).

use ml_connector_core::http::Method;
use std::time::Duration;

/// The three shapes in which a 500 comes (PX 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape500 {
    /// The list of errors with API-1.
    List,
    /// `{"timestamp", "status", "error", "path"}`.
    Framework,
    /// A page.
    Page,
}

/// What a fault does to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before anything happens.
    DropBefore,
    /// The connection is cut after the call had its effect.
    DropAfter,
    /// The call has its effect, the answer comes late; long enough, and the call hangs.
    Slow {
        /// How late.
        by: Duration,
    },
    /// The answer breaks off after so many bytes of its body.
    Truncate {
        /// Bytes of the body that arrive.
        body_bytes: usize,
    },
    /// 500.
    Internal(Shape500),
    /// 502 with a page.
    BadGateway,
    /// 503 API-66.
    Unavailable,
    /// 429 with `Retry-After`.
    TooMany {
        /// The time to wait.
        wait: Duration,
    },
    /// 423 API-10: somebody works on the client (PX 7.2).
    Locked,
    /// 403 API-68: the client has been end-dated.
    EndDated,
    /// Every token ends just before this call.
    TokensEnd,
}

/// The part of the service that a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Any call.
    Any,
    /// The token endpoint.
    Token,
    /// GET of anything else.
    Reads,
    /// Companies and what hangs under them, but for the lists below.
    Companies,
    /// Workers.
    Workers,
    /// Pay periods.
    Periods,
    /// Checks, of a company or a worker.
    Checks,
    /// Registration of hooks.
    Management,
}

impl On {
    pub(crate) fn covers(self, method: Method, area: Self) -> bool {
        match self {
            Self::Any => true,
            Self::Reads => method == Method::Get,
            wanted @ (Self::Token
            | Self::Companies
            | Self::Workers
            | Self::Periods
            | Self::Checks
            | Self::Management) => wanted == area,
        }
    }
}
