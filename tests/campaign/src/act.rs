//! What happens in one life of the engine, drawn from the seed.

use crate::network::{Fuse, Network, Point, held};
use crate::run::{End, GRACE, HOOK, Installation, all};
use crate::systems::Event;
use crate::weather::Mode;
use anyhow::Result;
use axum::body::Body;
use axum::http::Request;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use ml_connector_core::delivery::{Decision, DeliveryState, Receipt, StateKind};
use ml_connector_core::identity::{ConnectionId, CrosswalkId};
use ml_connector_runtime::operator::{Act, Command, Reply};
use ml_connector_runtime::{Clock as _, Engine, StartError};
use ml_connector_store::simulated::Fault;
use ml_connector_store::{CrosswalkEntry, Delivery, Store};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Acts of one life.
const ACTS_MAX: usize = 24;
/// Scheduler rounds in which nothing moves before everything counts as waiting.
const ROUNDS: usize = 48;
/// Turns of the last life, after which what still waits counts as stuck.
const TURNS_MAX: usize = 4000;
/// Accounts in all; the last ones are not in the crosswalk until somebody puts them there.
const ACCOUNTS: usize = 5;
const KINDS: [&str; 6] = ["receipt", "receipt", "keyed", "state", "once", "batch"];
const CURRENCIES: [&str; 4] = ["GBP", "EUR", "JPY", "KWD"];

/// Events on their way, and the status that came back.
type Answers = Arc<Mutex<Vec<(Vec<usize>, u16)>>>;

pub(crate) struct Life<'a> {
    at: &'a mut Installation,
    store: &'a Store,
    network: &'a Network,
    last: bool,
    /// The disk operation at which the power fails.
    power: Option<u64>,
    answers: Answers,
    /// Events sent in this life without an answer yet.
    out: Vec<Vec<usize>>,
}

impl<'a> Life<'a> {
    pub(crate) fn new(
        at: &'a mut Installation,
        store: &'a Store,
        network: &'a Network,
        last: bool,
    ) -> Self {
        Self {
            at,
            store,
            network,
            last,
            power: None,
            answers: Arc::default(),
            out: Vec::new(),
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
        let end = match self.live(&engine).await {
            Ok(end) => end,
            Err(error) => {
                self.wrong(format!("the run cannot go on: {error:#}"));
                End::Killed
            }
        };
        self.lose_answers();
        end
    }

    async fn live(&mut self, engine: &Engine) -> Result<End> {
        if self.last {
            return self.finish(engine).await;
        }
        let acts = 4 + self.at.entropy.below(ACTS_MAX);
        for _ in 0..acts {
            if self.quiet().await {
                return Ok(End::Power);
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
        let stopping = engine.stop(GRACE);
        tokio::pin!(stopping);
        loop {
            let mut rounds = 0;
            while rounds < ROUNDS {
                tokio::select! {
                    biased;
                    _ = &mut stopping => return,
                    () = tokio::task::yield_now() => rounds += 1,
                }
            }
            if !self.at.clock.advance_to_next() {
                self.at.clock.advance(Duration::from_secs(1));
            }
        }
    }

    /// Waits until everything waits. Says whether the power has failed meanwhile.
    async fn quiet(&mut self) -> bool {
        loop {
            let before = self.activity();
            for _ in 0..ROUNDS {
                tokio::task::yield_now().await;
            }
            if self.power.is_some_and(|at| self.at.disk.operations() >= at) {
                return true;
            }
            if self.activity() == before {
                break;
            }
        }
        self.collect_answers();
        false
    }

    fn activity(&self) -> (u64, u64) {
        (held(&self.at.systems).calls, self.at.disk.operations())
    }

    fn say(&mut self, what: String) {
        self.at.acts.push(what);
    }

    fn wrong(&mut self, what: String) {
        self.at.wrong.push(what);
    }

    async fn act(&mut self, engine: &Engine) -> Result<()> {
        match self.at.entropy.below(100) {
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
            74..80 => self.operate(engine, false).await?,
            80..83 => self.fill_crosswalk(engine).await,
            83..86 => self.pause(engine).await,
            86..89 => self.light_fuse(),
            89..92 => {
                let at = self.at.disk.operations() + 1 + self.at.entropy.next_u64() % 10;
                self.at.disk.power_fails_at(at);
                self.power = Some(at);
                self.say(format!("the power will fail at disk operation {at}"));
            }
            92..95 => self.change_weather(),
            95..97 => self.block(),
            97..98 => {
                let seconds = i64::try_from(self.at.entropy.next_u64() % 7200)? - 3600;
                let to = self
                    .at
                    .clock
                    .now()
                    .saturating_add(SignedDuration::from_secs(seconds))?;
                self.say(format!("the clock is set by {seconds} s"));
                self.at.clock.set(to);
            }
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

    /// Events come into being; most are sent at once, some out of order, some are left for the poll.
    fn new_events(&mut self, engine: &Engine) {
        let mut batch = Vec::new();
        for _ in 0..=self.at.entropy.below(5) {
            batch.push(self.new_event());
        }
        if self.at.entropy.chance(100) {
            self.say(format!("events {batch:?} are left for the poll"));
            return;
        }
        if self.at.entropy.chance(200) {
            self.at.entropy.shuffle(&mut batch);
        }
        self.send(engine, batch);
    }

    fn new_event(&mut self) -> usize {
        let at = self.at.hub_now();
        let number = held(&self.at.systems).events.len();
        let entropy = &mut self.at.entropy;
        let receipts: Vec<Event> = {
            let systems = held(&self.at.systems);
            systems
                .events
                .iter()
                .filter(|event| event.kind == "receipt")
                .cloned()
                .collect()
        };
        let reversal = entropy
            .chance(120)
            .then(|| entropy.pick(&receipts).cloned())
            .flatten();
        let event = match reversal {
            Some(receipt) => Event {
                id: format!("EV{number}"),
                kind: "reversal",
                of: Some(receipt.id.clone()),
                at,
                ..receipt
            },
            None => Event {
                id: format!("EV{number}"),
                kind: entropy.pick(&KINDS).copied().unwrap_or("receipt"),
                account: format!("A{}", entropy.below(ACCOUNTS)),
                amount: i64::try_from(entropy.next_u64() % 100_000).unwrap_or(1),
                currency: entropy.pick(&CURRENCIES).copied().unwrap_or("GBP"),
                of: None,
                at,
            },
        };
        held(&self.at.systems).events.push(event);
        number
    }

    fn send(&mut self, engine: &Engine, batch: Vec<usize>) {
        if batch.is_empty() {
            return;
        }
        let body = self.body(&batch);
        self.say(format!("{} sends {batch:?}", self.at.clock.now()));
        let request = signed(&body, HOOK);
        self.out.push(batch.clone());
        let (engine, answers) = (engine.clone(), Arc::clone(&self.answers));
        #[expect(
            clippy::disallowed_methods,
            reason = "the sender is a program of its own; it ends with the runtime"
        )]
        tokio::spawn(async move {
            let status = engine.receive(request).await.as_u16();
            held(&answers).push((batch, status));
        });
    }

    fn body(&self, batch: &[usize]) -> String {
        let systems = held(&self.at.systems);
        let events: Vec<Value> = batch
            .iter()
            .filter_map(|index| systems.events.get(*index).map(Event::document))
            .collect();
        json!({ "events": events }).to_string()
    }

    /// What a sender without an answer does, and what a sender does that has forgotten that it had one.
    fn resend(&mut self, engine: &Engine) {
        let batch = if self.at.unsent.is_empty() || self.at.entropy.chance(300) {
            let known = held(&self.at.systems).events.len();
            (0..3)
                .map(|_| self.at.entropy.below(known))
                .filter(|index| *index < known)
                .collect()
        } else {
            let many = self.at.unsent.len().min(40);
            self.at.unsent.drain(..many).collect()
        };
        self.send(engine, batch);
    }

    async fn tamper(&mut self, engine: &Engine) {
        let event = json!({ "events": [{ "id": "EVIL", "at": "2026-03-16T08:00:00Z", "kind": "receipt",
            "account": "A0", "amount": 1, "currency": "GBP" }] });
        let status = engine
            .receive(signed(&event.to_string(), "another-secret"))
            .await;
        if status != 401 {
            self.wrong(format!("a tampered webhook was answered with {status}"));
        }
    }

    fn collect_answers(&mut self) {
        let answers = std::mem::take(&mut *held(&self.answers));
        for (batch, status) in answers {
            if let Some(at) = self.out.iter().position(|one| *one == batch) {
                self.out.remove(at);
            }
            match status {
                202 => {
                    let ids: Vec<String> = {
                        let systems = held(&self.at.systems);
                        batch
                            .iter()
                            .filter_map(|index| Some(systems.events.get(*index)?.id.clone()))
                            .collect()
                    };
                    self.at.acknowledged.extend(ids);
                }
                500..600 => self.at.unsent.extend(batch),
                status => self.wrong(format!("a genuine webhook was answered with {status}")),
            }
        }
    }

    /// The process is gone; the senders that wait for it will try again.
    fn lose_answers(&mut self) {
        self.collect_answers();
        for batch in std::mem::take(&mut self.out) {
            self.at.unsent.extend(batch);
        }
    }

    /// An operator looks at what is held and decides by what really stands in the ledger.
    async fn operate(&mut self, engine: &Engine, diligent: bool) -> Result<()> {
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
    fn waits_in_vain(&self, delivery: &Delivery, deliveries: &[Delivery]) -> bool {
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

    fn truth(&self, delivery: &Delivery) -> Decision {
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

    async fn fill_crosswalk(&mut self, engine: &Engine) {
        let account = format!("A{}", self.at.entropy.below(ACCOUNTS));
        self.set_account(engine, account).await;
    }

    async fn set_account(&mut self, engine: &Engine, account: String) {
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

    async fn pause(&mut self, engine: &Engine) {
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
            self.set_account(engine, format!("A{number}")).await;
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
                && self.out.is_empty()
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
        for delivery in all(self.store).await? {
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

fn act() -> Act {
    Act {
        actor: "campaign".to_owned(),
        reason: "drawn from the seed".to_owned(),
    }
}

fn signed(body: &str, secret: &str) -> Request<Body> {
    let mut signature = String::new();
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(body.as_bytes());
        for byte in mac.finalize().into_bytes() {
            // Writing into a text cannot fail.
            write!(signature, "{byte:02x}").ok();
        }
    }
    let mut request = Request::new(Body::from(body.to_owned()));
    *request.method_mut() = axum::http::Method::POST;
    *request.uri_mut() = axum::http::Uri::from_static("/webhooks/payhub");
    let headers = request.headers_mut();
    headers.insert(
        "content-type",
        axum::http::HeaderValue::from_static("application/json"),
    );
    if let Ok(signature) = axum::http::HeaderValue::from_str(&signature) {
        headers.insert("signature", signature);
    }
    request
}
