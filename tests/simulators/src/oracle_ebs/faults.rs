//! Faults to inject (EB appendix B nos. 7 and 10).

use std::time::Duration;

/// What a fault does to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before the request is read: nothing happened.
    DropBefore,
    /// The connection is cut after the call had its effect.
    DropAfter,
    /// The call has its effect at once, the answer comes late.
    Slow {
        /// How late.
        by: Duration,
    },
    /// The call runs only after this time, long after the gateway gave up, and has its effect then (EB 7.6).
    Late {
        /// How late.
        by: Duration,
    },
    /// The call has its effect, the answer breaks off after so many bytes.
    Truncate {
        /// Bytes of the body that arrive.
        body_bytes: usize,
    },
    /// An HTML error page of the front end; nothing happened.
    Status(u16),
    /// The call has its effect, the front end answers with an HTML error page: 504 is the usual one (EB 7.6).
    StatusAfter(u16),
    /// An ISG fault with this status, code and text; nothing happened (EB 8).
    Isg {
        /// HTTP status.
        status: u16,
        /// Fault code.
        code: &'static str,
        /// Text.
        message: &'static str,
    },
    /// A PL/SQL service answers X_RETURN_STATUS U with this text; nothing happened (EB 3.3, 8.2).
    Unexpected(&'static str),
    /// The caller's session has ended just before this call (EB 2.3).
    Expire,
    /// The application tier restarts, as at cutover: 503 for so long, all sessions lost (EB 10 no. 28).
    Cutover {
        /// How long it takes.
        lasts: Duration,
    },
    /// A submit answers request id 0: not submitted, under HTTP 200 (EB 5.5).
    NotSubmitted,
    /// The submitted request stays in Pending, Standby (EB appendix B no. 10).
    Standby,
    /// The submitted request goes to Inactive, No manager.
    NoManager,
    /// The submitted program ends with this status letter (E, X, D) before it has looked at any row.
    Ends(char),
    /// The submitted program loses the first row: in none of the three tables afterwards (EB 7.4).
    LosesRow,
    /// The submitted program validates and then fails to post: receipts stay in the interim table (EB 7.5).
    NotPosted,
}

/// Which calls a fault may strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Any call.
    Any,
    /// login, logout, initialize.
    Security,
    /// Calls that only read.
    Reads,
    /// Calls that change something.
    Writes,
    /// Calls of one operation, whatever its case: `CREATE_AND_APPLY`, `SUBMIT_CP_ARLPLB`, a table.
    Operation(&'static str),
}

/// The kind of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Security,
    Read,
    Write,
    Other,
}

impl On {
    pub(crate) fn covers(self, class: Class, operation: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Security => class == Class::Security,
            Self::Reads => class == Class::Read,
            Self::Writes => class == Class::Write,
            Self::Operation(wanted) => operation.eq_ignore_ascii_case(wanted),
        }
    }
}
