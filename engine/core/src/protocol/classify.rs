//! Says what an answer means.
//!
//! The operation's rules come first, then the connector's; the first whose `when` holds decides.
//! Where none does, or one cannot be evaluated, these last rules hold:
//!
//! | what came | a write | a read or session call |
//! |---|---|---|
//! | nothing left this machine | retry | retry |
//! | no answer | unknown | retry |
//! | status 429 | throttle, for as long as `Retry-After` says | the same |
//! | anything else | unknown | retry |
//!
//! And one rule stands above the definition's: a success is believed only if the answer can be read
//! and holds what the operation says comes back. Otherwise it is as if no rule had matched.

use super::receipt::{receipt, select};
use super::scope::of_answer;
use super::{Answer, Call, ReadResult, paginate, time};
use crate::delivery::{Class, Outcome, Receipt};
use crate::http::SendError;
use crate::masking::{blotted, declares_personal, personal_values};
use crate::plan::{OperationKind, OutcomeRule, OutcomeWord};
use crate::template::Scope;
use jiff::Timestamp;
use serde_json::Value as Document;
use std::time::Duration;

/// The most characters of what a system said that go into a reason.
const WHY_CHARS_MAX: usize = 500;

/// What a write's (or session call's) answer means.
///
/// `already_there` is what the target says; where [`super::adoption`] names a look-up, the caller
/// reads and compares before believing it.
pub fn classify_write(
    call: &Call<'_>,
    answer: &Result<Answer, SendError>,
    now: Timestamp,
) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return no_answer(call, error),
    };
    let mut scope = of_answer(call, answer);
    let rule = match matching(call, &scope) {
        Ok(rule) => rule,
        Err(why) => return undecided(call, answer, &why, now),
    };
    match rule.outcome {
        OutcomeWord::Succeeded => match select(call, answer) {
            Ok(result) => {
                let receipt = match call.operation.write() {
                    Some(write) => {
                        scope.set("result", &result);
                        receipt(&write.receipt, &scope)
                    }
                    None => Receipt::default(),
                };
                Outcome::Succeeded { receipt, result }
            }
            Err(why) => undecided(call, answer, &why, now),
        },
        OutcomeWord::AlreadyThere => match &answer.unreadable {
            Some(why) => undecided(
                call,
                answer,
                &format!("the answer cannot be read: {why}"),
                now,
            ),
            None => Outcome::AlreadyThere {
                receipt: receipt(&rule.receipt, &scope),
            },
        },
        OutcomeWord::NotFound
        | OutcomeWord::Retry
        | OutcomeWord::Throttle
        | OutcomeWord::Reauthenticate
        | OutcomeWord::Rejected
        | OutcomeWord::Unknown => refusal(call, rule, &scope, answer, now),
    }
}

/// What a read's answer means.
pub fn classify_read(
    call: &Call<'_>,
    answer: &Result<Answer, SendError>,
    now: Timestamp,
) -> ReadResult {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return ReadResult::Failed(no_answer(call, error)),
    };
    let scope = of_answer(call, answer);
    let rule = match matching(call, &scope) {
        Ok(rule) => rule,
        Err(why) => return ReadResult::Failed(undecided(call, answer, &why, now)),
    };
    match rule.outcome {
        OutcomeWord::Succeeded => match select(call, answer) {
            Ok(result) => {
                let count = result.as_array().map_or(1, Vec::len);
                let next = paginate::next_page(call, answer, count);
                ReadResult::Found { result, next }
            }
            Err(why) => ReadResult::Failed(undecided(call, answer, &why, now)),
        },
        OutcomeWord::NotFound => ReadResult::NotFound {
            why: why(call, rule, &scope, answer),
        },
        OutcomeWord::AlreadyThere => ReadResult::Failed(Outcome::AlreadyThere {
            receipt: Receipt::default(),
        }),
        OutcomeWord::Retry
        | OutcomeWord::Throttle
        | OutcomeWord::Reauthenticate
        | OutcomeWord::Rejected
        | OutcomeWord::Unknown => ReadResult::Failed(refusal(call, rule, &scope, answer, now)),
    }
}

/// The first rule that applies; in words why none can be said to.
pub(super) fn matching<'a>(call: &Call<'a>, scope: &Scope<'_>) -> Result<&'a OutcomeRule, String> {
    let rules = call
        .operation
        .outcomes
        .iter()
        .chain(&call.connector.outcomes);
    for rule in rules {
        match rule.when.holds(scope) {
            Ok(true) => return Ok(rule),
            Ok(false) => {}
            Err(error) => return Err(format!("an outcome rule cannot be evaluated: {error}")),
        }
    }
    Err("no outcome rule applies".to_owned())
}

/// The outcome of a rule that says neither success nor that it is there.
pub(super) fn refusal(
    call: &Call<'_>,
    rule: &OutcomeRule,
    scope: &Scope<'_>,
    answer: &Answer,
    now: Timestamp,
) -> Outcome {
    let why = why(call, rule, scope, answer);
    let after = || {
        let said = rule.wait.as_ref().and_then(|wait| wait.value(scope).ok());
        said.and_then(|value| time::wait(&value, now))
            .or_else(|| retry_after(answer, now))
    };
    match rule.outcome {
        OutcomeWord::Retry => Outcome::Retry {
            after: after(),
            class: rule.class,
            why,
        },
        OutcomeWord::Throttle => Outcome::Throttle {
            after: after(),
            why,
        },
        OutcomeWord::Reauthenticate => Outcome::Reauthenticate { why },
        OutcomeWord::Rejected | OutcomeWord::NotFound => Outcome::Rejected {
            class: rule.class,
            why,
            help: rule
                .help
                .clone()
                .unwrap_or_else(|| help(rule.class).to_owned()),
        },
        OutcomeWord::Unknown | OutcomeWord::Succeeded | OutcomeWord::AlreadyThere => {
            Outcome::Unknown { why }
        }
    }
}

/// What the system said, without the personal values that it was sent or that its answer declares.
fn why(call: &Call<'_>, rule: &OutcomeRule, scope: &Scope<'_>, answer: &Answer) -> String {
    let said = rule
        .why
        .as_ref()
        .and_then(|why| why.optional_text(scope).ok().flatten());
    let said = said.map(|said| without_personal(call, answer, &said));
    let said = said.map(|said| said.trim().chars().take(WHY_CHARS_MAX).collect::<String>());
    said.filter(|said| !said.is_empty())
        .unwrap_or_else(|| format!("status {}", answer.status))
}

fn without_personal(call: &Call<'_>, answer: &Answer, said: &str) -> String {
    let mut values = personal_values(call.input, &call.operation.input);
    let schema = &call.operation.result.schema;
    if declares_personal(schema)
        && let Ok(result) = select(call, answer)
    {
        match result {
            Document::Array(items) if call.operation.result.list => {
                values.extend(items.iter().flat_map(|item| personal_values(item, schema)));
            }
            result @ (Document::Null
            | Document::Bool(_)
            | Document::Number(_)
            | Document::String(_)
            | Document::Array(_)
            | Document::Object(_)) => values.extend(personal_values(&result, schema)),
        }
    }
    blotted(said, &values)
}

fn no_answer(call: &Call<'_>, error: &SendError) -> Outcome {
    match error {
        SendError::Unknown { .. } if is_write(call) => Outcome::Unknown {
            why: error.to_string(),
        },
        SendError::Unknown { .. } | SendError::NotSent { .. } => Outcome::Retry {
            after: None,
            class: Class::Intermittent,
            why: error.to_string(),
        },
    }
}

fn undecided(call: &Call<'_>, answer: &Answer, why: &str, now: Timestamp) -> Outcome {
    let after = retry_after(answer, now);
    let why = format!("status {}: {why}", answer.status);
    match answer.status {
        429 => Outcome::Throttle { after, why },
        _ if is_write(call) => Outcome::Unknown { why },
        _ => Outcome::Retry {
            after,
            class: Class::Intermittent,
            why,
        },
    }
}

fn is_write(call: &Call<'_>) -> bool {
    matches!(call.operation.kind, OperationKind::Write(_))
}

/// RFC 9110 section 10.2.3.
fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let field = answer.headers.get("retry-after")?;
    time::wait(&Document::from(field.as_str()), now)
}

/// The next step, where a rule does not say one.
const fn help(class: Class) -> &'static str {
    match class {
        Class::Value => "correct the record where it comes from, or the integration, then retry it",
        Class::MissingMasterData => "create what is missing, then retry it",
        Class::Duplicate => "look in the target for our reference, then resolve it as posted",
        Class::Period => "open the period in the target, then retry it",
        Class::Lock => "wait until the record is free, then retry it",
        Class::Permission => "give our user the right to do it, then retry it",
        Class::Authentication => "correct the credentials in the vault, then retry it",
        Class::Capacity => "free a seat or wait, then retry it",
        Class::Intermittent => "wait until the system is back, then retry it",
        Class::Configuration => "correct the connection or the definition, then retry it",
        Class::InDoubt | Class::Exhausted => "see what the target says, then retry or resolve it",
    }
}
