//! A listener for one answer, on this machine, for minutes.

use super::{Callback, Error, Pending};
use crate::seams::Clock;
use crate::server;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The path where the settings do not name one.
const PATH: &str = "/callback";
/// The longest body that is read: a code and a few names beside it.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the browser shows. Nothing of the request stands in it.
const ARRIVED: &str = "<!doctype html><meta charset=\"utf-8\"><title>ml-connector</title>\
    <p>The answer has arrived. Close this window and go back to the terminal.</p>";
const NOT_OURS: &str = "<!doctype html><meta charset=\"utf-8\"><title>ml-connector</title>\
    <p>This is not the answer to the request that was made. Open the address that the terminal shows.</p>";

/// A port of this machine that waits for the answer to one request.
#[derive(Debug)]
pub struct Listener {
    port: TcpListener,
    path: String,
    uri: String,
}

impl Listener {
    /// Listens on the redirect address, or on a free port where there is none. `None` if the
    /// address is not this machine's: then a person has to bring the code.
    ///
    /// # Errors
    /// If the port cannot be listened on.
    pub async fn bind(redirect_uri: Option<&str>) -> Result<Option<Self>, Error> {
        let (address, path) = match redirect_uri {
            None => (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), PATH.to_owned()),
            Some(uri) => match own(uri) {
                Some(own) => own,
                None => return Ok(None),
            },
        };
        let failed = |source| Error::Listen {
            address: address.to_string(),
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let uri = redirect_uri.map_or_else(|| format!("http://{bound}{path}"), str::to_owned);
        Ok(Some(Self {
            port: listener,
            path,
            uri,
        }))
    }

    /// The address that the answer comes to.
    pub fn redirect_uri(&self) -> &str {
        &self.uri
    }

    /// Waits for the answer to a request. What is not its answer is refused, and waited past.
    ///
    /// # Errors
    /// If nothing comes until then.
    pub async fn wait(
        self,
        clock: Arc<dyn Clock>,
        pending: &Pending,
        until: Timestamp,
    ) -> Result<Callback, Error> {
        let (arrived, mut arrivals) = mpsc::channel(1);
        let (path, expected) = (self.path, pending.clone());
        let app = Router::new().fallback(move |request: Request| {
            let (path, expected, arrived) = (path.clone(), expected.clone(), arrived.clone());
            async move { take(request, &path, &expected, &arrived).await }
        });
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let serving = server::serve(
            self.port,
            app,
            Arc::clone(&clock),
            stop.clone(),
            tracker.clone(),
        );
        let answer = tokio::select! {
            biased;
            answer = arrivals.recv() => answer,
            () = serving => None,
            () = clock.sleep_until(until) => None,
        };
        stop.cancel();
        tracker.close();
        // The browser shall get its page.
        tracker.wait().await;
        answer.ok_or(Error::NoAnswer(self.uri))
    }
}

/// An address of this machine that can be listened on without TLS, and its path.
fn own(uri: &str) -> Option<(SocketAddr, String)> {
    let uri: axum::http::Uri = uri.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']);
    let ip = match host {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().ok().filter(IpAddr::is_loopback)?,
    };
    let plain = uri.scheme_str() == Some("http");
    plain.then(|| {
        let port = uri.port_u16().unwrap_or(80);
        (SocketAddr::from((ip, port)), uri.path().to_owned())
    })
}

async fn take(
    request: Request,
    path: &str,
    expected: &Pending,
    arrived: &mpsc::Sender<Callback>,
) -> Response {
    if request.uri().path() != path {
        return StatusCode::NOT_FOUND.into_response();
    }
    let query = request.uri().query().map(str::to_owned);
    let body: Body = request.into_body();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body = String::from_utf8_lossy(&body);
    let callback = Callback::of_request(query.as_deref(), &body);
    if !callback.answers(expected) {
        return page(StatusCode::BAD_REQUEST, NOT_OURS);
    }
    // A second answer to the same request changes nothing.
    let _taken = arrived.try_send(callback);
    page(StatusCode::OK, ARRIVED)
}

fn page(status: StatusCode, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // The address holds the code.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, text).into_response()
}
