//! Serving HTTP/1.1 on a listener until told to stop: bounded connections, a limit on how long a
//! request's head may take, and a graceful end that lets answers under way be written.

use crate::context::later;
use crate::seams::Clock;
use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Connections served at once by one listener; more wait in the system's backlog.
const CONNECTIONS_MAX: usize = 1024;
/// How long a request's head may take, also while a kept connection is idle.
const HEAD_MAX: Duration = Duration::from_secs(20);
/// The most bytes a request's head may have.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The pause after a failed accept, which would otherwise spin while file descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A place connections come from.
pub(crate) trait Accept: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for TcpListener {
    type Stream = tokio::net::TcpStream;
    async fn accept(&self) -> io::Result<Self::Stream> {
        let (stream, _) = Self::accept(self).await?;
        // Answers are one small write; without this they may wait for the other side's delayed
        // acknowledgement.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = tokio::net::UnixStream;
    async fn accept(&self) -> io::Result<Self::Stream> {
        Self::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Accepts and serves until `stop`; connections live on in `tracker` until their answers are out.
pub(crate) async fn serve(
    listener: impl Accept,
    app: Router,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    tracker: TaskTracker,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            permit = Arc::clone(&permits).acquire_owned() => match permit {
                Ok(permit) => permit,
                Err(_) => return,
            },
        };
        let stream = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            stream = listener.accept() => stream,
        };
        match stream {
            Ok(stream) => {
                let (app, stop) = (app.clone(), stop.clone());
                tracker.spawn(async move {
                    converse(stream, app, stop).await;
                    drop(accepted);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                clock.sleep_until(later(clock.now(), ACCEPT_PAUSE)).await;
            }
        }
    }
}

async fn converse<S>(stream: S, app: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(
        app.map_request(|request: hyper::Request<_>| request.map(Body::new)),
    );
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The other side went away or sent no HTTP; it knows better than we do.
        tracing::debug!(%error, "a connection ended early");
    }
}
