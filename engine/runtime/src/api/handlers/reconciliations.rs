//! Reconciliation: what the source says that it has done, against what was posted.

use crate::api::bodies::ToReconcile;
use crate::api::problem::Problem;
use crate::api::route::{Answer, Ask, Handled};
use crate::operator::{Command, Period, Reply};
use jiff::Timestamp;
use ml_connector_core::identity::InstanceId;

pub(in crate::api) fn reconcile(ask: Ask) -> Handled {
    Box::pin(async move {
        let body: ToReconcile = ask.body()?;
        let command = Command::Reconcile {
            integration: body.integration.as_ref().map(InstanceId::new),
            period: period(&body)?,
        };
        match ask.execute(command).await {
            Reply::Reconciled(reconciliation) => Answer::of(&reconciliation),
            other => Err(Problem::of(other)),
        }
    })
}

fn period(body: &ToReconcile) -> Result<Period, Problem> {
    let time = |text: &String| {
        let read = text.parse::<Timestamp>();
        read.map_err(|error| Problem::invalid(error.to_string()))
    };
    match (&body.statement, &body.since, &body.until) {
        (Some(statement), None, None) => Ok(Period::Statement(statement.clone())),
        (None, Some(since), until) => Ok(Period::Time {
            since: time(since)?,
            until: until.as_ref().map(time).transpose()?,
        }),
        _ => Err(Problem::invalid(
            "say either a `statement`, or `since` and perhaps `until`",
        )),
    }
}
