//! GoCardless in a demonstration: the simulator behind its port, its sender, and what has become of its events. Every
//! pairing whose source it is shares this.

use super::{Account, Error, Options, Tally};
use crate::gocardless::{self, Access, Endpoint, Kind, Sending};
use crate::serve::{Server, lock};
use crate::webhooks::{Delivery, Sender};
use bytes::Bytes;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, Method};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOKEN: &str = "sandbox_demo_token";
const WEBHOOK_SECRET: &str = "ED7D658C-DEMO-4941-948B-3973214F2D49";

/// The collector of one demonstration.
#[derive(Debug)]
pub(super) struct Collector {
    /// The system itself.
    pub(super) simulator: Arc<Mutex<gocardless::Simulator>>,
    server: Server,
    sender: Option<Sender>,
}

/// A simulator with one merchant and a token, not behind a port yet: set it up first.
pub(super) fn simulator(options: &Options, now: Timestamp) -> gocardless::Simulator {
    let settings = gocardless::Settings {
        tokens: BTreeMap::from([(TOKEN.to_owned(), Access::ReadWrite)]),
        // The demonstration squeezes days into seconds.
        calls_per_minute: 1_000_000,
        webhook_retry_gaps: vec![options.retry_gap; 1000],
        ..gocardless::Settings::default()
    };
    gocardless::Simulator::new(settings, options.seed, now)
}

impl Collector {
    /// Puts it behind a port. What happened before is history: the engine's webhook did not exist yet.
    pub(super) async fn start(mut simulator: gocardless::Simulator) -> Result<Self, Error> {
        simulator.forget_unsent();
        let simulator = Arc::new(Mutex::new(simulator));
        Ok(Self {
            server: Server::start(simulator.clone())
                .await
                .map_err(Error::Listen)?,
            simulator,
            sender: None,
        })
    }

    /// The connection `gocardless` of a site file, indented to stand under `connections:`.
    pub(super) fn connection(&self) -> String {
        format!(
            "\x20 gocardless:\n\
             \x20   connector: gocardless\n\
             \x20   settings: {{ environment: sandbox, base_url: \"{}\" }}\n\
             \x20   secrets: {{ access_token: gocardless/token, webhook_secret: [gocardless/hook] }}\n\
             \x20   rate_limit: {{ requests: 1000000, per: 1m }}\n",
            self.server.url()
        )
    }

    /// The connection's secrets.
    pub(super) fn secrets() -> [(&'static str, String); 2] {
        [
            ("gocardless/token", TOKEN.to_owned()),
            ("gocardless/hook", WEBHOOK_SECRET.to_owned()),
        ]
    }

    /// Begins sending to the engine at this address.
    pub(super) fn send_to(&mut self, engine: &str) {
        let mut simulator = lock(&self.simulator);
        simulator.clear_endpoints();
        simulator.add_endpoint(Endpoint {
            url: format!("{engine}/webhooks/gocardless"),
            secret: WEBHOOK_SECRET.to_owned(),
        });
        drop(simulator);
        if self.sender.is_none() {
            self.sender = Some(Sender::start(self.simulator.clone(), 4));
        }
    }

    /// Makes requests of the events that have happened: in no order, some of them twice.
    pub(super) fn announce(&self, options: &Options, now: Timestamp) {
        let sending = Sending {
            batch: options.batch,
            shuffled: true,
            twice_per_mille: options.twice_per_mille,
        };
        lock(&self.simulator).make_webhooks(&sending, now);
    }

    /// A request that must be refused: changed on the way, signed with a wrong secret, or not signed at all. It carries an
    /// event of its own, which must leave no trace.
    pub(super) fn forge(
        &self,
        (resource, action): (&str, &str),
        number: u64,
        now: Timestamp,
    ) -> Option<Delivery> {
        let delivery = lock(&self.simulator).forge_webhook(resource, action, now)?;
        Some(match number % 3 {
            0 => delivery.tampered(),
            1 => delivery.with_wrong_signature(),
            _ => delivery.with_signature(None),
        })
    }

    /// How far what it sends is.
    pub(super) fn tally(&self) -> Tally {
        let counts = self.sender.as_ref().map(Sender::counts).unwrap_or_default();
        let waits = lock(&self.simulator).next_webhook_at().is_some();
        Tally {
            accepted: counts.accepted,
            unanswered: counts.sent - counts.accepted,
            quiet: !waits && counts.in_flight == 0,
            ..Tally::default()
        }
    }

    /// The same, where more than that is waited for.
    pub(super) fn tally_if(&self, ready: bool) -> Tally {
        let tally = self.tally();
        Tally {
            quiet: tally.quiet && ready,
            ..tally
        }
    }

    /// Different events that were taken, and how many were sent again.
    pub(super) fn account(&self) -> Account {
        let simulator = lock(&self.simulator);
        let webhooks = simulator.ids(Kind::Webhooks).into_iter();
        let webhooks = webhooks.filter_map(|id| simulator.resource(Kind::Webhooks, &id));
        let mut seen = BTreeSet::new();
        let mut duplicate = 0;
        for webhook in webhooks.filter(|own| own["successful"] == true) {
            let body = webhook["request_body"].as_str().unwrap_or_default();
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            for event in body["events"].as_array().into_iter().flatten() {
                duplicate += u64::from(!seen.insert(event["id"].to_string()));
            }
        }
        Account {
            received: seen.len() as u64,
            duplicate,
            ..Account::default()
        }
    }

    /// Closes its port and the target's.
    pub(super) async fn stop_with(self, target: Server) {
        if let Some(sender) = self.sender {
            sender.stop().await;
        }
        self.server.stop().await;
        target.stop().await;
    }
}

/// A call of the API as any program with the token makes it, e.g. the dashboard. Gives what it answers; `None` if it refuses.
pub(super) fn ask(
    simulator: &mut gocardless::Simulator,
    (method, path): (Method, &str),
    body: &Value,
    now: Timestamp,
) -> Option<Value> {
    let headers = [
        ("Authorization", format!("Bearer {TOKEN}")),
        ("GoCardless-Version", "2015-07-06".to_owned()),
        ("Content-Type", "application/json".to_owned()),
    ];
    let request = HttpRequest {
        method,
        url: format!("http://collector{path}"),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        body: Bytes::from(body.to_string()),
        timeout: Duration::MAX,
    };
    let reply = simulator.handle(&request, now);
    let answer = reply.answer().filter(|answer| answer.status < 300)?;
    serde_json::from_slice(&answer.body).ok()
}
