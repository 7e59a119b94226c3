//! Look-ups by our reference: what is asked, and what the answer proves.

use super::receipt::receipt;
use super::{Answer, Call, EncodeError, ReadResult, classify, scope};
use crate::delivery::LookUp;
use crate::input::in_words;
use crate::plan::{LookUpSpec, Operation, OutcomeWord};
use crate::template::{Scope, Template};
use indexmap::IndexMap;
use serde_json::{Map, Value as Document};

/// The input of a look-up. An adoption (`outcomes[].adopt`) also sees the answer that led to it.
///
/// # Errors
/// If a template has no value, or the input does not fit the look-up's schema.
pub fn look_up_input(
    call: &Call<'_>,
    spec: &LookUpSpec,
    answer: Option<&Answer>,
) -> Result<Document, EncodeError> {
    let mut scope = scope::of_call(call);
    if let Some(answer) = answer {
        scope::add_answer(&mut scope, call, answer);
    }
    let operation = call
        .connector
        .operations
        .get(&spec.operation)
        .ok_or_else(|| {
            EncodeError::value(
                "look_up.operation",
                format!("there is no `{}`", spec.operation),
            )
        })?;
    input(operation, &spec.with, &scope)
}

/// For an answer that means `already_there`: how what is there is read and compared, if its rule
/// says so.
pub fn adoption<'a>(call: &Call<'a>, answer: &Answer) -> Option<&'a LookUpSpec> {
    let scope = scope::of_answer(call, answer);
    let rule = classify::matching(call, &scope).ok()?;
    rule.adopt
        .as_deref()
        .filter(|_| rule.outcome == OutcomeWord::AlreadyThere)
}

/// An operation's input from templates over a scope the caller fills (a poll's `with`, a health
/// call's), with the schema's defaults.
///
/// # Errors
/// If a template has no value, or the input does not fit the operation's schema.
pub fn input(
    operation: &Operation,
    with: &IndexMap<String, Template>,
    scope: &Scope<'_>,
) -> Result<Document, EncodeError> {
    let mut given = Map::new();
    for (name, template) in with {
        let place = format!("with.{name}");
        given.insert(
            name.clone(),
            template
                .value(scope)
                .map_err(EncodeError::template(place))?,
        );
    }
    operation.input.complete(given).map_err(|problems| {
        EncodeError::value(
            format!("input of `{}`", operation.name),
            in_words(&problems),
        )
    })
}

/// What a look-up's result says about a write.
///
/// Only a read that succeeded, or said in so many words that there is nothing, can prove absence;
/// everything else is [`LookUp::Failed`].
pub fn look_up_verdict(write: &Call<'_>, spec: &LookUpSpec, read: &ReadResult) -> LookUp {
    let result = match read {
        ReadResult::Found { result, .. } => result,
        ReadResult::NotFound { .. } => return LookUp::Absent,
        ReadResult::Failed(outcome) => return failed(outcome),
    };
    let scope = scope::of_call(write).with("result", result);
    match spec.found.holds(&scope) {
        Ok(true) => {}
        Ok(false) => return LookUp::Absent,
        Err(error) => {
            let why = format!("the look-up's `found` cannot be evaluated: {error}");
            return LookUp::Failed { why, after: None };
        }
    }
    match spec.same.as_ref().map(|same| (same, same.holds(&scope))) {
        None | Some((_, Ok(true))) => LookUp::Found {
            receipt: receipt(&spec.receipt, &scope),
        },
        Some((same, Ok(false))) => {
            let failing = same.failing(&scope).join("`, `");
            let why = format!("what is there under our reference differs: not `{failing}`");
            LookUp::Differs { why }
        }
        // It is there, and nobody can say that it is the same: a person looks.
        Some((_, Err(error))) => {
            let why = format!("what is there under our reference cannot be compared: {error}");
            LookUp::Differs { why }
        }
    }
}

fn failed(outcome: &crate::delivery::Outcome) -> LookUp {
    use crate::delivery::Outcome;
    let (why, after) = match outcome {
        Outcome::Retry { why, after, .. } | Outcome::Throttle { why, after } => {
            (why.clone(), *after)
        }
        Outcome::Reauthenticate { why }
        | Outcome::Rejected { why, .. }
        | Outcome::Unknown { why } => (why.clone(), None),
        Outcome::Succeeded { .. } | Outcome::AlreadyThere { .. } => (
            "an outcome rule gives a read the meaning of a write".to_owned(),
            None,
        ),
    };
    LookUp::Failed { why, after }
}
