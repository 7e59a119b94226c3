//! The operators: they decide by what really stands in the ledger, fill the crosswalk, pause and resume.

use crate::act::Life;
use crate::network::held;
use crate::run::all;
use crate::senders::ACCOUNTS;
use anyhow::Result;
use ml_connector_core::delivery::{Decision, DeliveryState, Receipt, StateKind};
use ml_connector_core::identity::{ConnectionId, CrosswalkId};
use ml_connector_runtime::Engine;
use ml_connector_runtime::operator::{Act, Command, Reply};
use ml_connector_store::{CrosswalkEntry, Delivery};
use serde_json::json;
use std::collections::BTreeMap;

impl Life<'_> {
    /// An operator looks at what is held and decides by what really stands in the ledger.
    pub(crate) async fn operate(&mut self, engine: &Engine, diligent: bool) -> Result<()> {
        let deliveries = all(self.store).await?;
        for delivery in &deliveries {
            let DeliveryState::Held(hold) = &delivery.state else {
                continue;
            };
            if hold.awaits.is_some() && !self.waits_in_vain(delivery, &deliveries) {
                continue;
            }
            let decision = if hold.in_doubt {
                if !held(&self.at.systems).is_quiet() {
                    continue;
                }
                self.at.in_doubt += 1;
                self.truth(delivery)
            } else if self.waits_in_vain(delivery, &deliveries)
                || (!diligent && self.at.entropy.chance(100))
            {
                Decision::Discard
            } else {
                Decision::Retry
            };
            self.say(format!(
                "{} is resolved: {decision:?} ({})",
                delivery.event_id, hold.why
            ));
            let command = Command::Resolve {
                deliveries: vec![delivery.id],
                decision,
                act: act(),
            };
            let reply = engine.execute(command).await;
            if diligent && !matches!(reply, Reply::Resolved { .. }) {
                self.say(format!("refused: {reply:?}"));
            }
        }
        Ok(())
    }

    /// Whether a reversal waits for a receipt that will never be.
    pub(crate) fn waits_in_vain(&self, delivery: &Delivery, deliveries: &[Delivery]) -> bool {
        let of = {
            let systems = held(&self.at.systems);
            let event = systems
                .events
                .iter()
                .find(|event| event.id == delivery.event_id);
            event.and_then(|event| event.of.clone())
        };
        of.is_some_and(|of| {
            let receipt = deliveries.iter().find(|other| other.event_id == of);
            receipt.is_some_and(|receipt| receipt.state.kind() == StateKind::Discarded)
        })
    }

    pub(crate) fn truth(&self, delivery: &Delivery) -> Decision {
        let systems = held(&self.at.systems);
        let entry = systems
            .entries
            .iter()
            .find(|entry| entry.reference == delivery.event_id);
        match entry {
            Some(entry) => Decision::Posted {
                receipt: Receipt(BTreeMap::from([("number".to_owned(), json!(entry.number))])),
            },
            None => Decision::NotPosted,
        }
    }

    pub(crate) async fn fill_crosswalk(&mut self, engine: &Engine) {
        let account = format!("A{}", self.at.entropy.below(ACCOUNTS));
        self.set_account(engine, account).await;
    }

    pub(crate) async fn set_account(&mut self, engine: &Engine, account: String) {
        let entry = CrosswalkEntry {
            table: CrosswalkId::new("accounts"),
            key: account.clone(),
            values: json!({ "code": account }),
        };
        self.say(format!("the crosswalk gets {account}"));
        engine
            .execute(Command::CrosswalkSet {
                entries: vec![entry],
                act: act(),
            })
            .await;
    }

    pub(crate) async fn pause(&mut self, engine: &Engine) {
        let connection = ConnectionId::new(if self.at.entropy.chance(500) {
            "ledgerd"
        } else {
            "payhub"
        });
        let command = if self.at.entropy.chance(400) {
            Command::Pause {
                connection,
                act: act(),
            }
        } else {
            Command::Resume {
                connection,
                act: act(),
            }
        };
        self.say(format!("{command:?}"));
        engine.execute(command).await;
    }
}

pub(crate) fn act() -> Act {
    Act {
        actor: "campaign".to_owned(),
        reason: "drawn from the seed".to_owned(),
    }
}
