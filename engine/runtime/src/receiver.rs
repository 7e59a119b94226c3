//! Webhooks: raw bytes in, verified before anything reads them, one commit, then the answer.
//!
//! # What is promised
//! - Nothing is parsed before its signature has matched, and nothing of a refused request is
//!   stored.
//! - The accepting status goes out after the commit. When the store cannot commit, or the engine is
//!   stopping, the sender gets 503 with `Retry-After` and still has the event.
//! - Memory is bounded: by the trigger's body limit for one request, by [`BUFFERED_KIB_MAX`] for
//!   all.

use crate::connection::Links;
use crate::context::{Context, LogGate};
use crate::generation::Generation;
use crate::intake::Router;
use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use ml_connector_core::hex;
use ml_connector_core::identity::{ConnectionId, StreamId};
use ml_connector_core::plan::{Connection, Trigger, TriggerKind, Webhook};
use ml_connector_core::protocol::{self, WebhookError};
use ml_connector_store::{Accepted, Intake, IntakeEvent, Origin, off_thread};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Body bytes held by all requests together, in KiB.
const BUFFERED_KIB_MAX: u32 = 64 * 1024;
/// A body without a declared length takes its share of the buffer in pieces of this size, in KiB.
const PIECE_KIB: u32 = 64;
/// How long a body may take to arrive.
const BODY_MAX: Duration = Duration::from_secs(30);
/// A body up to this size is verified and parsed at once; a longer one on a thread of its own, so
/// that the reactor stays free.
const INLINE_BYTES_MAX: usize = 16 * 1024;
/// What `Retry-After` says, in seconds.
const RETRY_AFTER_S: u64 = 5;

/// The receiving end of webhooks.
#[derive(Debug)]
pub(crate) struct Receiver {
    context: Arc<Context>,
    links: Arc<Links>,
    router: Arc<Router>,
    buffer: Arc<Semaphore>,
    threads: Semaphore,
    gate: LogGate,
}

/// Why a webhook is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("there is no such webhook")]
    NoSuchWebhook,
    #[error("the content type is not one of {0}")]
    ContentType(String),
    #[error("the body is longer than {0} bytes")]
    TooLong(u64),
    #[error("the body did not arrive")]
    Truncated,
    #[error("the signature does not match")]
    NotGenuine(u16),
    #[error("the body is not what is expected here: {0}")]
    Malformed(String),
    #[error("no memory for this body at the moment")]
    Busy,
    #[error("the engine is stopping")]
    Stopping,
    #[error("the event cannot be stored at the moment")]
    NotStored(String),
    #[error("the webhook cannot be verified at the moment")]
    NoSecret(String),
}

impl Refusal {
    /// The word it is counted under.
    fn word(&self) -> &'static str {
        match self {
            Self::NoSuchWebhook => "no_such_webhook",
            Self::ContentType(_) => "content_type",
            Self::TooLong(_) => "too_long",
            Self::Truncated => "truncated",
            Self::NotGenuine(_) => "not_genuine",
            Self::Malformed(_) => "malformed",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
            Self::NotStored(_) => "not_stored",
            Self::NoSecret(_) => "no_secret",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchWebhook => StatusCode::NOT_FOUND,
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Truncated => StatusCode::REQUEST_TIMEOUT,
            Self::NotGenuine(status) => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::UNAUTHORIZED)
            }
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Busy | Self::Stopping | Self::NotStored(_) | Self::NoSecret(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// What the log says beyond the refusal's text; not for the sender.
    fn cause(&self) -> &str {
        match self {
            Self::NotStored(cause) | Self::NoSecret(cause) => cause,
            Self::NoSuchWebhook
            | Self::ContentType(_)
            | Self::TooLong(_)
            | Self::Truncated
            | Self::NotGenuine(_)
            | Self::Malformed(_)
            | Self::Busy
            | Self::Stopping => "",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, format!("{self}\n")).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}

/// The routes of the webhook listener.
///
/// Each request is taken by the generation that runs when it comes.
pub(crate) fn routes(running: Arc<ArcSwap<Generation>>) -> axum::Router {
    axum::Router::new()
        .route("/webhooks/{connection}", post(by_connection))
        .route("/webhooks/{connection}/{trigger}", post(by_trigger))
        .with_state(running)
}

async fn by_connection(
    State(running): State<Arc<ArcSwap<Generation>>>,
    Path(connection): Path<String>,
    request: Request,
) -> Response {
    let receiver = Arc::clone(&running.load().receiver);
    receiver.answer(&connection, None, request).await
}

async fn by_trigger(
    State(running): State<Arc<ArcSwap<Generation>>>,
    Path((connection, trigger)): Path<(String, String)>,
    request: Request,
) -> Response {
    let receiver = Arc::clone(&running.load().receiver);
    receiver.answer(&connection, Some(&trigger), request).await
}

impl Receiver {
    pub(crate) fn new(context: Arc<Context>, links: Arc<Links>, router: Arc<Router>) -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            context,
            links,
            router,
            buffer: Arc::new(Semaphore::new(BUFFERED_KIB_MAX as usize)),
            threads: Semaphore::new(threads),
            gate: LogGate::default(),
        }
    }

    async fn answer(&self, connection: &str, trigger: Option<&str>, request: Request) -> Response {
        let Some(hook) = self.find(connection, trigger) else {
            // The name comes from outside, so it is not a key of the log gate and not in the log.
            return self.refuse("-", Refusal::NoSuchWebhook);
        };
        match self.take(&hook, request).await {
            Ok(accepted) => {
                self.context.counters.accepted(&accepted);
                let status = hook.webhook().map_or(202, |webhook| webhook.accepted);
                StatusCode::from_u16(status)
                    .unwrap_or(StatusCode::ACCEPTED)
                    .into_response()
            }
            Err(refusal) => self.refuse(connection, refusal),
        }
    }

    fn refuse(&self, connection: &str, refusal: Refusal) -> Response {
        self.context.counters.refused(refusal.word());
        if let Some(kept_back) = self
            .gate
            .pass(connection, refusal.word(), self.context.now())
        {
            let (reason, cause) = (refusal.to_string(), refusal.cause());
            tracing::warn!(connection, reason, cause, kept_back, "webhook refused");
        }
        refusal.into_response()
    }

    /// The named webhook trigger, or the connection's only one.
    fn find(&self, connection: &str, name: Option<&str>) -> Option<Hook> {
        let connection = self.context.plan.connections.get(connection)?;
        let mut hooks = connection
            .connector
            .triggers
            .values()
            .filter(|trigger| match name {
                Some(name) => trigger.name == name,
                None => true,
            });
        let mut found = hooks
            .by_ref()
            .filter(|trigger| matches!(trigger.kind, TriggerKind::Webhook(_)));
        let trigger = found.next()?;
        if found.next().is_some() {
            return None;
        }
        Some(Hook {
            connection: Arc::clone(connection),
            trigger: trigger.name.clone(),
        })
    }

    async fn take(&self, hook: &Hook, request: Request) -> Result<Accepted, Refusal> {
        if self.context.stopping.is_cancelled() {
            return Err(Refusal::Stopping);
        }
        let began = self.context.now();
        let webhook = hook.webhook().ok_or(Refusal::NoSuchWebhook)?;
        let (head, body) = request.into_parts();
        check_content_type(webhook, &head.headers)?;
        let (body, _buffered) = self.read(webhook, &head.headers, body).await?;
        let intake = self.understand(hook, head.headers, body).await?;
        if intake.events.is_empty() {
            return Ok(Accepted::default());
        }
        let stream = intake.stream.clone();
        let traced = self.context.traced(&intake);
        let accepted = self
            .context
            .store
            .inbox_accept(intake)
            .await
            .map_err(|error| Refusal::NotStored(error.to_string()))?;
        for poll in &webhook.wakes {
            self.context.polls.wake(&hook.connection.id, poll);
        }
        if accepted.messages > 0 {
            self.context
                .trace_accepted(&stream, &traced, "webhook", began);
        }
        if accepted.deliveries > 0 {
            self.router
                .lanes(&stream)
                .for_each(|lane| self.context.lanes.wake(lane));
        }
        Ok(accepted)
    }

    /// The whole body, and its share of the buffer, which is given back when the request is done.
    async fn read(
        &self,
        webhook: &Webhook,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
        let limit = webhook.body_bytes_max;
        let declared: Option<u64> = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse().ok());
        if declared.is_some_and(|length| length > limit) {
            return Err(Refusal::TooLong(limit));
        }
        let mut share = self.share(declared.map_or(PIECE_KIB, kib))?;
        let mut stream = body.into_data_stream();
        let reading = async {
            let mut whole =
                BytesMut::with_capacity(usize::try_from(declared.unwrap_or(0)).unwrap_or(0));
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|_| Refusal::Truncated)?;
                let length = (whole.len() as u64).saturating_add(chunk.len() as u64);
                if length > limit {
                    return Err(Refusal::TooLong(limit));
                }
                while share.num_permits() < kib(length) as usize {
                    share.merge(self.share(PIECE_KIB)?);
                }
                whole.extend_from_slice(&chunk);
            }
            Ok((whole.freeze(), share))
        };
        tokio::time::timeout(BODY_MAX, reading)
            .await
            .unwrap_or(Err(Refusal::Truncated))
    }

    fn share(&self, kib: u32) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.buffer)
            .try_acquire_many_owned(kib)
            .map_err(|_| Refusal::Busy)
    }

    /// Verifies, cuts and routes.
    async fn understand(
        &self,
        hook: &Hook,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Intake, Refusal> {
        let work = Work {
            hook: hook.clone(),
            context: Arc::clone(&self.context),
            links: Arc::clone(&self.links),
            router: Arc::clone(&self.router),
            headers,
            body,
        };
        if work.body.len() <= INLINE_BYTES_MAX {
            return work.run();
        }
        // The semaphore is never closed; without a permit the work would only be less well spread.
        let _thread = self.threads.acquire().await.ok();
        match off_thread(move || work.run()).await {
            Ok(done) => done,
            Err(error) => Err(Refusal::NotStored(error.to_string())),
        }
    }
}

/// A webhook trigger of a connection.
#[derive(Debug, Clone)]
struct Hook {
    connection: Arc<Connection>,
    trigger: String,
}

impl Hook {
    fn trigger(&self) -> Option<&Trigger> {
        self.connection.connector.triggers.get(&self.trigger)
    }

    fn webhook(&self) -> Option<&Webhook> {
        match &self.trigger()?.kind {
            TriggerKind::Webhook(webhook) => Some(webhook),
            TriggerKind::Poll(_) => None,
        }
    }
}

/// The part of a request that needs the processor and nothing else.
struct Work {
    hook: Hook,
    context: Arc<Context>,
    links: Arc<Links>,
    router: Arc<Router>,
    headers: HeaderMap,
    body: Bytes,
}

impl Work {
    fn run(self) -> Result<Intake, Refusal> {
        let (Some(trigger), Some(webhook)) = (self.hook.trigger(), self.hook.webhook()) else {
            return Err(Refusal::NoSuchWebhook);
        };
        let secret = self.verify(webhook)?;
        let events = protocol::split(webhook, &trigger.id, &self.body, self.context.now())
            .map_err(|error| match error {
                WebhookError::NotGenuine => Refusal::NotGenuine(webhook.refused),
                WebhookError::Malformed { why } => Refusal::Malformed(why),
            })?;
        let now = self.context.now();
        let connection: ConnectionId = self.hook.connection.id.clone();
        let stream = StreamId::of(&connection, &trigger.stream);
        let events: Vec<IntakeEvent> = self.router.route(&stream, events, now);
        let origin = Origin::Webhook {
            body_sha256: hex::of(&Sha256::digest(&self.body)),
            body_bytes: self.body.len() as u64,
            secret: u32::try_from(secret).unwrap_or(u32::MAX),
        };
        Ok(Intake {
            connection,
            stream,
            origin,
            received_at: now,
            plan_hash: self.context.plan.hash,
            events,
            cursor: None,
            prints: None,
        })
    }

    /// Which of the live secrets matched.
    fn verify(&self, webhook: &Webhook) -> Result<usize, Refusal> {
        let name = webhook.verify.secret();
        let link = self
            .links
            .get(&self.hook.connection.id)
            .ok_or(Refusal::NoSuchWebhook)?;
        let secrets = link.caller.secrets.resolve();
        let live = secrets.all(name);
        if live.is_empty() {
            let why = secrets.missing().first().map_or_else(
                || format!("the connection names no secret `{name}`"),
                ToString::to_string,
            );
            return Err(Refusal::NoSecret(why));
        }
        let header = |name: &str| {
            self.headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        protocol::verify(webhook, &header, &self.body, &live)
            .map_err(|_| Refusal::NotGenuine(webhook.refused))
    }
}

/// The media type must be one of the trigger's; its parameters do not matter.
fn check_content_type(webhook: &Webhook, headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let taken = webhook.content_types.is_empty()
        || webhook
            .content_types
            .iter()
            .any(|one| is_media_type(one, essence));
    if taken {
        Ok(())
    } else {
        Err(Refusal::ContentType(webhook.content_types.join(", ")))
    }
}

/// Whether a media type is one that is taken; `*` stands for any characters.
fn is_media_type(taken: &str, given: &str) -> bool {
    let (taken, given) = (taken.to_ascii_lowercase(), given.to_ascii_lowercase());
    match taken.split_once('*') {
        None => taken == given,
        Some((start, end)) => {
            given.len() >= start.len() + end.len()
                && given.starts_with(start)
                && given.ends_with(end)
        }
    }
}

/// Bytes in whole KiB, and at least one, so that empty bodies count too.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_asked_to_come_back_only_where_that_may_help() {
        let cause = || "the disk is full".to_owned();
        for (refusal, comes_back) in [
            (Refusal::NotStored(cause()), true),
            (Refusal::NoSecret(cause()), true),
            (Refusal::Stopping, true),
            (Refusal::Busy, true),
            (Refusal::NotGenuine(401), false),
            (Refusal::Malformed(cause()), false),
        ] {
            let response = refusal.clone().into_response();
            let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(unavailable, comes_back, "{refusal}");
            let wait = response.headers().get(RETRY_AFTER);
            assert_eq!(wait.is_some(), comes_back, "{refusal}");
        }
    }
}
