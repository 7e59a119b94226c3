//! Faults to inject (SY appendix B, last paragraph; SY 8.2).

use std::time::Duration;

/// What a fault does to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before the request is read: nothing happened.
    DropBefore,
    /// The connection is cut after the call had its effect.
    DropAfter,
    /// The call runs only after this time, long after the caller gave up, and has its effect then.
    Late {
        /// How late.
        by: Duration,
    },
    /// The call has its effect at once, the answer comes late.
    Slow {
        /// How late.
        by: Duration,
    },
    /// The call has its effect, the answer breaks off after so many bytes.
    Truncate {
        /// Bytes of the body that arrive.
        body_bytes: usize,
    },
    /// The call has its effect, the answer is not readable.
    Garbled,
    /// The web server answers a page with this status; nothing has run.
    Http {
        /// Status.
        status: u16,
    },
    /// The service restarts: 503 for this long, all sessions lost.
    Restart {
        /// How long it takes.
        down_for: Duration,
    },
    /// Somebody logs on with the same operator just before this call.
    Evict,
    /// The site has no licence for the object: `ERROR: e.net exception raised: 100000`.
    NotLicensed,
    /// Another user holds the record; nothing is posted.
    Locked,
    /// The sub-ledger is posted, its GL part is not.
    GlJournalError,
    /// GENTJL: the journal is created but not posted.
    JournalNotPosted,
    /// GENTJL: the journal is created, posting it failed.
    PostingInvalid,
    /// With ApplyIfEntireDocumentValid N: every second item is refused.
    PartialSuccess,
    /// Month end: logons are refused for this long.
    MonthEnd {
        /// How long.
        lasts: Duration,
    },
    /// The customer is on hold.
    CustomerOnHold,
    /// The posting period is closed.
    PeriodClosed,
    /// Logon: all seats are taken.
    NoSeat,
}

/// Which calls a fault may strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Any call.
    Any,
    /// Logons.
    Logon,
    /// Query calls.
    Queries,
    /// Set-up and transaction calls.
    Writes,
    /// Calls of one business object; `ODATA` for the OData service.
    Object(&'static str),
}

/// The kind of a call, for faults and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Logon,
    Query,
    Write,
    Other,
}

impl On {
    pub(crate) fn covers(self, class: Class, object: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Logon => class == Class::Logon,
            Self::Queries => class == Class::Query,
            Self::Writes => class == Class::Write,
            Self::Object(wanted) => object.eq_ignore_ascii_case(wanted),
        }
    }
}
