//! Carrying commands out.

use super::{
    Act, Command, ConnectionStatus, InstanceStatus, PingStep, Pinged, Reply, Resolved, Status,
};
use crate::connection::{Caller, Link, Pause};
use crate::counters::Counters;
use crate::credentials::{Failure, Sessions};
use crate::engine::Engine;
use crate::intake::UNSENT;
use crate::seams::{Clock, Seams};
use ml_connector_core::delivery::{self, Decision, DeliveryState, Event};
use ml_connector_core::hex;
use ml_connector_core::identity::{ConnectionId, CrosswalkId, DeliveryId};
use ml_connector_core::plan::{Connection, Health};
use ml_connector_core::template::Scope;
use ml_connector_store::{Counts, CrosswalkEntry, Error, Note, Selection, Store, Transition};
use serde_json::{Value as Document, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The most rows of one page.
const ROWS_MAX: usize = 10_000;

/// Carries a command out: in the engine if one runs, otherwise on the store alone.
pub async fn execute(
    store: &Store,
    engine: Option<&Engine>,
    clock: &dyn Clock,
    command: Command,
) -> Reply {
    let operator = Operator {
        store,
        engine,
        clock,
    };
    match operator.run(command).await {
        Ok(reply) => reply,
        Err(Refusal { error, help }) => Reply::Refused { error, help },
    }
}

struct Operator<'a> {
    store: &'a Store,
    engine: Option<&'a Engine>,
    clock: &'a dyn Clock,
}

struct Refusal {
    error: String,
    help: String,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error: error.to_string(),
            help: String::new(),
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
            Command::Pause { connection, act } => self.pause(&connection, &act).await,
            Command::Resume { connection, act } => self.resume(&connection, &act).await,
            Command::Ping { connection } => {
                let link = self.link(&connection)?;
                Ok(Reply::Pinged(ping_over(link).await))
            }
            Command::Note { kind, act, facts } => {
                self.note(&kind, &act, facts).await?;
                Ok(Reply::Done)
            }
        }
    }

    async fn status(&self) -> Result<Status, Refusal> {
        let (records, head) = self.store.head().await?;
        let counts = self.store.counts().await?;
        let plan = self.engine.map(Engine::plan);
        let mut instances: Vec<InstanceStatus> = counts
            .into_iter()
            .map(|(instance, counts)| {
                let enabled = plan.is_some_and(|plan| plan.instances.contains_key(&instance));
                InstanceStatus {
                    instance,
                    enabled,
                    counts,
                }
            })
            .collect();
        let mut status = Status {
            records,
            head: hex::of(&head),
            ..Status::default()
        };
        if let (Some(engine), Some(plan)) = (self.engine, plan) {
            for id in plan.instances.keys() {
                if !instances.iter().any(|known| known.instance == *id) {
                    let (instance, counts) = (id.clone(), Counts::default());
                    instances.push(InstanceStatus {
                        instance,
                        enabled: true,
                        counts,
                    });
                }
            }
            status.site = Some(plan.site.clone());
            status.running_since = Some(engine.started_at());
            status.plan = Some(hex::of(&plan.hash));
            status.counters = Some(engine.counters());
            status.polls = engine.polls().await?;
            for link in engine.links() {
                status.connections.push(ConnectionStatus {
                    connection: link.id().clone(),
                    connector: link.plan().connector.id.to_string(),
                    circuit: link.circuit().view(),
                    session: link.session_view(),
                    next_due: self.store.delivery_next_due(link.id()).await?,
                });
            }
            status
                .connections
                .sort_by(|a, b| a.connection.cmp(&b.connection));
        }
        instances.sort_by(|a, b| a.instance.cmp(&b.instance));
        status.instances = instances;
        Ok(status)
    }

    async fn delivery(&self, id: DeliveryId, event: bool) -> Result<Reply, Refusal> {
        let Some(delivery) = self.store.delivery_get(id).await? else {
            return Err(refusal(format!("there is no {id}"), ""));
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
    async fn resolve(&self, id: DeliveryId, decision: &Decision, act: &Act) -> Resolved {
        let mut tries = 0;
        loop {
            match self.resolve_once(id, decision, act).await {
                Ok(state) => {
                    return Resolved {
                        delivery: id,
                        state: Some(state),
                        error: None,
                    };
                }
                Err(NotResolved::Changed) if tries < 3 => tries += 1,
                Err(NotResolved::Changed) => {
                    let error = Some("it keeps changing; try again".to_owned());
                    return Resolved {
                        delivery: id,
                        state: None,
                        error,
                    };
                }
                Err(NotResolved::Other(error)) => {
                    return Resolved {
                        delivery: id,
                        state: None,
                        error: Some(error),
                    };
                }
            }
        }
    }

    async fn resolve_once(
        &self,
        id: DeliveryId,
        decision: &Decision,
        act: &Act,
    ) -> Result<DeliveryState, NotResolved> {
        let other = |error: &dyn std::fmt::Display| NotResolved::Other(error.to_string());
        let found = self
            .store
            .delivery_get(id)
            .await
            .map_err(|error| other(&error))?;
        let Some(delivery) = found else {
            return Err(NotResolved::Other(format!("there is no {id}")));
        };
        let event = Event::Decided {
            decision: decision.clone(),
            reason: act.reason.clone(),
        };
        let now = self.clock.now();
        let (state, progress) = (&delivery.state, &delivery.progress);
        let stepped = delivery::step(state, progress, event.clone(), &UNSENT, now, 0)
            .map_err(|refused| other(&refused))?;
        let transition = Transition {
            delivery: id,
            revision: delivery.revision,
            at: now,
            event,
            state: stepped.state,
            progress: stepped.progress,
            reference: None,
            exchange: None,
            remember: Vec::new(),
            actor: Some(act.actor.clone()),
            plan_hash: self.engine.map_or([0; 32], |engine| engine.plan().hash),
        };
        match self.store.delivery_record(transition).await {
            Ok(delivery) => Ok(delivery.state),
            Err(Error::Changed(_)) => Err(NotResolved::Changed),
            Err(error) => Err(other(&error)),
        }
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

    async fn pause(&self, connection: &ConnectionId, act: &Act) -> Result<Reply, Refusal> {
        check(act)?;
        let link = self.link(connection)?;
        self.note(
            "connection_paused",
            act,
            json!({ "connection": connection }),
        )
        .await?;
        link.circuit().pause(Pause {
            actor: act.actor.clone(),
            reason: act.reason.clone(),
            since: self.clock.now(),
        });
        Ok(Reply::Done)
    }

    async fn resume(&self, connection: &ConnectionId, act: &Act) -> Result<Reply, Refusal> {
        check(act)?;
        let link = self.link(connection)?;
        self.note(
            "connection_resumed",
            act,
            json!({ "connection": connection }),
        )
        .await?;
        link.resume();
        Ok(Reply::Done)
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

    fn link(&self, connection: &ConnectionId) -> Result<&Arc<Link>, Refusal> {
        let Some(engine) = self.engine else {
            return Err(refusal(
                "no engine runs on this store".to_owned(),
                "start it with `ml-connector run`",
            ));
        };
        engine.link(connection).ok_or_else(|| {
            refusal(
                format!("there is no connection `{connection}`"),
                "see `ml-connector status`",
            )
        })
    }

    /// What was decided or set may have made deliveries due in any lane.
    fn wake(&self) {
        if let Some(engine) = self.engine {
            engine.wake_all();
        }
    }
}

enum NotResolved {
    Changed,
    Other(String),
}

/// Logs in to a connection's system and reads something harmless, without an engine.
///
/// While an engine runs, send [`Command::Ping`] to it instead: some systems end the engine's
/// session when the same user logs on a second time.
pub async fn ping(connection: &Arc<Connection>, seams: &Seams) -> Pinged {
    let sessions = Sessions::default();
    let caller = Caller::new(
        Arc::clone(connection),
        seams.clone(),
        Arc::<Counters>::default(),
    );
    let stops = (CancellationToken::new(), CancellationToken::new());
    let pinged = match Link::new(caller, &sessions, stops) {
        Ok(link) => ping_over(&Arc::new(link)).await,
        Err(error) => Pinged {
            connection: connection.id.clone(),
            steps: vec![PingStep {
                operation: String::new(),
                duration_ms: 0,
                shows: None,
                error: Some(error.to_string()),
                help: "correct the connection's settings".to_owned(),
            }],
        },
    };
    for scope in sessions.all() {
        scope.close().await;
    }
    pinged
}

/// The health call and what `ping` declares beside it, up to the first that fails.
async fn ping_over(link: &Arc<Link>) -> Pinged {
    let connector = &link.plan().connector;
    let mut steps = Vec::new();
    for health in connector.health.iter().chain(&connector.ping) {
        let step = ping_step(link, health).await;
        let failed = step.error.is_some();
        steps.push(step);
        if failed {
            break;
        }
    }
    Pinged {
        connection: link.id().clone(),
        steps,
    }
}

async fn ping_step(link: &Arc<Link>, health: &Health) -> PingStep {
    let clock = &link.caller.seams.clock;
    let began = clock.now();
    let answer = link.ask(health).await;
    let took = clock.now().duration_since(began).as_millis();
    let mut step = PingStep {
        operation: health.operation.clone(),
        duration_ms: u64::try_from(took).unwrap_or(0),
        shows: None,
        error: None,
        help: String::new(),
    };
    match answer {
        Ok(result) => {
            let settings = &link.plan().settings;
            let scope = Scope::new()
                .with("result", &result)
                .with("settings", settings);
            let shows = health
                .show
                .as_ref()
                .map_or(Ok(String::new()), |show| show.text(&scope));
            step.shows = Some(shows.unwrap_or_else(|error| format!("(not shown: {error})")));
        }
        Err(Failure::Refused { why, help, .. }) => {
            step.error = Some(why);
            step.help = help;
        }
        Err(Failure::Passing { why, .. }) => step.error = Some(why),
        Err(Failure::Shared(failure)) => {
            let (why, help) = match failure.itself() {
                Failure::Refused { why, help, .. } => (why, help),
                Failure::Passing { why, .. } => (why, String::new()),
                Failure::Shared(_) | Failure::Stopping => (String::new(), String::new()),
            };
            step.error = Some(format!("not asked again: {why}"));
            step.help = format!("{help}; `ml-connector resume` lets it be tried again")
                .trim_start_matches("; ")
                .to_owned();
        }
        Err(Failure::Stopping) => step.error = Some("the engine is stopping".to_owned()),
    }
    step
}

fn check(act: &Act) -> Result<(), Refusal> {
    if act.actor.trim().is_empty() || act.reason.trim().is_empty() {
        let help = "say who decides, and why: the audit trail keeps both";
        return Err(refusal(
            "an act needs an actor and a reason".to_owned(),
            help,
        ));
    }
    Ok(())
}

fn refusal(error: String, help: &str) -> Refusal {
    Refusal {
        error,
        help: help.to_owned(),
    }
}

fn bounded(limit: usize) -> usize {
    if limit == 0 { 100 } else { limit.min(ROWS_MAX) }
}
