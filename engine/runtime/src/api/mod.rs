//! The operator API: everything a person may do, as HTTP with JSON under `/api/v1`, on the admin listener.
//!
//! ```text
//! request ─► route (the table) ─► token, role ─► parameters, body ─► operator::Command ─► Reply ─► document
//! ```
//! The table in `routes` is the only list of what there is: the listener, the roles and the OpenAPI document are made of
//! it. A handler translates, and nothing else: what is done is an [`operator::Command`](crate::operator::Command), the same
//! that the command line sends over the control socket.
//!
//! # The guarantees
//! - Nothing but the API's own description is answered without a token whose role suffices.
//! - Every act needs a reason; the audit trail keeps it with the token's name and id.
//! - No answer holds a secret, a token, or an event as it was received.
//! - Every error is a problem document (RFC 9457) that says what to do next.

mod access;
mod bodies;
mod documents;
mod handlers;
mod openapi;
mod problem;
mod route;
mod routes;

pub(crate) use access::Access;
pub use openapi::document as openapi;

use crate::engine::Engine;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use problem::Problem;
use route::{Answer, Ask, Route};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The API's routes, behind their tokens.
pub(crate) fn router(engine: &Engine, access: &Arc<Access>) -> axum::Router {
    let mut by_path: BTreeMap<&'static str, MethodRouter> = BTreeMap::new();
    for route in routes::ROUTES {
        let (engine, access) = (engine.clone(), Arc::clone(access));
        let handler = move |params: RawPathParams, request: Request| {
            let (engine, access) = (engine.clone(), Arc::clone(&access));
            async move { respond(route, engine, &access, &params, request).await }
        };
        let routed = by_path.remove(route.path).unwrap_or_default();
        by_path.insert(route.path, routed.on(filter(&route.method()), handler));
    }
    let mut router = axum::Router::new();
    for (path, methods) in by_path {
        let methods = methods.fallback(async || Problem::method().into_response());
        router = router.route(path, methods);
    }
    let nowhere = on(MethodFilter::GET, async || {
        Problem::no_such_path().into_response()
    })
    .fallback(async || Problem::no_such_path().into_response());
    router.route("/api/{*rest}", nowhere)
}

fn filter(method: &Method) -> MethodFilter {
    MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET)
}

/// Answers one request. What goes wrong is a problem document.
async fn respond(
    route: &'static Route,
    engine: Engine,
    access: &Access,
    params: &RawPathParams,
    request: Request,
) -> Response {
    match answer(route, engine, access, params, request).await {
        Ok(answer) => written(answer),
        Err(problem) => problem.into_response(),
    }
}

async fn answer(
    route: &'static Route,
    engine: Engine,
    access: &Access,
    params: &RawPathParams,
    request: Request,
) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    let who = match route.role {
        None => None,
        Some(role) => Some(access.admit(&parts.headers, role)?),
    };
    let query = route.query(&parts.uri)?;
    let body = match route.body {
        None => axum::body::Bytes::new(),
        Some(_) => read(body, route.body_bytes_max).await?,
    };
    let path = params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let ask = Ask {
        engine,
        who,
        path,
        query,
        body,
    };
    (route.handler)(ask).await
}

async fn read(body: Body, bytes_max: usize) -> Result<axum::body::Bytes, Problem> {
    // A body that breaks off and one that is too long are told apart by the error's own words only, and nobody who sends
    // either is helped by the difference.
    axum::body::to_bytes(body, bytes_max)
        .await
        .map_err(|_| Problem::too_long(bytes_max))
}

#[expect(clippy::needless_pass_by_value, reason = "the answer ends here")]
fn written(answer: Answer) -> Response {
    match serde_json::to_vec(&answer.document) {
        Ok(body) => (
            answer.status,
            [
                (header::CONTENT_TYPE, "application/json"),
                // Answers show the books of one moment to one person.
                (header::CACHE_CONTROL, "no-store"),
            ],
            body,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer of the operator API cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
