//! What a simulator does with one request, including the ways in which a network can betray the caller.

use ml_connector_core::http::HttpResponse;
use std::time::Duration;

/// The simulator's reaction to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An ordinary answer.
    Answer(HttpResponse),
    /// The connection is cut without a byte of an answer. Whether the request had its effect first is known only to
    /// the simulator, exactly as in life.
    Drop,
    /// The head promises the whole answer, then the connection is cut after so many bytes of the body.
    Truncate {
        /// The answer that was meant.
        response: HttpResponse,
        /// How much of its body still arrives.
        body_bytes: usize,
    },
    /// The answer is not ready yet. Ask for it with `collect` once the time has passed.
    Delay {
        /// How long it takes.
        by: Duration,
        /// What to collect.
        ticket: Ticket,
    },
}

impl Reply {
    /// The answer, where there is one right away.
    pub fn answer(&self) -> Option<&HttpResponse> {
        match self {
            Self::Answer(response) => Some(response),
            Self::Drop | Self::Truncate { .. } | Self::Delay { .. } => None,
        }
    }
}

/// Names a delayed answer inside the simulator that promised it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);
