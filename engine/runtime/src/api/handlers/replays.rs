//! Replay: make a plan, apply a plan, replay one delivery.

use super::deliveries::{class, decided, one_decided, state};
use crate::api::bodies::{PlanSelection, PlanToApply, ReplayOne};
use crate::api::problem::Problem;
use crate::api::route::{Answer, Ask, Handled};
use crate::operator::{Command, Reply};
use jiff::Timestamp;
use ml_connector_core::identity::{DeliveryId, InstanceId};
use ml_connector_store::Selection;
use ml_connector_store::tokens::Role;

pub(in crate::api) fn make_plan(ask: Ask) -> Handled {
    Box::pin(async move {
        let selection = selected(ask.body()?)?;
        match ask.execute(Command::ReplayPlan { selection }).await {
            Reply::ReplayPlan { plan } => Answer::of(&plan),
            other => Err(Problem::of(other)),
        }
    })
}

fn selected(body: PlanSelection) -> Result<Selection, Problem> {
    let invalid = |error: &dyn std::fmt::Display| Problem::invalid(error.to_string());
    let time = |text: Option<String>| {
        let read = text.map(|text| text.parse::<Timestamp>());
        read.transpose().map_err(|error| invalid(&error))
    };
    let ids = body
        .deliveries
        .iter()
        .map(|text| text.parse::<DeliveryId>());
    Ok(Selection {
        ids: ids
            .collect::<Result<_, _>>()
            .map_err(|error| invalid(&error))?,
        instances: body.integrations.iter().map(InstanceId::new).collect(),
        states: body
            .states
            .iter()
            .map(|text| state(text))
            .collect::<Result<_, _>>()?,
        classes: body
            .classes
            .iter()
            .map(|text| class(text))
            .collect::<Result<_, _>>()?,
        text: body.reference,
        since: time(body.since)?,
        until: time(body.until)?,
        ..Selection::default()
    })
}

pub(in crate::api) fn apply_plan(ask: Ask) -> Handled {
    Box::pin(async move {
        let PlanToApply { plan, reason } = ask.body()?;
        let command = Command::ReplayApply {
            plan: Box::new(plan),
            act: ask.act(reason),
        };
        decided(ask.execute(command).await)
    })
}

pub(in crate::api) fn replay(ask: Ask) -> Handled {
    Box::pin(async move {
        let delivery = ask.parsed::<DeliveryId>("delivery")?;
        let ReplayOne { force, reason } = ask.body()?;
        let role = ask.who.as_ref().map_or(Role::Viewer, |who| who.role);
        if force && role < Role::Admin {
            return Err(Problem::forbidden(role, Role::Admin));
        }
        let command = Command::Replay {
            delivery,
            force,
            act: ask.act(reason),
        };
        one_decided(ask.execute(command).await, delivery)
    })
}
