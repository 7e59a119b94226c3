//! Commands that look: what is held and why, the integrations, the audit trail.

use super::execute::{Operator, Refusal, check, no_such, refusal};
use super::view::HoldGroups;
use super::view::cause as cause_of;
use super::{Act, IntegrationView, MessageView, RefusedKind, Reply, VerificationView};
use ml_connector_core::delivery::{Decision, DeliveryState, StateKind};
use ml_connector_core::hex;
use ml_connector_core::identity::{DeliveryId, MessageId};
use ml_connector_core::plan::Instance;
use ml_connector_store::{AuditRecord, Delivery, Pausable, Selection, verify};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows read at once while everything is looked through.
const PAGE: usize = 1000;
/// Deliveries of one trail at most.
const TRAIL_MAX: usize = 500;
/// Deliveries decided about by one command at most: it answers only when all are done.
const CAUSE_MAX: usize = 10_000;

impl Operator<'_> {
    pub(super) async fn holds(&self, selection: Selection) -> Result<Reply, Refusal> {
        let (mut groups, mut held) = (HoldGroups::default(), 0);
        self.each_held(selection, |delivery| {
            held += 1;
            groups.add(delivery);
            true
        })
        .await?;
        let groups = groups.finish();
        Ok(Reply::Holds { held, groups })
    }

    /// Gives every held delivery to `take`, by id, until it says that it is enough.
    async fn each_held(
        &self,
        selection: Selection,
        mut take: impl FnMut(&Delivery) -> bool,
    ) -> Result<(), Refusal> {
        let mut selection = Selection {
            states: vec![StateKind::Held],
            after: None,
            limit: PAGE,
            ..selection
        };
        loop {
            let page = self.store.delivery_list(&selection).await?;
            if !page.iter().all(&mut take) || page.len() < PAGE {
                return Ok(());
            }
            selection.after = page.last().map(|delivery| delivery.id);
        }
    }

    pub(super) async fn resolve_cause(
        &self,
        cause: &str,
        decision: &Decision,
        act: &Act,
    ) -> Result<Reply, Refusal> {
        check(act)?;
        if !matches!(decision, Decision::Retry | Decision::Discard) {
            return Err(refusal(
                "a whole cause is retried or discarded".to_owned(),
                "what may stand in the target is decided one by one",
            ));
        }
        let mut deliveries: Vec<DeliveryId> = Vec::new();
        let mut in_doubt = false;
        self.each_held(Selection::default(), |delivery| {
            if let DeliveryState::Held(hold) = &delivery.state
                && cause_of(hold) == cause
            {
                in_doubt |= hold.in_doubt;
                deliveries.push(delivery.id);
            }
            deliveries.len() < CAUSE_MAX
        })
        .await?;
        if in_doubt {
            return Err(refusal(
                "the target may already have what is held for this cause".to_owned(),
                "look there, then say for each whether it is posted or not",
            ));
        }
        if deliveries.is_empty() {
            let error = format!("nothing is held for the cause `{cause}`");
            return Err(no_such(error, "list the causes again"));
        }
        let mut results = Vec::with_capacity(deliveries.len());
        for id in deliveries {
            results.push(self.resolve(id, decision, act).await);
        }
        self.wake();
        Ok(Reply::Resolved { results })
    }

    pub(super) async fn integrations(&self) -> Result<Reply, Refusal> {
        let status = self.status().await?;
        let plan = self.engine.map(crate::Engine::plan);
        let instance = |name| plan.as_ref().and_then(|plan| plan.instances.get(name));
        let integrations = status.instances.iter().map(|one| {
            let counts = &one.counts;
            let states = StateKind::ALL.iter().zip(counts.states);
            let running: Option<&Arc<Instance>> = instance(&one.instance);
            let place = |name: &str, what: &str| {
                let connection = running?.connections.get(name)?;
                Some(format!("{connection}/{what}"))
            };
            let flow = running.map(|instance| &instance.integration);
            IntegrationView {
                integration: one.instance.to_string(),
                enabled: one.enabled,
                paused: status
                    .pauses
                    .iter()
                    .any(|paused| paused.what == Pausable::Integration(one.instance.clone())),
                definition: flow.map(|flow| flow.id.to_string()),
                title: flow
                    .map(|flow| flow.title.clone())
                    .filter(|title| !title.is_empty()),
                source: flow.and_then(|flow| place(&flow.source.connection, &flow.source.trigger)),
                sink: flow.and_then(|flow| place(&flow.sink.connection, &flow.sink.operation)),
                received: counts.received,
                duplicates: counts.duplicates,
                states: states
                    .map(|(kind, number)| (kind.as_str().to_owned(), number))
                    .collect(),
                opens_at: one.opens_at,
            }
        });
        let integrations = integrations.collect();
        Ok(Reply::Integrations { integrations })
    }

    pub(super) async fn message(&self, id: MessageId) -> Result<Reply, Refusal> {
        let Some(message) = self.store.message_get(id).await? else {
            return Err(no_such(format!("there is no event {id}"), ""));
        };
        let mut deliveries = Vec::with_capacity(message.deliveries.len());
        for id in &message.deliveries {
            deliveries.extend(self.store.delivery_get(*id).await?);
        }
        let message = MessageView {
            id: message.id.to_string(),
            event_id: message.event_id,
            connection: message.connection.to_string(),
            stream: message.stream.to_string(),
            received_at: message.received_at,
            sha256: hex::of(&Sha256::digest(&message.raw)),
            bytes: message.raw.len() as u64,
        };
        Ok(Reply::Message {
            message,
            deliveries,
        })
    }

    /// What a reference names, and what shares an order key, a reference or an event with that.
    pub(super) async fn trail(&self, reference: &str) -> Result<Reply, Refusal> {
        let mut found: BTreeMap<DeliveryId, Delivery> = BTreeMap::new();
        if let Ok(id) = reference.parse::<DeliveryId>()
            && reference.starts_with("dlv_")
        {
            let delivery = self.store.delivery_get(id).await?;
            found.extend(delivery.map(|delivery| (id, delivery)));
        } else if let Ok(id) = reference.parse::<MessageId>()
            && reference.starts_with("msg_")
        {
            let message = self.store.message_get(id).await?;
            for id in message.into_iter().flat_map(|message| message.deliveries) {
                let delivery = self.store.delivery_get(id).await?;
                found.extend(delivery.map(|delivery| (id, delivery)));
            }
        } else {
            self.named(reference, &mut found).await?;
        }
        if found.is_empty() {
            let error = format!("no delivery has anything to do with `{reference}`");
            let help = "give a payment's or event's id, a delivery, our reference, or the target's document number";
            return Err(no_such(error, help));
        }
        let mut names: Vec<String> = Vec::new();
        for delivery in found.values() {
            let order = delivery.order_key.as_ref().map(ToString::to_string);
            let ours = delivery.reference.as_ref().map(ToString::to_string);
            let event = Some(delivery.event_id.clone());
            for name in [order, ours, event].into_iter().flatten() {
                if name != reference && !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        for name in names {
            if found.len() >= TRAIL_MAX {
                break;
            }
            self.named(&name, &mut found).await?;
        }
        let mut records: BTreeMap<u64, AuditRecord> = BTreeMap::new();
        for id in found.keys() {
            let history = self.store.delivery_history(*id).await?;
            records.extend(history.into_iter().map(|record| (record.sequence, record)));
        }
        Ok(Reply::Trail {
            deliveries: found.into_values().collect(),
            records: records.into_values().collect(),
        })
    }

    async fn named(
        &self,
        text: &str,
        found: &mut BTreeMap<DeliveryId, Delivery>,
    ) -> Result<(), Refusal> {
        let selection = Selection {
            text: Some(text.to_owned()),
            limit: TRAIL_MAX,
            ..Selection::default()
        };
        let listed = self.store.delivery_list(&selection).await?;
        found.extend(listed.into_iter().map(|delivery| (delivery.id, delivery)));
        Ok(())
    }

    /// Reads the whole journal, off the asynchronous threads.
    pub(super) async fn verify(&self) -> Result<Reply, Refusal> {
        let directory = self.store.directory().to_owned();
        let verified = tokio::task::spawn_blocking(move || verify(&directory, &mut |_, _| {}));
        let failed = |error: &dyn std::fmt::Display| Refusal {
            kind: RefusedKind::Failed,
            ..refusal(format!("cannot verify the journal: {error}"), "")
        };
        let found = verified.await.map_err(|error| failed(&error))?;
        let found = found.map_err(|error| failed(&error))?;
        Ok(Reply::Verified {
            verification: VerificationView {
                sound: found.damage.is_none(),
                records: found.records,
                head: found.head,
                first_bad: found.damage.as_ref().and_then(|damage| damage.sequence),
                damage: found.damage.map(|damage| damage.to_string()),
            },
        })
    }
}
