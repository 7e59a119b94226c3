//! The operators: they decide by what really stands in the ledger, fill the crosswalk, pause and resume.

use crate::act::Life;
use crate::network::held;
use crate::run::all;
use crate::senders::ACCOUNTS;
use anyhow::Result;
use ml_connector_core::delivery::{Decision, DeliveryState, Receipt, StateKind};
use ml_connector_core::identity::{ConnectionId, CrosswalkId, Reference};
use ml_connector_runtime::Engine;
use ml_connector_runtime::operator::{Act, Command, Reply};
use ml_connector_store::{CrosswalkEntry, Delivery, Selection};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the other code of an account has behind the first one.
pub(crate) const OTHER_CODE: &str = "/2";

impl Life<'_> {
    /// An operator has what stands in the ledger posted a second time, and keeps note of it.
    pub(crate) async fn post_again(&mut self, engine: &Engine) -> Result<()> {
        let deliveries = all(self.store).await?;
        let stands = |delivery: &&Delivery| {
            let systems = held(&self.at.systems);
            delivery.state.kind() == StateKind::Delivered
                && delivery.progress.group.is_none()
                && systems.entries.iter().any(|entry| entry.is_of(delivery))
        };
        let posted: Vec<Delivery> = deliveries.iter().filter(stands).cloned().collect();
        let Some(delivery) = self.at.entropy.pick(&posted).cloned() else {
            return Ok(());
        };
        let command = Command::Replay {
            delivery: delivery.id,
            force: true,
            act: act(),
        };
        self.say(format!("{} is posted again", delivery.event_id));
        // Noted first: what is asked may be done without an answer.
        *self.at.again.entry(delivery.event_id).or_default() += 1;
        let reply = engine.execute(command).await;
        self.say(format!("{reply:?}"));
        Ok(())
    }

    /// An operator plans a replay of everything that is held, and applies it.
    pub(crate) async fn replay(&mut self, engine: &Engine) {
        let selection = Selection {
            states: vec![StateKind::Held],
            limit: 1000,
            ..Selection::default()
        };
        self.say("what is held is replayed".to_owned());
        let reply = engine.execute(Command::ReplayPlan { selection }).await;
        if let Reply::ReplayPlan { plan } = reply {
            engine
                .execute(Command::ReplayApply { plan, act: act() })
                .await;
        }
    }

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
            receipt.is_some_and(|receipt| {
                matches!(
                    receipt.state.kind(),
                    StateKind::Discarded | StateKind::Skipped
                )
            })
        })
    }

    pub(crate) fn truth(&self, delivery: &Delivery) -> Decision {
        let systems = held(&self.at.systems);
        // As a person does: by the reference that the delivery shows.
        let reference = delivery.reference.as_ref().map(Reference::as_str);
        let mut entries = systems.entries.iter();
        let entry = entries.find(|entry| Some(entry.reference.as_str()) == reference);
        match entry {
            Some(entry) => Decision::Posted {
                receipt: Receipt(BTreeMap::from([("number".to_owned(), json!(entry.number))])),
            },
            None => Decision::NotPosted,
        }
    }

    /// An entry appears, changes, or is taken away.
    pub(crate) async fn fill_crosswalk(&mut self, engine: &Engine) {
        let entropy = &mut self.at.entropy;
        let account = format!("A{}", entropy.below(ACCOUNTS));
        let values = match entropy.below(10) {
            0 => Value::Null,
            1 | 2 => json!({ "code": account, "state": "closed" }),
            3..6 => json!({ "code": format!("{account}{OTHER_CODE}"), "state": "open" }),
            _ => json!({ "code": account, "state": "open" }),
        };
        self.set_account(engine, account, values).await;
    }

    pub(crate) async fn open_account(&mut self, engine: &Engine, account: String) {
        let values = json!({ "code": account, "state": "open" });
        self.set_account(engine, account, values).await;
    }

    async fn set_account(&mut self, engine: &Engine, account: String, values: Value) {
        self.say(format!("the crosswalk gets {account}: {values}"));
        let entry = CrosswalkEntry {
            table: CrosswalkId::new("accounts"),
            key: account,
            values,
        };
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
