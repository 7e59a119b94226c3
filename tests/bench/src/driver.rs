//! The sender: signed webhooks of generated events, some twice, some tampered with, resent until acknowledged.

use anyhow::{Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use ml_connector_simulators::webhooks::sign;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// The webhook secret of every bench site.
pub(crate) const SECRET: &str = "bench-hook-secret";

/// One webhook as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    body: Bytes,
    signature: String,
    /// Whether it must be refused.
    pub(crate) tampered: bool,
}

/// What the sender saw.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) acknowledged: usize,
    pub(crate) refused: usize,
    pub(crate) resent: usize,
    /// Time to the acknowledgement, one for each acknowledged webhook.
    pub(crate) latencies: Vec<Duration>,
}

impl Sent {
    /// The latency that this share of webhooks stayed below.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into at most a few thousand measurements"
        )]
        let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or_default()
    }
}

/// The id of event number `n`.
pub(crate) fn event_id(n: usize) -> String {
    format!("EV{n:010}")
}

/// Events of one payment lie so far apart. Both are in the same webhook, so their order is certain.
const APART: usize = 125;

/// The payment of event number `n`, which orders it: the first and the second event of each.
const fn payment(n: usize) -> usize {
    n / (2 * APART) * APART + n % APART
}

/// The event of the same payment that goes before event number `n`, if there is one in a webhook of the full size.
pub(crate) fn before(n: usize) -> Option<usize> {
    let first = n.checked_sub(APART)?;
    (payment(first) == payment(n)).then_some(first)
}

/// The amount of event number `n` in minor units, never round, so that a lost digit shows.
pub(crate) const fn amount(n: usize) -> usize {
    1010 + (n * 37) % 999_983
}

/// The amount as the sink must see it.
pub(crate) fn amount_text(n: usize) -> String {
    let minor = amount(n);
    format!("{}.{:02}", minor / 100, minor % 100)
}

/// `count` webhooks of `batch` events each, about 600 bytes an event.
pub(crate) fn webhooks(first: usize, count: usize, batch: usize) -> Vec<Webhook> {
    (0..count)
        .map(|index| webhook(first + index * batch, batch))
        .collect()
}

fn webhook(first: usize, batch: usize) -> Webhook {
    let mut body = String::with_capacity(batch * 640);
    body.push_str(r#"{"events":["#);
    for n in first..first + batch {
        if n > first {
            body.push(',');
        }
        let id = event_id(n);
        body.push_str(&format!(
            concat!(
                r#"{{"id":"{}","created_at":"2026-03-16T08:47:21.630Z","resource_type":"payments","#,
                r#""action":"confirmed","links":{{"payment":"PM{:010}","mandate":"MD{:08}"}},"#,
                r#""details":{{"origin":"gateway","cause":"payment_confirmed","amount":{},"currency":"GBP","#,
                r#""description":"Enough time has passed since the payment was submitted for the banks to return "#,
                r#"an error, so this payment is now confirmed, and will be part of the next transfer."}},"#,
                r#""metadata":{{}},"resource_metadata":{{"invoice":"INV-{:08}","note":"{}"}}}}"#
            ),
            id,
            payment(n),
            n % 5000,
            amount(n),
            n,
            "x".repeat(120),
        ));
    }
    body.push_str(r#"],"meta":{"webhook_id":"WB000000"}}"#);
    let signature = sign(SECRET, body.as_bytes());
    Webhook {
        body: Bytes::from(body),
        signature,
        tampered: false,
    }
}

impl Webhook {
    /// The same body under a signature that is not its own.
    pub(crate) fn tampered_with(&self) -> Self {
        Self {
            body: self.body.clone(),
            signature: sign(SECRET, b"another body"),
            tampered: true,
        }
    }

    /// Bytes of the body.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body
    }
}

/// Sends everything over `connections` connections, resending the same bytes until they are acknowledged or refused.
///
/// # Errors
/// If a tampered webhook is acknowledged, a genuine one refused, or nothing gets through for a minute.
pub(crate) async fn send(
    address: impl Fn() -> SocketAddr + Send + Sync + 'static,
    webhooks: Vec<Webhook>,
    connections: usize,
) -> Result<Sent> {
    let address = Arc::new(address);
    let queue = Arc::new(Mutex::new(VecDeque::from(webhooks)));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(sender(Arc::clone(&address), Arc::clone(&queue)));
    }
    let mut total = Sent::default();
    while let Some(done) = tasks.join_next().await {
        let sent = done??;
        total.acknowledged += sent.acknowledged;
        total.refused += sent.refused;
        total.resent += sent.resent;
        total.latencies.extend(sent.latencies);
    }
    Ok(total)
}

async fn sender(
    address: Arc<impl Fn() -> SocketAddr>,
    queue: Arc<Mutex<VecDeque<Webhook>>>,
) -> Result<Sent> {
    let mut sent = Sent::default();
    let mut connection: Option<SendRequest<Full<Bytes>>> = None;
    loop {
        let next = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(webhook) = next else { return Ok(sent) };
        #[expect(clippy::disallowed_methods, reason = "this program measures real time")]
        let started = Instant::now();
        loop {
            #[expect(clippy::disallowed_methods, reason = "this program measures real time")]
            let attempt = Instant::now();
            match post(&mut connection, address(), &webhook).await {
                Some(202) if !webhook.tampered => {
                    sent.acknowledged += 1;
                    sent.latencies.push(attempt.elapsed());
                    break;
                }
                Some(401) if webhook.tampered => {
                    sent.refused += 1;
                    break;
                }
                Some(202) => bail!("a tampered webhook was acknowledged"),
                Some(status @ 400..=499) => bail!("a webhook got {status}"),
                Some(_) | None => {
                    sent.resent += 1;
                    if started.elapsed() > Duration::from_secs(60) {
                        bail!("nothing gets through for a minute");
                    }
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "the sender waits before it resends"
                    )]
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

/// One try; `None` for no answer within the sender's ten seconds.
async fn post(
    connection: &mut Option<SendRequest<Full<Bytes>>>,
    address: SocketAddr,
    webhook: &Webhook,
) -> Option<u16> {
    if connection.as_ref().is_none_or(SendRequest::is_closed) {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .ok()?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the connection's own driver; it ends with the connection"
        )]
        tokio::spawn(driver);
        *connection = Some(sender);
    }
    let request = Request::post("/webhooks/payhub")
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .header("webhook-signature", &webhook.signature)
        .body(Full::new(webhook.body.clone()))
        .ok()?;
    let sender = connection.as_mut()?;
    let exchange = async {
        sender.ready().await.ok()?;
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        response.into_body().collect().await.ok()?;
        Some(status)
    };
    let status = tokio::time::timeout(Duration::from_secs(10), exchange)
        .await
        .ok()
        .flatten();
    if status.is_none() {
        *connection = None;
    }
    status
}
