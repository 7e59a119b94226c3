//! What a delivery would come to under the present definitions: prepared like an attempt, and then nothing is claimed and
//! nothing is sent. Its reads are real ones. What was begun would go on as it was prepared then.

use super::Job;
use super::aim::{Aim, NoTarget};
use super::prepare::Preparing;
use crate::capture;
use crate::settle::NotRecorded;
use ml_connector_core::delivery::{Content, Trouble};
use ml_connector_store::Exchange;

/// What would happen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Foreseen {
    /// This would be sent, shown as the audit trail would keep it.
    Write(Box<Exchange>),
    /// It would be skipped.
    Skip { reason: String },
    /// It would be held.
    Hold { class: &'static str, why: String },
    /// It cannot be told at the moment.
    Unknown { why: String },
}

impl Job {
    /// Prepares the delivery, as far as it goes without sending.
    pub(crate) async fn foresee(&self) -> Result<Foreseen, NotRecorded> {
        let Some(instance) = self.instance() else {
            let why = format!("the site does not run `{}`", self.delivery.instance);
            return Ok(Foreseen::Unknown { why });
        };
        if self.is_open() {
            let why = "further events may still join it".to_owned();
            return Ok(Foreseen::Unknown { why });
        }
        let event = self.event(&instance).await?;
        let prepared = match self.ready(&instance, &event).await? {
            Preparing::Ready { prepared, .. } => prepared,
            Preparing::Skip(reason) => return Ok(Foreseen::Skip { reason }),
            Preparing::Trouble(trouble) => return Ok(troubled(trouble)),
            Preparing::WaitsFor(connection) => {
                let why = format!("`{connection}` is not called at the moment");
                return Ok(Foreseen::Unknown { why });
            }
        };
        let link = match self.sink(&prepared.connection) {
            Ok(link) => link,
            Err(trouble) => return Ok(troubled(trouble)),
        };
        let aim = match Aim::new(&link, &self.delivery, *prepared) {
            Ok(aim) => aim,
            Err(trouble) => return Ok(troubled(trouble)),
        };
        let mut due = self.delivery.clone();
        if due.progress.content != Content::Fixed {
            // From its first step: what later steps write depends on what the first are answered.
            due.progress.step = 0;
            due.progress.part = None;
            due.progress.results.clear();
        }
        Ok(match aim.target(&due) {
            Ok(target) => {
                let call = aim.target_call(&target);
                Foreseen::Write(Box::new(capture::request(&call)))
            }
            Err(NoTarget::Trouble(trouble)) => troubled(trouble),
            Err(NoTarget::Encode(error)) => Foreseen::Hold {
                class: "value",
                why: error.to_string(),
            },
        })
    }
}

fn troubled(trouble: Trouble) -> Foreseen {
    match trouble {
        Trouble::Lasting { class, why, .. } => Foreseen::Hold {
            class: class.as_str(),
            why,
        },
        Trouble::Passing { why, .. } => Foreseen::Unknown { why },
    }
}
