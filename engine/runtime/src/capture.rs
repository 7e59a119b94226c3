//! What the audit keeps of an exchange. The codec writes both halves without secrets and personal
//! data; a system that echoes a credential in its answer meets the second wall here.

use crate::telemetry;
use jiff::Timestamp;
use ml_connector_core::delivery::Outcome;
use ml_connector_core::http::SendError;
use ml_connector_core::protocol::{self, Answer, Call, ReadResult};
use ml_connector_store::Exchange;

/// What a write's answer means; a system that echoes a credential in what it says is not repeated.
pub(crate) fn meaning_of_write(
    call: &Call<'_>,
    answer: &Result<Answer, SendError>,
    now: Timestamp,
) -> Outcome {
    protocol::classify_write(call, answer, now).with_why(telemetry::redact)
}

/// What a read's answer means, as [`meaning_of_write`].
pub(crate) fn meaning_of_read(
    call: &Call<'_>,
    answer: &Result<Answer, SendError>,
    now: Timestamp,
) -> ReadResult {
    match protocol::classify_read(call, answer, now) {
        ReadResult::NotFound { why } => ReadResult::NotFound {
            why: telemetry::redact(&why),
        },
        ReadResult::Failed(outcome) => ReadResult::Failed(outcome.with_why(telemetry::redact)),
        found @ ReadResult::Found { .. } => found,
    }
}

/// What is about to be sent.
pub(crate) fn request(call: &Call<'_>) -> Exchange {
    let captured = protocol::capture(call);
    Exchange {
        operation: call.operation.name.clone(),
        request: captured.request,
        request_body: captured.body,
        ..Exchange::default()
    }
}

/// What came back.
pub(crate) fn answer(call: &Call<'_>, answer: &Answer, duration_ms: u64) -> Exchange {
    Exchange {
        operation: call.operation.name.clone(),
        status: Some(answer.status),
        response_body: telemetry::redact(&protocol::capture_answer(call, answer)),
        duration_ms,
        ..Exchange::default()
    }
}
