//! The admin listener: is it alive, is it ready, how is it, its numbers; and the operator API behind its tokens.
//!
//! Probes and metrics ask for no token: they name integrations and connections and nothing else, and the listener is a
//! loopback address unless the site says otherwise.

use crate::api::{self, Access};
use crate::engine::Engine;
use crate::metrics;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use ml_connector_core::delivery::StateKind;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the parts of the engine are. Whether the other systems are there is told and does not count: an engine whose target
/// is away must go on taking events.
#[derive(Debug, Serialize)]
struct Health {
    /// ok, or failing.
    status: &'static str,
    /// Whether it takes webhooks: not any more once it was told to stop.
    takes_events: bool,
    /// Whether the store can be written.
    store_writable: bool,
    /// Each connection's circuit: closed, half_open, open or paused.
    connections: BTreeMap<String, String>,
    /// Deliveries that wait for a person.
    held: u64,
    /// Deliveries of which nobody knows yet whether they arrived.
    uncertain: u64,
}

/// The listener's routes.
pub(crate) fn routes(engine: &Engine, access: &Arc<Access>) -> axum::Router {
    let (readiness, healthy, measured) = (engine.clone(), engine.clone(), engine.clone());
    let version = engine.version().to_owned();
    api::router(engine, access)
        .route("/livez", get(|| async { "live\n" }))
        .route(
            "/readyz",
            get(move || async move {
                if readiness.ready().await {
                    (StatusCode::OK, "ready\n")
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
                }
            }),
        )
        .route("/healthz", get(move || health(healthy)))
        .route("/metrics", get(move || numbers(measured)))
        .route(
            "/version",
            get(move || async move { format!("{version}\n") }),
        )
}

async fn health(engine: Engine) -> Response {
    let (takes_events, store_writable) = (engine.takes_events(), engine.writable().await);
    let connections = engine.links().into_iter().map(|link| {
        let view = link.circuit().view();
        let paused = view.pause.map(|_| "paused".to_owned());
        (link.id().to_string(), paused.unwrap_or(view.state))
    });
    let connections = connections.collect();
    let counts = engine.store().counts().await.unwrap_or_default();
    let in_state = |wanted: StateKind| {
        let of = |states: &[u64]| {
            let at = StateKind::ALL.iter().position(|kind| *kind == wanted);
            at.and_then(|at| states.get(at)).copied().unwrap_or(0)
        };
        counts.iter().map(|(_, counts)| of(&counts.states)).sum()
    };
    let fine = takes_events && store_writable;
    let health = Health {
        status: if fine { "ok" } else { "failing" },
        takes_events,
        store_writable,
        connections,
        held: in_state(StateKind::Held),
        uncertain: in_state(StateKind::Uncertain),
    };
    let status = if fine {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health)).into_response()
}

async fn numbers(engine: Engine) -> Response {
    match metrics::render(&engine).await {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be gathered");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
