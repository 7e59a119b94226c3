//! Any simulator behind a real loopback port, for the demonstration, for tests that kill the engine, and for stories.
//!
//! This is the crate's only place with sockets towards the engine and with a real clock; whoever has another clock gives
//! it. Cut connections are cut for real: the service fails, and the socket closes without a byte, or in the middle of a
//! body.

use crate::Reply;
use crate::entropy::Entropy;
use crate::system::Simulated;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock.
pub fn wall_clock() -> Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only real clock of the simulators"
    )]
    Arc::new(Timestamp::now)
}

/// A simulator that is shared with whoever steers it.
#[derive(Debug, Clone)]
pub struct System(Arc<Mutex<dyn Simulated>>);

impl<S: Simulated> From<Arc<Mutex<S>>> for System {
    fn from(simulator: Arc<Mutex<S>>) -> Self {
        Self(simulator)
    }
}

impl System {
    fn handle(&self, request: &HttpRequest, now: Timestamp) -> Reply {
        let mut simulator = lock(&*self.0);
        simulator.tick(now);
        simulator.handle(request, now)
    }

    fn collect(&self, ticket: crate::Ticket, now: Timestamp) -> Reply {
        lock(&*self.0).collect(ticket, now)
    }
}

/// Locks a simulator; one that panicked while it was locked is still worth asking.
pub fn lock<T: ?Sized>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits in real time.
pub(crate) async fn pause(time: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the world outside the engine takes its time"
    )]
    tokio::time::sleep(time).await;
}

/// When a call is stopped on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened in the system.
    BeforeEffect,
    /// It has happened, and the answer is on its way.
    AfterEffect,
}

/// Where a server stops one call for ever, and says so: for whoever kills the caller at this very moment.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Mutex<Option<Stop>>>);

#[derive(Debug)]
struct Stop {
    marker: &'static str,
    moment: Moment,
    reached: oneshot::Sender<()>,
}

impl Gate {
    /// Stops the next call whose URL or body contains the marker; what this gives ends when it has come there. Takes the place of
    /// what was to be stopped before.
    pub fn stop(&self, marker: &'static str, moment: Moment) -> oneshot::Receiver<()> {
        let (reached, waits) = oneshot::channel();
        *lock(&self.0) = Some(Stop {
            marker,
            moment,
            reached,
        });
        waits
    }

    /// Lets every call pass again.
    pub fn open(&self) {
        *lock(&self.0) = None;
    }

    /// Whether this call is stopped here; whoever waits for that knows it then.
    fn stops(&self, request: &HttpRequest, moment: Moment) -> bool {
        let mut waiting = lock(&self.0);
        let here = |stop: &mut Stop| {
            let marker = stop.marker.as_bytes();
            let named = |bytes: &[u8]| bytes.windows(marker.len()).any(|part| part == marker);
            stop.moment == moment && (named(request.url.as_bytes()) || named(&request.body))
        };
        let Some(stop) = waiting.take_if(here) else {
            return false;
        };
        stop.reached.send(()).is_ok()
    }
}

/// A simulator behind a port. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    system: System,
    clock: ClockBox,
    lateness: Lateness,
    gate: Gate,
    running: Option<Running>,
}

/// How long answers take to come back at most, in milliseconds; each one's share of it is drawn.
#[derive(Debug, Clone)]
struct Lateness(Arc<Mutex<(u64, Entropy)>>);

impl Lateness {
    fn none() -> Self {
        Self(Arc::new(Mutex::new((0, Entropy::new(0)))))
    }

    fn draw(&self) -> Duration {
        let (most, entropy) = &mut *lock(&*self.0);
        if *most == 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(entropy.next_u64() % *most)
    }
}

#[derive(Debug)]
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct ClockBox(Clock);

impl std::fmt::Debug for ClockBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Server {
    /// Listens on a free loopback port.
    pub async fn start(system: impl Into<System>) -> io::Result<Self> {
        Self::start_with(system, wall_clock()).await
    }

    /// Listens on a free loopback port, with this clock.
    pub async fn start_with(system: impl Into<System>, clock: Clock) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut server = Self {
            addr: listener.local_addr()?,
            system: system.into(),
            clock: ClockBox(clock),
            lateness: Lateness::none(),
            gate: Gate::default(),
            running: None,
        };
        server.run(listener);
        Ok(server)
    }

    /// The address.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// From now on every answer comes back up to so much later; what was asked for is done at once.
    pub fn slow(&self, most: Duration) {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        lock(&*self.lateness.0).0 = most;
    }

    /// Where its calls can be stopped.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Takes the machine off the network: new connections are refused, open ones cut.
    pub async fn pause(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.send_replace(true);
            // A task that was cancelled or panicked has let go of its sockets as well.
            running.task.await.ok();
        }
    }

    /// Brings the machine back on the same port.
    pub async fn resume(&mut self) -> io::Result<()> {
        if self.running.is_none() {
            let listener = TcpListener::bind(self.addr).await?;
            self.run(listener);
        }
        Ok(())
    }

    /// Closes everything.
    pub async fn stop(mut self) {
        self.pause().await;
    }

    fn run(&mut self, listener: TcpListener) {
        let (stop, stopped) = watch::channel(false);
        #[expect(
            clippy::disallowed_methods,
            reason = "ended by `pause`, `stop` and drop"
        )]
        let task = tokio::spawn(accept(
            listener,
            self.system.clone(),
            self.clock.clone(),
            (self.lateness.clone(), self.gate.clone()),
            stopped,
        ));
        self.running = Some(Running { stop, task });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.task.abort();
        }
    }
}

async fn accept(
    listener: TcpListener,
    system: System,
    clock: ClockBox,
    (lateness, gate): (Lateness, Gate),
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (system, clock) = (system.clone(), clock.clone());
                connections.spawn(converse(stream, system, clock, (lateness.clone(), gate.clone())));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn converse(
    stream: TcpStream,
    system: System,
    clock: ClockBox,
    (lateness, gate): (Lateness, Gate),
) {
    // Without this, small answers wait for the peer's delayed acknowledgement.
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request| {
        let gate = gate.clone();
        answer(
            request,
            system.clone(),
            clock.clone(),
            (lateness.draw(), gate),
        )
    });
    // Ends in an error whenever a connection was cut on purpose.
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

/// The connection is to be cut.
#[derive(Debug, thiserror::Error)]
#[error("cut off on purpose")]
struct Cut;

async fn answer(
    request: hyper::Request<Incoming>,
    system: System,
    clock: ClockBox,
    (late, gate): (Duration, Gate),
) -> Result<hyper::Response<Payload>, Cut> {
    let Some(request) = read(request).await else {
        return respond(
            &HttpResponse {
                status: 405,
                headers: Vec::new(),
                body: Bytes::new(),
            },
            None,
        );
    };
    if gate.stops(&request, Moment::BeforeEffect) {
        std::future::pending::<()>().await;
    }
    let mut reply = system.handle(&request, (clock.0)());
    if gate.stops(&request, Moment::AfterEffect) {
        std::future::pending::<()>().await;
    }
    if !late.is_zero() {
        pause(late).await;
    }
    loop {
        match reply {
            Reply::Answer(response) => return respond(&response, None),
            Reply::Truncate {
                response,
                body_bytes,
            } => return respond(&response, Some(body_bytes)),
            Reply::Drop => return Err(Cut),
            Reply::Delay { by, ticket } => {
                // A timer may wake up to a millisecond early.
                pause(by + Duration::from_millis(2)).await;
                reply = system.collect(ticket, (clock.0)());
            }
        }
    }
}

/// Turns a request into data; `None` for methods that no simulated system knows.
async fn read(request: hyper::Request<Incoming>) -> Option<HttpRequest> {
    let (head, mut body) = request.into_parts();
    let method = Method::ALL
        .into_iter()
        .find(|method| method.as_str() == head.method.as_str())?;
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.ok()?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let host = head.headers.get("host").map(text).unwrap_or_default();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    Some(HttpRequest {
        method,
        url: format!("http://{host}{path}"),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: Bytes::from(bytes),
        timeout: Duration::MAX,
    })
}

fn respond(
    response: &HttpResponse,
    cut_after: Option<usize>,
) -> Result<hyper::Response<Payload>, Cut> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    let payload = match cut_after {
        None => Payload::Whole(Some(response.body.clone())),
        Some(bytes) => {
            builder = builder.header("Content-Length", response.body.len());
            Payload::Cut {
                part: Some(response.body.slice(..bytes.min(response.body.len()))),
                polls: 0,
            }
        }
    };
    builder.body(payload).map_err(|_| Cut)
}

/// A body that arrives whole, or breaks off.
enum Payload {
    Whole(Option<Bytes>),
    Cut { part: Option<Bytes>, polls: u8 },
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(body) => {
                let body = body.take().filter(|body| !body.is_empty());
                Poll::Ready(body.map(|body| Ok(Frame::data(body))))
            }
            Self::Cut { part, polls } => {
                if let Some(part) = part.take().filter(|part| !part.is_empty()) {
                    return Poll::Ready(Some(Ok(Frame::data(part))));
                }
                // Pending once lets the connection flush what it has before the error tears it down.
                if *polls < 2 {
                    *polls += 1;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(Cut)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            Self::Cut { .. } => SizeHint::default(),
        }
    }
}
