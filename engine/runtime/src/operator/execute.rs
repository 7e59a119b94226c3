//! Carrying commands out.

use super::ping::ping_over;
use super::{
    Act, Command, ConnectionStatus, InstanceStatus, RefusedKind, Reply, Resolved, Status, pause,
};
use crate::connection::{Link, Links};
use crate::context::Context;
use crate::deliver::{self, Remembered};
use crate::engine::Engine;
use crate::intake::UNSENT;
use crate::seams::Clock;
use crate::settle::NotRecorded;
use ml_connector_core::delivery::{Decision, DeliveryState, Event, Receipt, step};
use ml_connector_core::hex;
use ml_connector_core::identity::{ConnectionId, CrosswalkId, DeliveryId};
use ml_connector_store::{
    Counts, CrosswalkEntry, Delivery, Error, Note, Pausable, Paused, Selection, Store, Transition,
};
use serde_json::Value as Document;
use std::sync::Arc;

/// The most rows of one page.
const ROWS_MAX: usize = 10_000;

/// Carries a command out: in the engine if one runs, otherwise on the store alone.
pub async fn execute(
    store: &Store,
    engine: Option<&Engine>,
    clock: &dyn Clock,
    command: Command,
) -> Reply {
    let bench = engine.map(Engine::bench);
    carry_out(
        &Operator {
            store,
            engine,
            bench,
            clock,
        },
        command,
    )
    .await
}

/// Carries a command out, and says so where it does not.
pub(super) async fn carry_out(operator: &Operator<'_>, command: Command) -> Reply {
    match operator.run(command).await {
        Ok(reply) => reply,
        Err(Refusal { error, help, kind }) => Reply::Refused { error, help, kind },
    }
}

/// Who carries commands out, and on what.
pub(super) struct Operator<'a> {
    pub(super) store: &'a Store,
    pub(super) engine: Option<&'a Engine>,
    /// What preparing a delivery takes: an engine's own, or a workbench's.
    pub(super) bench: Option<(Arc<Context>, Arc<Links>)>,
    pub(super) clock: &'a dyn Clock,
}

/// Why a command is not carried out.
pub(super) struct Refusal {
    pub(super) error: String,
    pub(super) help: String,
    pub(super) kind: RefusedKind,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Changed(_) => RefusedKind::Conflict,
            Error::Missing(_) => RefusedKind::NotFound,
            Error::Unwritable(_) | Error::Damaged(_) | Error::Index(_) | Error::Closed => {
                RefusedKind::Failed
            }
        };
        Self {
            error: error.to_string(),
            help: String::new(),
            kind,
        }
    }
}

impl Operator<'_> {
    async fn run(&self, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::Status => Ok(Reply::Status(Box::new(self.status().await?))),
            Command::Deliveries { selection } => {
                let limit = bounded(selection.limit);
                let selection = Selection { limit, ..selection };
                let deliveries = self.store.delivery_list(&selection).await?;
                Ok(Reply::Deliveries { deliveries })
            }
            Command::Delivery { id, event } => self.delivery(id, event).await,
            Command::Resolve {
                deliveries,
                decision,
                act,
            } => {
                check(&act)?;
                let mut results = Vec::with_capacity(deliveries.len());
                for id in deliveries {
                    results.push(self.resolve(id, &decision, &act).await);
                }
                self.wake();
                Ok(Reply::Resolved { results })
            }
            Command::ResolveCause {
                cause,
                decision,
                act,
            } => self.resolve_cause(&cause, &decision, &act).await,
            Command::Holds { selection } => self.holds(selection).await,
            Command::Integrations => self.integrations().await,
            Command::Message { id } => self.message(id).await,
            Command::Records { after, limit } => {
                let records = self.store.records(after, bounded(limit)).await?;
                Ok(Reply::Records { records })
            }
            Command::Trail { reference } => self.trail(&reference).await,
            Command::Verify => self.verify().await,
            Command::ReplayPlan { selection } => self.replay_plan(selection).await,
            Command::ReplayApply { plan, act } => self.replay_apply(&plan, &act).await,
            Command::Replay {
                delivery,
                force,
                act,
            } => self.replay_one(delivery, force, &act).await,
            Command::Reconcile {
                integration,
                period,
            } => self.reconcile(integration.as_ref(), &period).await,
            Command::CrosswalkGet { table, key } => {
                let values = self.store.crosswalk_get(&table, &key).await?;
                let entry = values.map(|values| CrosswalkEntry { table, key, values });
                Ok(Reply::Entry { entry })
            }
            Command::CrosswalkSet { entries, act } => self.crosswalk_set(entries, &act).await,
            Command::CrosswalkList {
                table,
                after,
                limit,
            } => {
                self.crosswalk_list(table.as_ref(), after.as_deref(), limit)
                    .await
            }
            Command::Pause { connection, act } => {
                self.pause(Pausable::Connection(connection), &act).await
            }
            Command::Resume { connection, act } => {
                self.resume(Pausable::Connection(connection), &act).await
            }
            Command::PauseIntegration { instance, act } => {
                self.pause(Pausable::Integration(instance), &act).await
            }
            Command::ResumeIntegration { instance, act } => {
                self.resume(Pausable::Integration(instance), &act).await
            }
            Command::Reload { act } => self.reload(&act).await,
            Command::Ping { connection } => {
                let link = self.link(&connection)?;
                Ok(Reply::Pinged(ping_over(&link).await))
            }
            Command::Note { kind, act, facts } => {
                self.note(&kind, &act, facts).await?;
                Ok(Reply::Done)
            }
        }
    }

    pub(super) async fn status(&self) -> Result<Status, Refusal> {
        let (records, head) = self.store.head().await?;
        let mut counts = self.store.counts().await?;
        let plan = self.engine.map(Engine::plan);
        let planned = plan.as_ref().map(|plan| &plan.instances);
        for id in planned.into_iter().flat_map(|instances| instances.keys()) {
            if !counts.iter().any(|(known, _)| known == id) {
                counts.push((id.clone(), Counts::default()));
            }
        }
        let now = self.clock.now();
        counts.sort_by(|(a, _), (b, _)| a.cmp(b));
        let instances = counts.into_iter().map(|(instance, counts)| {
            let planned = planned.and_then(|instances| instances.get(&instance));
            let windows = planned.and_then(|planned| planned.windows.as_ref());
            InstanceStatus {
                instance,
                enabled: planned.is_some(),
                counts,
                opens_at: windows.and_then(|windows| windows.closed_until(now)),
            }
        });
        let mut status = Status {
            pauses: self.store.pauses().await?,
            records,
            head: hex::of(&head),
            instances: instances.collect(),
            ..Status::default()
        };
        if let (Some(engine), Some(plan)) = (self.engine, &plan) {
            status.site = Some(plan.site.clone());
            status.running_since = Some(engine.started_at());
            status.plan = Some(hex::of(&plan.hash));
            status.reload = engine.reloaded();
            status.counters = Some(engine.counters());
            status.polls = engine.polls().await?;
            for link in engine.links() {
                status.connections.push(ConnectionStatus {
                    connection: link.id().clone(),
                    connector: link.plan().connector.id.to_string(),
                    circuit: link.circuit().view(),
                    session: link.session_view(),
                    rate: link.rate_view(),
                    next_due: self.store.delivery_next_due(link.id(), &[]).await?,
                });
            }
            status
                .connections
                .sort_by(|a, b| a.connection.cmp(&b.connection));
        }
        Ok(status)
    }

    async fn delivery(&self, id: DeliveryId, event: bool) -> Result<Reply, Refusal> {
        let Some(delivery) = self.store.delivery_get(id).await? else {
            return Err(no_such(format!("there is no {id}"), ""));
        };
        let history = self.store.delivery_history(id).await?;
        let event = if event {
            let message = self.store.message_get(delivery.message).await?;
            message.map(|message| String::from_utf8_lossy(&message.raw).into_owned())
        } else {
            None
        };
        Ok(Reply::Delivery {
            delivery: Box::new(delivery),
            history,
            event,
        })
    }

    /// Decides about one delivery. If a worker moves it at the same moment, the decision is made
    /// again about what it has become.
    pub(super) async fn resolve(&self, id: DeliveryId, decision: &Decision, act: &Act) -> Resolved {
        self.resolve_at(id, None, decision, act).await
    }

    /// As [`Operator::resolve`]; with a revision, only if that is still the present one.
    pub(super) async fn resolve_at(
        &self,
        id: DeliveryId,
        revision: Option<u32>,
        decision: &Decision,
        act: &Act,
    ) -> Resolved {
        let mut tries = 0;
        let refused = |error: String, kind| Resolved {
            delivery: id,
            state: None,
            error: Some(error),
            kind: Some(kind),
            notice: None,
        };
        loop {
            match self.resolve_once(id, revision, decision, act).await {
                Ok((state, notice)) => {
                    return Resolved {
                        delivery: id,
                        state: Some(state),
                        error: None,
                        kind: None,
                        notice,
                    };
                }
                Err(NotResolved::Changed) if tries < 3 && revision.is_none() => tries += 1,
                Err(NotResolved::Changed) if revision.is_some() => {
                    let error = "it has moved since".to_owned();
                    return refused(error, RefusedKind::Conflict);
                }
                Err(NotResolved::Changed) => {
                    let error = "it keeps changing; try again".to_owned();
                    return refused(error, RefusedKind::Conflict);
                }
                Err(NotResolved::Other(error, kind)) => return refused(error, kind),
            }
        }
    }

    async fn resolve_once(
        &self,
        id: DeliveryId,
        revision: Option<u32>,
        decision: &Decision,
        act: &Act,
    ) -> Result<(DeliveryState, Option<String>), NotResolved> {
        let failed = |error: Error| {
            let Refusal { error, kind, .. } = error.into();
            NotResolved::Other(error, kind)
        };
        let found = self.store.delivery_get(id).await.map_err(failed)?;
        let Some(delivery) = found else {
            let error = format!("there is no {id}");
            return Err(NotResolved::Other(error, RefusedKind::NotFound));
        };
        if revision.is_some_and(|revision| revision != delivery.revision) {
            return Err(NotResolved::Changed);
        }
        let event = Event::Decided {
            decision: decision.clone(),
            reason: act.reason.clone(),
        };
        let now = self.clock.now();
        let (state, progress) = (&delivery.state, &delivery.progress);
        let stepped = step(state, progress, event.clone(), &UNSENT, now, 0)
            .map_err(|refused| NotResolved::Other(refused.to_string(), RefusedKind::Conflict))?;
        let (remember, notice) = match decision {
            Decision::Posted { receipt } => {
                let conflict = |error: NotRecorded| {
                    NotResolved::Other(error.to_string(), RefusedKind::Conflict)
                };
                let remembered = self.remembered(&delivery, receipt).await;
                remembered.map_err(conflict)?
            }
            Decision::Retry
            | Decision::NotPosted
            | Decision::Discard
            | Decision::Reopen
            | Decision::PostAgain => (Vec::new(), None),
        };
        let transition = Transition {
            delivery: id,
            revision: delivery.revision,
            at: now,
            event,
            state: stepped.state,
            progress: stepped.progress,
            reference: None,
            keep: None,
            exchange: None,
            remember,
            actor: Some(act.actor.clone()),
            plan_hash: self
                .bench
                .as_ref()
                .map_or([0; 32], |(context, _)| context.plan.hash),
        };
        match self.store.delivery_record(transition).await {
            Ok(delivery) => {
                if let Some(engine) = self.engine {
                    engine.decided(&delivery);
                }
                Ok((delivery.state, notice))
            }
            Err(Error::Changed(_)) => Err(NotResolved::Changed),
            Err(error) => Err(failed(error)),
        }
    }

    /// What a record that stands in the target is remembered by, and what of that must be done by
    /// hand.
    async fn remembered(
        &self,
        delivery: &Delivery,
        receipt: &Receipt,
    ) -> Result<Remembered, NotRecorded> {
        let Some(engine) = self.engine else {
            let notice = "no engine runs, so no entries were made that its integration may remember: \
                          set them with `ml-connector crosswalk set`";
            return Ok((Vec::new(), Some(notice.to_owned())));
        };
        let (context, links) = engine.parts();
        let (entries, notice) = deliver::remembered(&context, &links, delivery, receipt).await?;
        if !delivery.unrouted {
            return Ok((entries, notice));
        }
        let warning = "its dedup key is not known: another event of the same record would be posted, \
                       so discard that one when it comes";
        let before = notice.map(|notice| format!("{notice}; "));
        let notice = format!("{}{warning}", before.unwrap_or_default());
        Ok((entries, Some(notice)))
    }

    async fn crosswalk_set(
        &self,
        entries: Vec<CrosswalkEntry>,
        act: &Act,
    ) -> Result<Reply, Refusal> {
        check(act)?;
        let written = entries.len() as u64;
        let (now, reason) = (self.clock.now(), Some(act.reason.as_str()));
        let released = self
            .store
            .crosswalk_set(entries, now, &act.actor, reason)
            .await?;
        self.wake();
        Ok(Reply::Set { written, released })
    }

    async fn crosswalk_list(
        &self,
        table: Option<&CrosswalkId>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Reply, Refusal> {
        let entries = self
            .store
            .crosswalk_list(table, after, bounded(limit))
            .await?;
        Ok(Reply::Entries { entries })
    }

    /// Stops something, now if an engine runs, and at every start until it is resumed.
    async fn pause(&self, what: Pausable, act: &Act) -> Result<Reply, Refusal> {
        check(act)?;
        self.known(&what)?;
        let paused = Paused {
            what,
            actor: act.actor.clone(),
            reason: act.reason.clone(),
            since: self.clock.now(),
        };
        self.store.pause(paused.clone()).await?;
        if let Some(engine) = self.engine {
            let (context, links) = engine.parts();
            pause::paused(&context, &links, paused);
        }
        Ok(Reply::Done)
    }

    async fn resume(&self, what: Pausable, act: &Act) -> Result<Reply, Refusal> {
        check(act)?;
        // A pause of what the site does not have any more can be taken back too.
        let pauses = self.store.pauses().await?;
        if !pauses.iter().any(|paused| paused.what == what) {
            self.known(&what)?;
        }
        let now = self.clock.now();
        self.store
            .resume(what.clone(), now, &act.actor, &act.reason)
            .await?;
        if let Some(engine) = self.engine {
            let (context, links) = engine.parts();
            pause::resumed(&context, &links, &what);
        }
        Ok(Reply::Done)
    }

    /// Has the definitions read again. The act is kept before it begins: what comes of it is a record of its own.
    async fn reload(&self, act: &Act) -> Result<Reply, Refusal> {
        check(act)?;
        let engine = self.engine.ok_or_else(no_engine)?;
        self.note("reload_asked", act, Document::Null).await?;
        let went = engine.ask_for_reload().await;
        went.map(Reply::Reloaded).ok_or_else(|| {
            refusal(
                "nobody reads definitions for this engine".to_owned(),
                "restart it with the new ones",
            )
        })
    }

    /// Refuses names that a running engine does not know. Without one there is no site to ask.
    fn known(&self, what: &Pausable) -> Result<(), Refusal> {
        let Some(engine) = self.engine else {
            return Ok(());
        };
        match what {
            Pausable::Connection(connection) => self.link(connection).map(drop),
            Pausable::Integration(instance) if engine.plan().instances.contains_key(instance) => {
                Ok(())
            }
            Pausable::Integration(instance) => Err(no_such(
                format!("there is no integration `{instance}`"),
                "see `ml-connector status`",
            )),
        }
    }

    async fn note(&self, kind: &str, act: &Act, facts: Document) -> Result<(), Refusal> {
        let note = Note {
            kind: kind.to_owned(),
            actor: Some(act.actor.clone()),
            reason: Some(act.reason.clone()),
            facts,
        };
        Ok(self.store.note(note, self.clock.now()).await?)
    }

    fn link(&self, connection: &ConnectionId) -> Result<Arc<Link>, Refusal> {
        let engine = self.engine.ok_or_else(no_engine)?;
        engine.link(connection).ok_or_else(|| {
            no_such(
                format!("there is no connection `{connection}`"),
                "see `ml-connector status`",
            )
        })
    }

    /// What preparing takes.
    pub(super) fn bench(&self) -> Result<(Arc<Context>, Arc<Links>), Refusal> {
        self.bench.clone().ok_or_else(|| Refusal {
            kind: RefusedKind::NeedsEngine,
            ..refusal(
                "this needs the definitions".to_owned(),
                "start the engine with `ml-connector run`",
            )
        })
    }

    /// What was decided or set may have made deliveries due in any lane.
    pub(super) fn wake(&self) {
        if let Some(engine) = self.engine {
            engine.wake_all();
        }
    }
}

enum NotResolved {
    Changed,
    Other(String, RefusedKind),
}

pub(super) fn check(act: &Act) -> Result<(), Refusal> {
    if act.actor.trim().is_empty() || act.reason.trim().is_empty() {
        let help = "say who decides, and why: the audit trail keeps both";
        return Err(Refusal {
            kind: RefusedKind::Invalid,
            ..refusal("an act needs an actor and a reason".to_owned(), help)
        });
    }
    Ok(())
}

pub(super) fn refusal(error: String, help: &str) -> Refusal {
    Refusal {
        error,
        help: help.to_owned(),
        kind: RefusedKind::Conflict,
    }
}

pub(super) fn no_such(error: String, help: &str) -> Refusal {
    Refusal {
        kind: RefusedKind::NotFound,
        ..refusal(error, help)
    }
}

fn no_engine() -> Refusal {
    Refusal {
        kind: RefusedKind::NeedsEngine,
        ..refusal(
            "no engine runs on this store".to_owned(),
            "start it with `ml-connector run`",
        )
    }
}

fn bounded(limit: usize) -> usize {
    if limit == 0 { 100 } else { limit.min(ROWS_MAX) }
}
