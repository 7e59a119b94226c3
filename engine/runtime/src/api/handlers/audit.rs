//! The audit trail: its records, what belongs to one payment, whether it verifies.

use super::limit;
use crate::api::documents::{EventDetail, Records, Trail, Verified};
use crate::api::problem::Problem;
use crate::api::route::{Answer, Ask, Handled};
use crate::operator::view::{DeliveryView, RecordView};
use crate::operator::{Command, Reply};
use ml_connector_core::identity::MessageId;

pub(in crate::api) fn records(ask: Ask) -> Handled {
    Box::pin(async move {
        let command = Command::Records {
            after: ask.one_parsed::<u64>("after")?.unwrap_or_default(),
            limit: limit(&ask)?,
        };
        match ask.execute(command).await {
            Reply::Records { records } => Answer::of(&Records {
                next: records.last().map(|record| record.sequence),
                records: records.iter().map(RecordView::of).collect(),
            }),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn event(ask: Ask) -> Handled {
    Box::pin(async move {
        let id = ask.parsed::<MessageId>("event")?;
        match ask.execute(Command::Message { id }).await {
            Reply::Message {
                message,
                deliveries,
            } => Answer::of(&EventDetail {
                event: message,
                deliveries: deliveries.iter().map(DeliveryView::of).collect(),
            }),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn trail(ask: Ask) -> Handled {
    Box::pin(async move {
        let Some(reference) = ask.one("reference").map(str::to_owned) else {
            return Err(Problem::invalid("say which with `reference`"));
        };
        let command = Command::Trail {
            reference: reference.clone(),
        };
        match ask.execute(command).await {
            Reply::Trail {
                deliveries,
                records,
            } => Answer::of(&Trail {
                reference,
                deliveries: deliveries.iter().map(DeliveryView::of).collect(),
                records: records.iter().map(RecordView::of).collect(),
            }),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn verification(ask: Ask) -> Handled {
    Box::pin(async move {
        match ask.execute(Command::Verify).await {
            Reply::Verified { verification } => Answer::of(&Verified { verification }),
            other => Err(Problem::of(other)),
        }
    })
}
