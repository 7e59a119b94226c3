//! The senders: what they make, what they send again, and what they do without an answer.

use crate::act::Life;
use crate::network::held;
use crate::run::{HOOK, Installation};
use crate::systems::Event;
use axum::body::Body;
use axum::http::Request;
use ml_connector_runtime::{Clock as _, Engine};
use ml_connector_simulators::webhooks::sign;
use serde_json::{Value, json};
use std::sync::Arc;

/// Accounts in all; the last ones are not in the crosswalk until somebody puts them there.
pub(crate) const ACCOUNTS: usize = 5;
const KINDS: [&str; 7] = [
    "receipt", "receipt", "keyed", "state", "once", "batch", "part",
];
const CURRENCIES: [&str; 4] = ["GBP", "EUR", "JPY", "KWD"];

impl Life<'_> {
    /// Events come into being; most are sent at once, some out of order, some are left for the poll.
    pub(crate) fn new_events(&mut self, engine: &Engine) {
        let many = 1 + self.at.entropy.below(5);
        if self.at.entropy.chance(100) {
            self.leave_for_the_poll(many);
            return;
        }
        let mut batch: Vec<usize> = (0..many).map(|_| self.new_event()).collect();
        if self.at.entropy.chance(200) {
            self.at.entropy.shuffle(&mut batch);
        }
        self.send(engine, batch);
    }

    /// Events that nobody sends.
    pub(crate) fn leave_for_the_poll(&mut self, many: usize) {
        let batch: Vec<usize> = (0..many).map(|_| self.new_event()).collect();
        self.say(format!("events {batch:?} are left for the poll"));
        let mut systems = held(&self.at.systems);
        for index in batch {
            if let Some(event) = systems.events.get_mut(index) {
                event.listed = true;
            }
        }
    }

    pub(crate) fn new_event(&mut self) -> usize {
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
                listed: entropy.chance(600),
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
                listed: entropy.chance(600),
            },
        };
        held(&self.at.systems).events.push(event);
        number
    }

    pub(crate) fn send(&mut self, engine: &Engine, batch: Vec<usize>) {
        if batch.is_empty() {
            return;
        }
        let body = self.body(&batch);
        self.say(format!("{} sends {batch:?}", self.at.clock.now()));
        let request = signed(&body, HOOK);
        self.at.out.push(batch.clone());
        let (engine, answers) = (engine.clone(), Arc::clone(&self.at.answers));
        #[expect(
            clippy::disallowed_methods,
            reason = "the sender is a program of its own; it ends with the runtime"
        )]
        tokio::spawn(async move {
            let status = engine.receive(request).await.as_u16();
            held(&answers).push((batch, status));
        });
    }

    pub(crate) fn body(&self, batch: &[usize]) -> String {
        let systems = held(&self.at.systems);
        let events: Vec<Value> = batch
            .iter()
            .filter_map(|index| systems.events.get(*index).map(Event::document))
            .collect();
        json!({ "events": events }).to_string()
    }

    /// What a sender without an answer does, and what a sender does that has forgotten that it had one.
    pub(crate) fn resend(&mut self, engine: &Engine) {
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

    pub(crate) async fn tamper(&mut self, engine: &Engine) {
        let event = json!({ "events": [{ "id": "EVIL", "at": "2026-03-16T08:00:00Z", "kind": "receipt",
            "account": "A0", "amount": 1, "currency": "GBP" }] });
        let status = engine
            .receive(signed(&event.to_string(), "another-secret"))
            .await;
        if status != 401 {
            self.wrong(format!("a tampered webhook was answered with {status}"));
        }
    }
}

impl Installation {
    pub(crate) fn collect_answers(&mut self) {
        let answers = std::mem::take(&mut *held(&self.answers));
        for (batch, status) in answers {
            if let Some(at) = self.out.iter().position(|one| *one == batch) {
                self.out.remove(at);
            }
            match status {
                202 => {
                    let ids: Vec<String> = {
                        let systems = held(&self.systems);
                        batch
                            .iter()
                            .filter_map(|index| Some(systems.events.get(*index)?.id.clone()))
                            .collect()
                    };
                    self.acknowledged.extend(ids);
                }
                500..600 => self.unsent.extend(batch),
                status => self
                    .wrong
                    .push(format!("a genuine webhook was answered with {status}")),
            }
        }
    }

    /// The process is gone; the senders that wait for it will try again.
    pub(crate) fn lose_answers(&mut self) {
        self.collect_answers();
        for batch in std::mem::take(&mut self.out) {
            self.unsent.extend(batch);
        }
    }
}

fn signed(body: &str, secret: &str) -> Request<Body> {
    let signature = sign(secret, body.as_bytes());
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
