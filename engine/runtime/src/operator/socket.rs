//! The control socket: commands as HTTP over a Unix socket in the store's folder. Who may open the
//! socket (the engine's own user) may operate the engine.

use super::{Command, Reply, execute};
use crate::engine::Engine;
use axum::Json;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::{Method, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// The longest path a Unix socket address can hold.
const PATH_MAX: usize = 100;
/// The longest reply that is read, in bytes.
const REPLY_MAX: usize = 256 * 1024 * 1024;

/// Why a command could not be sent to an engine, or its reply not be read.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No engine listens there.
    #[error("no engine listens at {path}", path = .path.display())]
    NoEngine {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The conversation failed.
    #[error("the engine's control socket failed: {0}")]
    Failed(String),
}

/// Opens the control socket, for this user only. A socket file that a crashed engine left behind is
/// replaced: the caller holds the store's lock, so no other engine can be using it.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let (short, _folder) = reachable(path)?;
    let listener = UnixListener::bind(short)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The routes of the control socket.
pub(crate) fn routes(engine: Engine) -> axum::Router {
    axum::Router::new()
        .route("/command", post(command))
        .with_state(engine)
}

async fn command(State(engine): State<Engine>, Json(command): Json<Command>) -> Json<Reply> {
    let clock = engine.clock();
    Json(execute(&engine.store(), Some(&engine), clock.as_ref(), command).await)
}

/// Sends a command to the engine that listens at `socket`.
///
/// # Errors
/// [`CallError::NoEngine`] if none does: then the store can be opened instead.
pub async fn call(socket: &Path, command: &Command) -> Result<Reply, CallError> {
    let no_engine = |source| CallError::NoEngine {
        path: socket.to_owned(),
        source,
    };
    let (short, _folder) = reachable(socket).map_err(no_engine)?;
    let stream = UnixStream::connect(short).await.map_err(no_engine)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    let body = serde_json::to_vec(command).map_err(|error| failed(&error))?;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/command")
        .header("host", "engine")
        .header("content-type", "application/json")
        .body(axum::body::Body::from(body))
        .map_err(|error| failed(&error))?;
    let conversation = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| failed(&error))?;
        let status = response.status();
        let body = collect(axum::body::Body::new(response.into_body())).await?;
        if status != StatusCode::OK {
            return Err(CallError::Failed(format!("status {status}")));
        }
        serde_json::from_slice(&body).map_err(|error| failed(&error))
    };
    tokio::select! {
        reply = conversation => reply,
        // The connection ends after the reply has been read, or because it failed.
        ended = connection => match ended {
            Ok(()) => Err(CallError::Failed("it was closed".to_owned())),
            Err(error) => Err(failed(&error)),
        },
    }
}

async fn collect(body: axum::body::Body) -> Result<Vec<u8>, CallError> {
    let mut stream = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(chunk) = stream.try_next().await.map_err(|error| failed(&error))? {
        let chunk: Bytes = chunk;
        if whole.len() + chunk.len() > REPLY_MAX {
            return Err(CallError::Failed(format!(
                "the reply is longer than {REPLY_MAX} bytes"
            )));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

fn failed(error: &dyn std::fmt::Display) -> CallError {
    CallError::Failed(error.to_string())
}

/// A path short enough for a socket address. A longer one is reached through its opened folder.
fn reachable(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    if path.as_os_str().len() <= PATH_MAX {
        return Ok((path.to_owned(), None));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((path.to_owned(), None));
    };
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd")
        .join(folder.as_raw_fd().to_string())
        .join(name);
    Ok((short, Some(folder)))
}
