//! Puts the systems' webhooks on the wire, and again until they are taken (GC 4.2, PX 6.5).
//!
//! Every delivery gets a connection of its own, so that nothing but the receiver decides whether it arrived. Redirects
//! are not followed. Ten seconds without a complete answer are a failure.

use crate::gocardless::{self, EVENTS_MAX};
use crate::serve::{Clock, lock, pause, wall_clock};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::body::{Body, Frame};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use ml_connector_core::hex;
use sha2::Sha256;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How most vendors sign a body: `lowercase_hex(HMAC_SHA256(secret as UTF-8, body))` (GC 4.1).
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    mac.map(|mac| hex::of(&mac.chain_update(body).finalize().into_bytes()))
        .unwrap_or_default()
}

/// One request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `WB…`, the delivery, also in the body's `meta`.
    pub id: String,
    /// Address.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The bytes that were signed.
    pub body: Bytes,
    /// 1 for the first try.
    pub attempt: usize,
    /// How many events the body carries.
    pub events: usize,
}

/// Why a delivery was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// An answer that is not 2xx; redirects count as failures (GC 4.2).
    Status(u16),
    /// No answer within ten seconds, or no connection (GC 4.2).
    NoAnswer,
}

/// A system that has webhooks to send.
pub trait Outgoing: Send + 'static {
    /// Takes up to so many requests whose time has come. Each must be reported with [`Outgoing::webhook_answered`].
    fn take_due_webhooks(&mut self, most: usize, now: Timestamp) -> Vec<Delivery>;

    /// When the next request is due; `None` if none waits.
    fn next_webhook_at(&self) -> Option<Timestamp>;

    /// Notes how a delivery went, and plans its repeat.
    fn webhook_answered(
        &mut self,
        delivery: Delivery,
        outcome: Result<u16, Failure>,
        now: Timestamp,
    );
}

/// How long the vendor waits for an answer (GC 4.2).
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// How often the sender looks for requests that have come due.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What the sender has seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests put on the wire, repeats included.
    pub sent: u64,
    /// Requests answered with 2xx.
    pub accepted: u64,
    /// Events in those requests.
    pub events_accepted: u64,
    /// Answered with 4xx.
    pub refused: u64,
    /// Answered with 5xx.
    pub unavailable: u64,
    /// Not answered.
    pub unanswered: u64,
    /// Requests on their way now.
    pub in_flight: u64,
}

/// Sends due webhooks of one simulator in the background.
#[derive(Debug)]
pub struct Sender<S: Outgoing = gocardless::Simulator> {
    counts: watch::Receiver<Counts>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    simulator: Arc<Mutex<S>>,
}

impl<S: Outgoing> Sender<S> {
    /// Starts sending up to so many requests at a time.
    pub fn start(simulator: Arc<Mutex<S>>, concurrency: usize) -> Self {
        Self::start_with(simulator, concurrency, wall_clock())
    }

    /// Starts sending, with this clock deciding what is due.
    pub fn start_with(simulator: Arc<Mutex<S>>, concurrency: usize, clock: Clock) -> Self {
        let (publish, counts) = watch::channel(Counts::default());
        let (stop, stopped) = watch::channel(false);
        let run = send_all(
            simulator.clone(),
            concurrency.max(1),
            clock,
            publish,
            stopped,
        );
        #[expect(clippy::disallowed_methods, reason = "ended by `stop` and drop")]
        let task = tokio::spawn(run);
        Self {
            counts,
            stop,
            task,
            simulator,
        }
    }

    /// What was sent so far.
    pub fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Waits until nothing is on its way and nothing waits, also not for a repeat.
    pub async fn drained(&self) {
        let mut counts = self.counts.clone();
        loop {
            let waits = lock(&self.simulator).next_webhook_at().is_some();
            if !waits && counts.borrow().in_flight == 0 {
                return;
            }
            tokio::select! {
                changed = counts.changed() => if changed.is_err() { return },
                () = pause(LOOK_EVERY) => {}
            }
        }
    }

    /// Stops; requests on their way are cut off.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        (&mut self.task).await.ok();
    }
}

impl<S: Outgoing> Drop for Sender<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send_all<S: Outgoing>(
    simulator: Arc<Mutex<S>>,
    concurrency: usize,
    clock: Clock,
    publish: watch::Sender<Counts>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut running = JoinSet::new();
    loop {
        let free = concurrency.saturating_sub(running.len());
        let due = if free > 0 {
            let mut simulator = lock(&simulator);
            let due = simulator.take_due_webhooks(free, clock());
            // Counted under the lock: otherwise there would be a moment in which nothing waits and nothing runs.
            publish.send_modify(|counts| {
                counts.sent += due.len() as u64;
                counts.in_flight += due.len() as u64;
            });
            due
        } else {
            Vec::new()
        };
        for delivery in due {
            running.spawn(async move {
                let outcome = deliver(&delivery, TIMEOUT).await;
                (delivery, outcome)
            });
        }
        tokio::select! {
            _ = stopped.changed() => return,
            Some(done) = running.join_next(), if !running.is_empty() => {
                let Ok((delivery, outcome)) = done else { continue };
                let events = delivery.events as u64;
                let mut simulator = lock(&simulator);
                simulator.webhook_answered(delivery, outcome, clock());
                publish.send_modify(|counts| note(counts, outcome, events));
            }
            () = pause(LOOK_EVERY), if free > 0 => {}
        }
    }
}

fn note(counts: &mut Counts, outcome: Result<u16, Failure>, events: u64) {
    counts.in_flight -= 1;
    match outcome {
        Ok(200..=299) => {
            counts.accepted += 1;
            counts.events_accepted += events;
        }
        Ok(status) | Err(Failure::Status(status)) if status < 500 => counts.refused += 1,
        Ok(_) | Err(Failure::Status(_)) => counts.unavailable += 1,
        Err(Failure::NoAnswer) => counts.unanswered += 1,
    }
}

/// Sends one request and gives the status of the answer. Plain `http` only, as the sandbox allows (GC 4.1).
pub async fn deliver(delivery: &Delivery, timeout: Duration) -> Result<u16, Failure> {
    debug_assert!(
        delivery.events <= EVENTS_MAX,
        "a request carries at most {EVENTS_MAX} events"
    );
    match tokio::time::timeout(timeout, exchange(delivery)).await {
        Ok(Some(status)) => Ok(status),
        Ok(None) | Err(_) => Err(Failure::NoAnswer),
    }
}

async fn exchange(delivery: &Delivery) -> Option<u16> {
    let uri: http::Uri = delivery.url.parse().ok()?;
    let authority = uri.authority()?.clone();
    let port = authority.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((authority.host(), port)).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = hyper::Request::post(path).header("Host", authority.as_str());
    for (name, value) in &delivery.headers {
        request = request.header(name, value);
    }
    let request = request.body(Once(Some(delivery.body.clone()))).ok()?;
    let talk = async {
        let response = send.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        // The answer counts once it is complete.
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            frame.ok()?;
        }
        Some(status)
    };
    tokio::pin!(talk);
    tokio::pin!(connection);
    tokio::select! {
        status = &mut talk => status,
        // The peer may close right behind its answer; what it said is still there to be read.
        _ = &mut connection => talk.await,
    }
}

/// A body in one piece.
struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
