//! An invented ledger with an id ledger: what was posted, how often, with which amount.

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// How the sink behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// 201 at once.
    Fast,
    /// 201 after 200 ms.
    Slow,
    /// Records, then cuts the connection for one post in twenty.
    Ambiguous,
    /// Cuts every connection until told otherwise, then fast.
    Down,
}

impl Mode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Ambiguous => "ambiguous",
            Self::Down => "down",
        }
    }
}

/// What was posted under one reference.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) times: u32,
    pub(crate) amount: String,
    pub(crate) number: u64,
}

/// The running sink.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    up: AtomicBool,
    /// Calls that reached it while it was down.
    knocks: AtomicU64,
    posts: AtomicU64,
    ledger: Mutex<HashMap<String, Posted>>,
}

impl Sink {
    pub(crate) async fn start(mode: Mode) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            mode,
            up: AtomicBool::new(mode != Mode::Down),
            knocks: AtomicU64::new(0),
            posts: AtomicU64::new(0),
            ledger: Mutex::new(HashMap::new()),
        });
        let shared = Arc::clone(&state);
        #[expect(
            clippy::disallowed_methods,
            reason = "the sink is a program of its own; `Drop` ends it"
        )]
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    // An error here is a connection that was cut, by us or by the other side.
                    drop(connection.await);
                });
            }
        });
        Ok(Self {
            address,
            state,
            task,
        })
    }

    /// Ends a `down` phase.
    pub(crate) fn bring_up(&self) {
        self.state.up.store(true, Ordering::SeqCst);
    }

    /// Distinct references posted so far.
    pub(crate) fn distinct(&self) -> usize {
        self.locked().len()
    }

    /// Calls that reached it while it was down.
    pub(crate) fn knocks(&self) -> u64 {
        self.state.knocks.load(Ordering::SeqCst)
    }

    /// The id ledger.
    pub(crate) fn ledger(&self) -> HashMap<String, Posted> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Posted>> {
        let ledger = self.state.ledger.lock();
        ledger.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    if !state.up.load(Ordering::SeqCst) {
        state.knocks.fetch_add(1, Ordering::SeqCst);
        return Err(Cut);
    }
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    match (request.method().as_str(), path.as_str()) {
        ("GET", "/ready") => Ok(reply(200, &json!({"ready": true}))),
        ("GET", "/receipts") => {
            let reference = query.strip_prefix("reference=").unwrap_or_default();
            let ledger = state.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let found: Vec<Value> = ledger
                .get(reference)
                .map(|posted| json!({"number": posted.number}))
                .into_iter()
                .collect();
            Ok(reply(200, &json!({"receipts": found})))
        }
        ("POST", "/receipts") => {
            let body = request
                .into_body()
                .collect()
                .await
                .map_err(|_| Cut)?
                .to_bytes();
            post(&state, &body).await
        }
        _ => Ok(reply(404, &json!({"error": "no such path"}))),
    }
}

async fn post(state: &State, body: &[u8]) -> Result<Response<Full<Bytes>>, Cut> {
    let Ok(receipt) = serde_json::from_slice::<Value>(body) else {
        return Ok(reply(400, &json!({"error": "not JSON"})));
    };
    let (Some(reference), Some(amount)) = (
        receipt.get("reference").and_then(Value::as_str),
        receipt.get("amount").and_then(Value::as_str),
    ) else {
        return Ok(reply(
            400,
            &json!({"error": "reference and amount are needed"}),
        ));
    };
    if state.mode == Mode::Slow {
        #[expect(clippy::disallowed_methods, reason = "the slow sink is slow")]
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let number = state.posts.fetch_add(1, Ordering::SeqCst) + 1;
    {
        let mut ledger = state.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let posted = ledger
            .entry(reference.to_owned())
            .or_insert_with(|| Posted {
                times: 0,
                amount: amount.to_owned(),
                number,
            });
        posted.times += 1;
    }
    if state.mode == Mode::Ambiguous && number.is_multiple_of(20) {
        return Err(Cut);
    }
    Ok(reply(201, &json!({"number": number})))
}

fn reply(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response
}
