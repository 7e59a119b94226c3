//! The four seams through which the outside world comes in. A fifth needs an ADR.

use async_trait::async_trait;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, SendError};
use ml_connector_core::identity::ConnectionId;
pub use ml_connector_store::vault::Secret;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What time it is, and waiting for a time.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
    /// Returns once `now` has reached `until`; at once if it has already.
    async fn sleep_until(&self, until: Timestamp);
}

/// Evenly drawn numbers, for the jitter of retries.
pub trait Entropy: fmt::Debug + Send + Sync {
    /// The next number.
    fn draw(&self) -> u64;
}

/// One request on its way out.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The connection it is sent for; a transport may hold trust anchors by connection.
    pub connection: &'a ConnectionId,
    /// What is sent, once.
    pub request: HttpRequest,
    /// The longest answer body that is read, in bytes.
    pub answer_bytes_max: u64,
}

/// The one way out. An implementation sends a request at most once: it follows no redirect and
/// repeats nothing.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends, and reads the whole answer.
    ///
    /// # Errors
    /// [`SendError::NotSent`] only if certainly no byte of the request reached the other side;
    /// [`SendError::Unknown`] for everything after that: time-out, connection cut, an answer that
    /// is too long.
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<HttpResponse, SendError>;
}

/// Where secret values come from: the vault, or a fixed table in tests.
pub trait SecretSource: fmt::Debug + Send + Sync {
    /// The value stored under a name of the vault.
    ///
    /// # Errors
    /// If there is none, or the vault cannot be read.
    fn get(&self, name: &str) -> Result<Secret, SecretError>;

    /// Stores a value durably before it returns: a refresh token that the other side has rotated
    /// must not be lost.
    ///
    /// # Errors
    /// If it could not be made durable.
    fn put(&self, name: &str, value: &Secret) -> Result<(), SecretError>;

    /// Takes the turn to change a secret that its system rotates, so that nobody else, in this
    /// process or another, uses up the same value meanwhile. `None` while somebody has it. Whoever
    /// gets it sees from then on what was stored before.
    ///
    /// # Errors
    /// If it cannot be told whose turn it is.
    fn try_turn(&self, name: &str) -> Result<Option<SecretTurn>, SecretError>;

    /// Grows whenever a value may have changed, so that values can be kept between calls.
    fn version(&self) -> u64;
}

/// The turn to change a secret. It ends when this is dropped, and with the process.
pub struct SecretTurn(
    #[expect(dead_code, reason = "held for its drop alone")] Box<dyn Send + Sync>,
);

impl SecretTurn {
    /// A turn that lasts as long as `held` does.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for SecretTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretTurn")
    }
}

/// Why there is no secret value. Names only, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No value under this name.
    #[error("there is no secret `{0}` in the vault")]
    Missing(String),
    /// The vault fails.
    #[error("cannot use the vault for `{name}`: {why}")]
    Vault {
        /// Which secret.
        name: String,
        /// What failed.
        why: String,
    },
}

/// The outside world as one engine sees it.
#[derive(Debug, Clone)]
pub struct Seams {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub entropy: Arc<dyn Entropy>,
    /// Sending.
    pub transport: Arc<dyn Transport>,
    /// Secrets.
    pub secrets: Arc<dyn SecretSource>,
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// A sleep is cut into pieces of this length, so that a wall clock that is set forward (or a
    /// machine that was suspended) does not leave retries waiting by the old time.
    const LONGEST_NAP: Duration = Duration::from_secs(30);
}

#[async_trait]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the machine for the time"
)]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        loop {
            let Ok(left) = Duration::try_from(until.duration_since(self.now())) else {
                return;
            };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Self::LONGEST_NAP)).await;
        }
    }
}

/// The operating system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn draw(&self) -> u64 {
        // Jitter only spreads load. Should the system have no random numbers to give, the full wait
        // is the safe choice.
        getrandom::u64().unwrap_or(u64::MAX)
    }
}
