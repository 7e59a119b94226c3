//! Deliveries: lists, one with its attempts, what is held, decisions.

use super::limit;
use crate::api::bodies::{CauseResolution, DecisionWord, Resolution, Resolutions};
use crate::api::documents::{Decisions, Deliveries, DeliveryDetail, Holds};
use crate::api::problem::Problem;
use crate::api::route::{Answer, Ask, Handled};
use crate::operator::view::{DecidedView, DeliveryView, RecordView, attempts};
use crate::operator::{Command, Reply};
use jiff::Timestamp;
use ml_connector_core::delivery::{Class, StateKind};
use ml_connector_core::identity::{ConnectionId, DeliveryId, InstanceId};
use ml_connector_store::Selection;

/// The deliveries that a request's filters select.
pub(super) fn selection(ask: &Ask) -> Result<Selection, Problem> {
    Ok(Selection {
        instances: ask.all("integration").map(InstanceId::new).collect(),
        lanes: ask.all("connection").map(ConnectionId::new).collect(),
        states: ask.all("state").map(state).collect::<Result<_, _>>()?,
        classes: ask.all("class").map(class).collect::<Result<_, _>>()?,
        since: ask.one_parsed::<Timestamp>("since")?,
        until: ask.one_parsed::<Timestamp>("until")?,
        text: ask.one("reference").map(str::to_owned),
        after: ask.one_parsed::<DeliveryId>("after")?,
        ..Selection::default()
    })
}

/// A state by its word.
pub(super) fn state(text: &str) -> Result<StateKind, Problem> {
    let all = StateKind::ALL;
    let found = all.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| unknown("state", text, all.iter().map(|kind| kind.as_str())))
}

/// A class of trouble by its word.
pub(super) fn class(text: &str) -> Result<Class, Problem> {
    let all = Class::ALL;
    let found = all.into_iter().find(|class| class.as_str() == text);
    found.ok_or_else(|| unknown("class", text, all.iter().map(|class| class.as_str())))
}

fn unknown(what: &str, text: &str, known: impl Iterator<Item = &'static str>) -> Problem {
    let known: Vec<&str> = known.collect();
    Problem::invalid(format!(
        "`{text}` is no {what}; there are: {}",
        known.join(", ")
    ))
}

pub(in crate::api) fn deliveries(ask: Ask) -> Handled {
    Box::pin(async move {
        let limit = limit(&ask)?;
        let selection = Selection {
            limit,
            ..selection(&ask)?
        };
        match ask.execute(Command::Deliveries { selection }).await {
            Reply::Deliveries { deliveries } => {
                let more = deliveries.len() == limit;
                let last = deliveries.last().filter(|_| more);
                Answer::of(&Deliveries {
                    next: last.map(|delivery| delivery.id.to_string()),
                    deliveries: deliveries.iter().map(DeliveryView::of).collect(),
                })
            }
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn delivery(ask: Ask) -> Handled {
    Box::pin(async move {
        let id = ask.parsed::<DeliveryId>("delivery")?;
        let command = Command::Delivery { id, event: false };
        match ask.execute(command).await {
            Reply::Delivery {
                delivery, history, ..
            } => Answer::of(&DeliveryDetail {
                delivery: DeliveryView::of(&delivery),
                attempts: attempts(&history),
                history: history.iter().map(RecordView::of).collect(),
            }),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn resolve(ask: Ask) -> Handled {
    Box::pin(async move {
        let id = ask.parsed::<DeliveryId>("delivery")?;
        let Resolution {
            decision,
            receipt,
            reason,
        } = ask.body()?;
        if decision != DecisionWord::Posted && !receipt.is_empty() {
            return Err(Problem::invalid("a `receipt` is said with `posted` only"));
        }
        let command = Command::Resolve {
            deliveries: vec![id],
            decision: decision.decision(receipt),
            act: ask.act(reason),
        };
        one_decided(ask.execute(command).await, id)
    })
}

/// What became of the one delivery that was decided about.
pub(super) fn one_decided(reply: Reply, id: DeliveryId) -> Result<Answer, Problem> {
    match reply {
        Reply::Resolved { results } => match results.first() {
            Some(one) => match (&one.error, one.kind) {
                (Some(error), kind) => Err(Problem::refused(kind.unwrap_or_default(), error)),
                (None, _) => Answer::of(&DecidedView::of(one)),
            },
            None => Err(Problem::not_found(format!("there is no {id}"))),
        },
        other => Err(Problem::of(other)),
    }
}

pub(in crate::api) fn resolve_many(ask: Ask) -> Handled {
    Box::pin(async move {
        let Resolutions {
            deliveries,
            decision,
            reason,
        } = ask.body()?;
        if deliveries.is_empty() || deliveries.len() > super::ROWS_MAX {
            return Err(Problem::invalid(format!(
                "`deliveries` names from 1 to {} deliveries",
                super::ROWS_MAX
            )));
        }
        if decision == DecisionWord::Posted {
            return Err(Problem::invalid(
                "`posted` is said about one delivery at a time, with its receipt",
            ));
        }
        let read = |text: &String| text.parse::<DeliveryId>();
        let deliveries = deliveries.iter().map(read).collect::<Result<_, _>>();
        let deliveries = deliveries.map_err(|error| Problem::invalid(error.to_string()))?;
        let command = Command::Resolve {
            deliveries,
            decision: decision.decision(std::collections::BTreeMap::new()),
            act: ask.act(reason),
        };
        decided(ask.execute(command).await)
    })
}

pub(in crate::api) fn holds(ask: Ask) -> Handled {
    Box::pin(async move {
        let selection = selection(&ask)?;
        match ask.execute(Command::Holds { selection }).await {
            Reply::Holds { held, groups } => Answer::of(&Holds { held, groups }),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn resolve_cause(ask: Ask) -> Handled {
    Box::pin(async move {
        let CauseResolution { decision, reason } = ask.body()?;
        if !matches!(decision, DecisionWord::Retry | DecisionWord::Discard) {
            return Err(Problem::invalid(
                "a whole cause is retried or discarded; what may stand in the target is decided one by one",
            ));
        }
        let command = Command::ResolveCause {
            cause: ask.part("cause").to_owned(),
            decision: decision.decision(std::collections::BTreeMap::new()),
            act: ask.act(reason),
        };
        decided(ask.execute(command).await)
    })
}

pub(super) fn decided(reply: Reply) -> Result<Answer, Problem> {
    match reply {
        Reply::Resolved { results } => Answer::of(&Decisions {
            results: results.iter().map(DecidedView::of).collect(),
        }),
        other => Err(Problem::of(other)),
    }
}
