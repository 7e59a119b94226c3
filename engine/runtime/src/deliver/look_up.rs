//! Looking up what became of a write whose answer is not known. Nothing is sent here but reads.

use super::aim::{Aim, NoTarget, Target, Turned};
use super::basis::Basis;
use super::prepare::Preparing;
use super::shot::as_result;
use super::{Done, Job, recover};
use crate::connection::{Asked, NotNow};
use crate::settle::{With, decide, record};
use ml_connector_core::delivery::{Event, LookUp, Policy, Trouble};
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::plan::{Operation, Repeat};
use ml_connector_core::protocol;
use ml_connector_store::Exchange;
use std::sync::Arc;

impl Job {
    /// Asks the target for the record as it was prepared for its claim.
    pub(super) async fn look_up(&mut self) -> Turned {
        let Some(instance) = self.instance() else {
            return self
                .not_looked_up("the site does not run the integration any more")
                .await;
        };
        let event = self.event(&instance).await?;
        let (prepared, basis) = match self.ready(&instance, &event).await? {
            Preparing::Ready { prepared, basis } => (prepared, basis),
            Preparing::Skip(reason) => {
                let why = format!("the integration would skip the record now: {reason}");
                return self.not_looked_up(&why).await;
            }
            Preparing::Trouble(trouble) => return self.not_looked_up(&text(&trouble)).await,
            Preparing::WaitsFor(connection) => return Ok(self.waits_for(connection)),
        };
        if prepared.connection != *self.lane.id() {
            return self
                .not_looked_up("the integration now writes to another connection")
                .await;
        }
        let aim = match Aim::new(&self.lane, &self.delivery, *prepared) {
            Ok(aim) => aim,
            Err(trouble) => return self.not_looked_up(&text(&trouble)).await,
        };
        let target = match aim.target(&self.delivery) {
            Ok(target) => target,
            // The definition does not know any more what was sent. That is for a person.
            Err(NoTarget::Trouble(trouble)) => {
                let policy = recover::policy(&self.context, &self.links, &self.delivery);
                let event = differs(text(&trouble));
                return self.looked_up(event, &policy, None, &basis).await;
            }
            Err(NoTarget::Encode(error)) => return self.not_looked_up(&error.to_string()).await,
        };
        let policy = aim.policy(&instance, &target);
        let (event, exchange) = match self.ask(&aim, &target).await {
            Verdict::Known(event, exchange) => (event, exchange),
            Verdict::WaitsFor(connection) => return Ok(self.waits_for(connection)),
        };
        self.looked_up(event, &policy, exchange, &basis).await
    }

    /// Asks the target for what was claimed.
    async fn ask(&self, aim: &Aim, target: &Target) -> Verdict {
        let Some((spec, operation)) = self.spec(&target.operation) else {
            let why = "the connector does not say how to look it up";
            return Verdict::Known(failed(why), None);
        };
        let asking = aim.asking(target);
        let claimed = self.delivery.progress.claim.as_ref();
        if claimed.is_some_and(|claimed| *claimed != asking.fingerprint) {
            // A look-up by today's values would prove absence for a record that was never sent.
            let why = "the record would be written differently now than when it was sent";
            return Verdict::Known(differs(why.to_owned()), None);
        }
        let input = match asking.input {
            Some(Ok(input)) => input,
            Some(Err(error)) => return Verdict::Known(failed(&error.to_string()), None),
            None => return Verdict::Known(failed("there is nothing to look up by"), None),
        };
        let call = aim.target_call(target);
        let asked = Asked {
            reference: call.reference,
            ..Asked::with(&input)
        };
        let verdict = match self.lane.read(&operation, asked).await {
            Ok(read) => protocol::look_up_verdict(&call, spec, &as_result(read)),
            Err(NotNow::Closed) => return Verdict::WaitsFor(self.lane.id().clone()),
            Err(NotNow::Trouble(Trouble::Passing { why, after, .. })) => {
                LookUp::Failed { why, after }
            }
            Err(NotNow::Trouble(Trouble::Lasting { why, .. })) => {
                LookUp::Failed { why, after: None }
            }
        };
        let event = match (verdict, &target.part.step) {
            // That step is done; the sequence is not.
            (LookUp::Found { receipt }, Some(name)) if !target.last => Event::StepDone {
                name: name.clone(),
                result: receipt.0.into_iter().collect(),
                due_at: self.context.now(),
            },
            (verdict, _) => Event::LookedUp(verdict),
        };
        let exchange = Exchange {
            operation: operation.name.clone(),
            ..Exchange::default()
        };
        Verdict::Known(event, Some(exchange))
    }

    fn spec<'a>(
        &self,
        write: &'a Operation,
    ) -> Option<(&'a ml_connector_core::plan::LookUpSpec, Arc<Operation>)> {
        let Repeat::LookUp(spec) = &write.write()?.repeat else {
            return None;
        };
        let operation = self.lane.plan().connector.operations.get(&spec.operation)?;
        Some((spec, Arc::clone(operation)))
    }

    /// Commits. What the look-up showed about the system was marked when it was read.
    async fn looked_up(
        &mut self,
        event: Event,
        policy: &Policy,
        exchange: Option<Exchange>,
        basis: &Basis<'_>,
    ) -> Turned {
        let stepped = decide(&self.context, &self.delivery, &event, policy)?;
        let remember = self.remember(&stepped, basis);
        let with = With {
            exchange,
            remember,
            ..With::default()
        };
        self.delivery = record(&self.context, &self.delivery, event, &stepped, with).await?;
        self.log();
        Ok(Done::Moved)
    }

    /// The look-up could not even be asked.
    async fn not_looked_up(&mut self, why: &str) -> Turned {
        let policy = recover::policy(&self.context, &self.links, &self.delivery);
        let event = failed(why);
        let stepped = decide(&self.context, &self.delivery, &event, &policy)?;
        let with = With::default();
        self.delivery = record(&self.context, &self.delivery, event, &stepped, with).await?;
        self.log();
        Ok(Done::Moved)
    }
}

/// What a look-up came to.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum Verdict {
    Known(Event, Option<Exchange>),
    /// It could not be asked before this connection admits calls.
    WaitsFor(ConnectionId),
}

fn differs(why: String) -> Event {
    Event::LookedUp(LookUp::Differs { why })
}

fn failed(why: &str) -> Event {
    Event::LookedUp(LookUp::Failed {
        why: why.to_owned(),
        after: None,
    })
}

fn text(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Passing { why, .. } | Trouble::Lasting { why, .. } => why.clone(),
    }
}
