//! What the audit keeps of an exchange. The codec writes both halves without secrets and personal
//! data; a system that echoes a credential in its answer meets the second wall here.

use crate::telemetry;
use ml_connector_core::protocol::{self, Answer, Call};
use ml_connector_store::Exchange;

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
