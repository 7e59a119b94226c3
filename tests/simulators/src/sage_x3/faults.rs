//! Faults to inject (X3 11.3 no. 6, X3 9).

use std::time::Duration;

/// What a fault does to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before the request is read: nothing happened.
    DropBefore,
    /// The connection is cut after the call had its effect (X3 11.3 no. 6: "commit then drop").
    DropAfter,
    /// The call runs only after this time, long after the caller gave up, and has its effect then (X3 11 no. 14).
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
    /// The call has its effect, and a proxy answers with this status all the same (X3 9: 502, 503, 504).
    ProxyAfter {
        /// HTTP status.
        status: u16,
    },
    /// A proxy answers with this status, the call never arrives.
    ProxyBefore {
        /// HTTP status.
        status: u16,
    },
    /// The web server restarts: 503 for this long, every session is lost.
    Restart {
        /// How long it takes.
        down_for: Duration,
    },
    /// The host has no web service processes: HTTP 500, `No Web services accepted` (X3 5.6).
    NoProcesses,
    /// SOAP: the pool is stopped, as if its alias were wrong (X3 9).
    PoolStopped,
    /// SOAP: waited for a channel for longer than the queue timeout, and was never run (X3 5.6, 9).
    QueueTimeout,
    /// SOAP: the publication has to be made again after a patch (X3 11 no. 24).
    PublicationStale,
    /// Another user holds the record; nothing is written (X3 9).
    Locked,
    /// The period is closed although the calendar says otherwise (X3 9).
    PeriodClosed,
    /// The licence's data volume is used up: refused (X3 5.6, 9).
    LicenceRefused,
    /// Status 0 without any message, nothing written (X3 9: "nothing recognisable").
    Mute,
    /// Status 0 with a text, although the entry was written: that status 0 always means "not written" is unverified (X3 9).
    RefusedButWritten,
    /// The credentials are refused: a token that ran out, a user that was locked (X3 2).
    Unauthorised,
    /// GraphQL: the mutation reports a diagnosis of this severity (X3 4.6).
    Diagnosis {
        /// 1 to 4.
        severity: u8,
        /// Whether the entry is written all the same.
        written: bool,
        /// Whether the answer carries the entry's number.
        named: bool,
    },
    /// GraphQL: the operation is defined and not activated (X3 4.5).
    NotActivated,
}

/// Which calls a fault may strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Any call.
    Any,
    /// Calls that can write an entry, on whichever path.
    Writes,
    /// Calls that read: SOAP reads, queries and look-up subprograms, api1 reads, GraphQL queries.
    Reads,
    /// SOAP calls of one publication.
    Service(&'static str),
    /// Token requests at the cloud gateway.
    Token,
}

/// The kind of a call, for faults and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Read,
    Write,
    Token,
    Other,
}

impl On {
    pub(crate) fn covers(self, class: Class, service: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Writes => class == Class::Write,
            Self::Reads => class == Class::Read,
            Self::Token => class == Class::Token,
            Self::Service(wanted) => service == wanted,
        }
    }
}
