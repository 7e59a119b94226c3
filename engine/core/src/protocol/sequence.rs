//! Sequences: several durable steps that make one write.

use super::encode::Writer;
use super::receipt::receipt;
use super::{Answer, Call, EncodeError, Masked, classify, look_up, scope};
use crate::delivery::{Outcome, Receipt};
use crate::plan::{Action, OutcomeWord, Step, Variant};
use jiff::Timestamp;
use serde_json::Value as Document;
use std::collections::BTreeMap;

/// What a step's successful answer means for the sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum StepVerdict {
    /// The next step may go.
    Done,
    /// Ask again later: `until` does not hold yet.
    Wait,
    /// One of the step's own outcome rules applies.
    Ended(Outcome),
}

/// The variant that applies.
///
/// # Errors
/// If none does, or one's `when` cannot be evaluated.
pub fn variant<'a>(call: &Call<'a>) -> Result<&'a Variant, EncodeError> {
    match call.operation.variants.as_slice() {
        // The usual one needs no writer.
        [only] if only.when.is_none() => Ok(only),
        // Which variant applies never depends on a credential's value.
        _ => Writer::new(call, &Masked).variant(),
    }
}

/// The steps of a variant, or nothing for a single request.
pub fn steps(variant: &Variant) -> &[Step] {
    match &variant.action {
        Action::Sequence(steps) => steps,
        Action::Request(_) => &[],
    }
}

/// The input of a step; `call` is the sequence's own call with the results so far.
///
/// # Errors
/// If a template has no value, or the input does not fit the step's operation.
pub fn step_input(call: &Call<'_>, step: &Step) -> Result<Document, EncodeError> {
    let operation = call
        .connector
        .operations
        .get(&step.operation)
        .ok_or_else(|| {
            let place = format!("steps.{}.operation", step.name);
            EncodeError::value(place, format!("there is no `{}`", step.operation))
        })?;
    look_up::input(operation, &step.with, &scope::of_call(call))
}

/// Judges a step by its outcome rules, then by its `until`; `call` is the sequence's own call with
/// the results so far.
///
/// # Errors
/// If a rule or `until` cannot be evaluated.
pub fn step_verdict(
    call: &Call<'_>,
    step: &Step,
    result: &Document,
    now: Timestamp,
) -> Result<StepVerdict, EncodeError> {
    let scope = scope::of_call(call).with("result", result);
    let place = |part: &str| format!("steps.{}.{part}", step.name);
    for rule in &step.outcomes {
        if !rule
            .when
            .holds(&scope)
            .map_err(EncodeError::template(place("outcomes")))?
        {
            continue;
        }
        return Ok(match rule.outcome {
            OutcomeWord::Succeeded => StepVerdict::Done,
            OutcomeWord::AlreadyThere => StepVerdict::Ended(Outcome::AlreadyThere {
                receipt: receipt(&rule.receipt, &scope),
            }),
            OutcomeWord::NotFound
            | OutcomeWord::Retry
            | OutcomeWord::Throttle
            | OutcomeWord::Reauthenticate
            | OutcomeWord::Rejected
            | OutcomeWord::Unknown => {
                StepVerdict::Ended(classify::refusal(call, rule, &scope, &no_answer(), now))
            }
        });
    }
    match &step.until {
        Some(until)
            if !until
                .holds(&scope)
                .map_err(EncodeError::template(place("until")))? =>
        {
            Ok(StepVerdict::Wait)
        }
        Some(_) | None => Ok(StepVerdict::Done),
    }
}

/// The receipt of a finished sequence; `call.steps` holds every step's result, and `result` is that
/// of the step named `last`. What cannot be read is listed in the receipt instead.
pub fn sequence_receipt(call: &Call<'_>, last: &str) -> Receipt {
    let Some(write) = call.operation.write() else {
        return Receipt::default();
    };
    let mut scope = scope::of_call(call);
    if let Some(result) = call.steps.and_then(|steps| steps.get(last)) {
        scope.set("result", result);
    }
    receipt(&write.receipt, &scope)
}

/// A step's rules judge its result, not an answer: there is no status, and no header field to wait
/// by.
fn no_answer() -> Answer {
    Answer {
        status: 200,
        headers: BTreeMap::new(),
        text: String::new(),
        body: Document::Null,
        unreadable: None,
    }
}
