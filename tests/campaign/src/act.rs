//! What happens in one life of the engine, drawn from the seed.

use crate::network::{Fuse, Network, Point, held};
use crate::operators::act;
use crate::run::{End, GRACE, Installation, all, plans};
use crate::senders::ACCOUNTS;
use crate::systems::Event;
use crate::weather::Mode;
use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use ml_connector_core::identity::ConnectionId;
use ml_connector_runtime::operator::Command;
use ml_connector_runtime::{Clock as _, Engine, Seams, StartError};
use ml_connector_store::Store;
use ml_connector_store::simulated::Fault;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Acts of one life.
const ACTS_MAX: usize = 24;
/// Scheduler rounds in which nothing moves before everything counts as waiting.
const ROUNDS: usize = 48;
/// Turns of the last life, after which what still waits counts as stuck.
const TURNS_MAX: usize = 4000;
/// Events on their way, and the status that came back.
pub(crate) type Answers = Arc<Mutex<Vec<(Vec<usize>, u16)>>>;

pub(crate) struct Life<'a> {
    pub(crate) at: &'a mut Installation,
    pub(crate) store: &'a Store,
    network: &'a Network,
    seams: Seams,
    last: bool,
    /// The disk operation at which it ends, and how.
    disk_ends: Option<(u64, End)>,
}

impl<'a> Life<'a> {
    pub(crate) fn new(
        at: &'a mut Installation,
        store: &'a Store,
        network: &'a Network,
        seams: Seams,
        last: bool,
    ) -> Self {
        Self {
            at,
            store,
            network,
            seams,
            last,
            disk_ends: None,
        }
    }

    pub(crate) async fn run(
        mut self,
        start: impl Future<Output = Result<Engine, StartError>>,
    ) -> End {
        let engine = match start.await {
            Ok(engine) => engine,
            Err(error) => {
                self.wrong(format!("the engine does not start: {error:#}"));
                return End::Killed;
            }
        };
        match self.live(&engine).await {
            Ok(end) => end,
            Err(error) => {
                self.wrong(format!("the run cannot go on: {error:#}"));
                End::Killed
            }
        }
    }

    async fn live(&mut self, engine: &Engine) -> Result<End> {
        if self.last {
            return self.finish(engine).await;
        }
        let acts = 4 + self.at.entropy.below(ACTS_MAX);
        for _ in 0..acts {
            if let Some(end) = self.quiet().await {
                return Ok(end);
            }
            self.act(engine).await?;
            if !self.at.wrong.is_empty() {
                return Ok(End::Killed);
            }
        }
        match self.at.entropy.below(4) {
            0 => Ok(End::Killed),
            1 => Ok(End::Power),
            2 => {
                self.quiet().await;
                self.stop(engine).await;
                Ok(End::Stopped)
            }
            _ => {
                // In the middle of whatever the next seconds bring.
                let clock = self.at.clock.clone();
                clock.advance_to_next();
                for _ in 0..self.at.entropy.below(30) {
                    tokio::task::yield_now().await;
                }
                Ok(if self.at.entropy.chance(500) {
                    End::Killed
                } else {
                    End::Power
                })
            }
        }
    }

    /// A stop takes time, and time only passes where somebody moves it.
    async fn stop(&mut self, engine: &Engine) {
        self.while_time_passes(engine.stop(GRACE)).await;
    }

    async fn while_time_passes<T>(&self, doing: impl Future<Output = T>) -> T {
        tokio::pin!(doing);
        loop {
            let mut rounds = 0;
            while rounds < ROUNDS {
                tokio::select! {
                    biased;
                    done = &mut doing => return done,
                    () = tokio::task::yield_now() => rounds += 1,
                }
            }
            if !self.at.clock.advance_to_next() {
                self.at.clock.advance(Duration::from_secs(1));
            }
        }
    }

    /// Other definitions, without a restart.
    async fn reload(&mut self, engine: &Engine) -> Result<()> {
        let version = self.at.entropy.below(2);
        self.say(format!("definitions {version} are loaded"));
        let plan = plans()?.get(version).context("there are two versions")?;
        let reload = engine.reload(Arc::clone(plan), self.seams.clone());
        if let Err(error) = self.while_time_passes(reload).await {
            self.say(format!("not loaded: {error}"));
        }
        Ok(())
    }

    /// Waits until everything waits. Says how it has ended if it has meanwhile.
    async fn quiet(&mut self) -> Option<End> {
        loop {
            let before = self.activity();
            for _ in 0..ROUNDS {
                tokio::task::yield_now().await;
            }
            if let Some((at, end)) = self.disk_ends
                && self.at.disk.operations() >= at
            {
                return Some(end);
            }
            if self.activity() == before {
                break;
            }
        }
        self.at.collect_answers();
        None
    }

    fn activity(&self) -> (u64, u64) {
        (held(&self.at.systems).calls, self.at.disk.operations())
    }

    pub(crate) fn say(&mut self, what: String) {
        self.at.acts.push(what);
    }

    pub(crate) fn wrong(&mut self, what: String) {
        self.at.wrong.push(what);
    }

    async fn act(&mut self, engine: &Engine) -> Result<()> {
        match self.at.entropy.below(103) {
            0..30 => {
                self.at.clock.advance_to_next();
            }
            30..38 => {
                let seconds = self.at.entropy.next_u64() % 600;
                self.at.clock.advance(Duration::from_secs(seconds));
            }
            38..40 => self.at.clock.advance(Duration::from_secs(3600 * 5)),
            40..65 => self.new_events(engine),
            65..72 => self.resend(engine),
            72..74 => self.tamper(engine).await,
            74..78 => self.operate(engine, false).await?,
            78 => self.replay(engine).await,
            79 => self.post_again(engine).await?,
            80..83 => self.fill_crosswalk(engine).await,
            83..85 => self.pause(engine).await,
            85 => self.reload(engine).await?,
            86..89 => self.light_fuse(),
            89..92 => self.end_at_the_disk(),
            92..95 => self.change_weather(),
            95..97 => self.block(),
            97..98 => {
                let most = if self.at.entropy.chance(200) {
                    86_400
                } else {
                    3600
                };
                let seconds =
                    i64::try_from(self.at.entropy.next_u64() % (2 * most))? - i64::try_from(most)?;
                let to = self
                    .at
                    .clock
                    .now()
                    .saturating_add(SignedDuration::from_secs(seconds))?;
                self.say(format!("the clock is set by {seconds} s"));
                self.at.clock.set(to);
            }
            98..101 => self.poll_in_peril(),
            _ => {
                let faults = [
                    None,
                    Some(Fault::SyncFails),
                    Some(Fault::Full(300)),
                    Some(Fault::ReadOnly),
                    None,
                ];
                let fault = self.at.entropy.pick(&faults).copied().flatten();
                self.say(format!("the disk has {fault:?}"));
                self.at.disk.fail(fault);
            }
        }
        Ok(())
    }

    /// The process dies, or the power fails, in the middle of a write or a sync that is not far away.
    fn end_at_the_disk(&mut self) {
        let at = self.at.disk.operations() + 1 + self.at.entropy.next_u64() % 10;
        let end = if self.at.entropy.chance(300) {
            End::Killed
        } else {
            End::Power
        };
        self.at.disk.power_fails_at(at);
        self.disk_ends = Some((at, end));
        self.say(format!("at disk operation {at} it will be {end:?}"));
    }

    /// A poll finds what nobody sends, older and younger than what the next one asks for once more, and it all ends in the
    /// middle of what it writes.
    fn poll_in_peril(&mut self) {
        self.leave_for_the_poll(1);
        self.at.clock.advance(Duration::from_secs(90));
        self.leave_for_the_poll(1);
        self.end_at_the_disk();
        self.at.clock.advance(Duration::from_secs(600));
    }

    fn light_fuse(&mut self) {
        let point = if self.at.entropy.chance(400) {
            Point::BeforeSending
        } else {
            Point::BeforeAnswer
        };
        let fuse = Fuse {
            point,
            requests: self.at.entropy.next_u64() % 6,
        };
        self.say(format!("{fuse:?}"));
        self.network.light(Some(fuse));
    }

    fn change_weather(&mut self) {
        let entropy = &mut self.at.entropy;
        let mut systems = held(&self.at.systems);
        let hub = entropy.chance(300);
        if hub {
            systems.hub_away = !systems.hub_away;
        } else if systems.weather.mode == Mode::Down || entropy.chance(300) {
            systems.weather.away = !systems.weather.away;
        }
        let line = format!(
            "hub away: {}, ledger away: {}",
            systems.hub_away, systems.weather.away
        );
        drop(systems);
        self.say(line);
    }

    fn block(&mut self) {
        let account = format!("A{}", self.at.entropy.below(ACCOUNTS));
        let blocked = self.at.entropy.chance(500);
        self.say(format!("account {account} is blocked: {blocked}"));
        held(&self.at.systems).block(&account, blocked);
    }

    /// Everything works from now on; it must all come to an end.
    async fn finish(&mut self, engine: &Engine) -> Result<End> {
        {
            let mut systems = held(&self.at.systems);
            systems.weather.clear = true;
            systems.weather.away = false;
            systems.hub_away = false;
            for number in 0..ACCOUNTS {
                systems.block(&format!("A{number}"), false);
            }
        }
        self.at.disk.fail(None);
        for connection in ["ledgerd", "payhub"] {
            let connection = ConnectionId::new(connection);
            engine
                .execute(Command::Resume {
                    connection,
                    act: act(),
                })
                .await;
        }
        for number in 0..ACCOUNTS {
            self.open_account(engine, format!("A{number}")).await;
        }
        for _ in 0..TURNS_MAX {
            self.quiet().await;
            let unsent = std::mem::take(&mut self.at.unsent);
            for batch in unsent.chunks(40) {
                self.send(engine, batch.to_vec());
            }
            self.quiet().await;
            self.operate(engine, true).await?;
            self.quiet().await;
            let deliveries = all(self.store).await?;
            let events = held(&self.at.systems).events.len();
            let ended = deliveries
                .iter()
                .all(|delivery| delivery.state.kind().is_terminal());
            if ended
                && deliveries.len() >= events
                && self.at.unsent.is_empty()
                && self.at.out.is_empty()
            {
                self.stop(engine).await;
                return Ok(End::Stopped);
            }
            if !self.at.clock.advance_to_next() {
                self.at.clock.advance(Duration::from_secs(60));
            }
            let now = self.at.clock.now();
            held(&self.at.systems).tick(now);
        }
        let deliveries = all(self.store).await?;
        let missing: Vec<String> = {
            let systems = held(&self.at.systems);
            let known = |event: &&Event| !deliveries.iter().any(|one| one.event_id == event.id);
            let missing = systems.events.iter().filter(known);
            missing
                .map(|event| format!("{} was never taken, listed: {}", event.id, event.listed))
                .collect()
        };
        self.at.wrong.extend(missing);
        for delivery in deliveries {
            if !delivery.state.kind().is_terminal() {
                self.wrong(format!(
                    "{} is stuck: {:?}",
                    delivery.event_id, delivery.state
                ));
            }
        }
        self.wrong(format!(
            "it does not come to an end by {}",
            self.at.clock.now()
        ));
        Ok(End::Killed)
    }
}
