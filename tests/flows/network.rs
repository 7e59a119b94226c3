//! The network of a story: every system behind a loopback port, and what goes wrong on the way to them.
//!
//! The engine sends by its real transport, connections kept between calls. What a story does to a call is done to its
//! connection: by whatever stands in front of the system behind its port, which closes it, answers something else, or lets it
//! wait for ever; or by giving the name of a system an address at which nobody listens.

use async_trait::async_trait;
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, SendError};
use ml_connector_runtime::simulated::ManualClock;
use ml_connector_runtime::{Clock as _, HttpTransport, Outgoing, Transport};
pub(crate) use ml_connector_simulators::serve::Moment;
use ml_connector_simulators::serve::{Server, lock};
use ml_connector_simulators::{Reply, Simulated, Ticket};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpSocket;

/// A system that answers calls.
pub(crate) type Shared = Arc<Mutex<dyn Simulated>>;

/// Longer than any story takes.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);

/// What the network does to a call.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The connection is cut before the system has read the call: no effect, but the caller cannot know.
    CutBefore,
    /// The call has its effect, and the connection is cut before the answer.
    CutAfter,
    /// Something in between answers with this status and a page of its own; no effect.
    Answer(u16),
    /// The call never ends, before or after its effect; for [`super::Story::crash_during`].
    Freeze(Moment),
}

#[derive(Debug)]
struct Rule {
    system: String,
    marker: String,
    trouble: Trouble,
    left: usize,
}

/// What all calls of a story go through, also those of several engines after each other.
#[derive(Debug)]
pub(crate) struct Network {
    rules: Mutex<Vec<Rule>>,
    down: Mutex<BTreeSet<String>>,
    /// Has an address, and does not listen: whoever connects is refused.
    nobody: TcpSocket,
    /// The last call that did not get a 2xx, for the words of a test that fails.
    refused: Mutex<Option<String>>,
}

impl Network {
    /// Everything works.
    pub(crate) fn new() -> Self {
        let nobody = TcpSocket::new_v4().unwrap();
        nobody.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self {
            rules: Mutex::default(),
            down: Mutex::default(),
            nobody,
            refused: Mutex::default(),
        }
    }

    /// The next `times` calls to this system whose URL or body contains the marker meet this.
    pub(crate) fn strike(&self, system: &str, marker: &str, trouble: Trouble, times: usize) {
        lock(&self.rules).push(Rule {
            system: system.to_owned(),
            marker: marker.to_owned(),
            trouble,
            left: times,
        });
    }

    /// Troubles that have not struck yet.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.rules).iter().map(|rule| rule.left).sum()
    }

    /// Whether the system is off the network.
    pub(crate) fn set_down(&self, system: &str, down: bool) {
        let mut all = lock(&self.down);
        if down {
            all.insert(system.to_owned());
        } else {
            all.remove(system);
        }
    }

    /// The last call that a system refused, and how.
    pub(crate) fn last_refusal(&self) -> Option<String> {
        lock(&self.refused).clone()
    }

    fn trouble(&self, system: &str, request: &HttpRequest) -> Option<Trouble> {
        let body = String::from_utf8_lossy(&request.body);
        let mut rules = lock(&self.rules);
        let rule = rules.iter_mut().find(|rule| {
            rule.left > 0
                && rule.system == system
                && (request.url.contains(&rule.marker) || body.contains(&rule.marker))
        })?;
        rule.left -= 1;
        Some(rule.trouble.clone())
    }
}

/// What one engine has to do with the outside: a port for each system, and the connections to them.
///
/// The next engine gets others, so that nothing that was on its way when this one ended arrives later.
#[derive(Debug)]
pub(crate) struct Wire {
    servers: Vec<Server>,
    traffic: Arc<Traffic>,
}

/// The calls of one engine.
#[derive(Debug, Default)]
struct Traffic {
    under_way: AtomicUsize,
    /// Whether one of them will never end.
    frozen: AtomicBool,
}

impl Wire {
    /// Puts every system behind a port of its own. Gives also the engine's way there.
    pub(crate) async fn up(
        network: &Arc<Network>,
        systems: &[(String, Shared)],
        clock: &ManualClock,
    ) -> (Self, Arc<dyn Transport>) {
        let traffic = Arc::new(Traffic::default());
        let mut servers = Vec::new();
        let mut names = Vec::new();
        for (name, system) in systems {
            let reached = Reached {
                name: name.clone(),
                system: Arc::clone(system),
                network: Arc::clone(network),
                traffic: Arc::clone(&traffic),
            };
            let clock = clock.clone();
            let now = Arc::new(move || clock.now());
            let server = Server::start_with(Arc::new(Mutex::new(reached)), now);
            let server = server.await.unwrap();
            names.push((name.clone(), server.addr()));
            servers.push(server);
        }
        let way = Way {
            http: HttpTransport::new(&[]).unwrap(),
            names,
            network: Arc::clone(network),
            traffic: Arc::clone(&traffic),
        };
        (Self { servers, traffic }, Arc::new(way))
    }

    /// Calls that the engine waits for.
    pub(crate) fn under_way(&self) -> usize {
        self.traffic.under_way.load(Ordering::Acquire)
    }

    /// Whether the engine waits for a call that will never end.
    pub(crate) fn is_frozen(&self) -> bool {
        self.traffic.frozen.load(Ordering::Acquire)
    }

    /// Closes the ports and every connection. What a system had not begun by then never happens.
    pub(crate) async fn cut(self) {
        for server in self.servers {
            server.stop().await;
        }
    }
}

/// The engine's transport: the real one, to wherever the systems of the story are at the moment.
#[derive(Debug)]
struct Way {
    http: HttpTransport,
    names: Vec<(String, SocketAddr)>,
    network: Arc<Network>,
    traffic: Arc<Traffic>,
}

impl Way {
    /// The same URL with an address in place of the name.
    fn resolved(&self, url: &str) -> Option<String> {
        self.names.iter().find_map(|(name, address)| {
            let rest = url.strip_prefix(name)?;
            if !rest.is_empty() && !rest.starts_with(['/', '?']) {
                return None;
            }
            let address = if lock(&self.network.down).contains(name) {
                self.network.nobody.local_addr().unwrap()
            } else {
                *address
            };
            Some(format!("http://{address}{rest}"))
        })
    }
}

#[async_trait]
impl Transport for Way {
    async fn send(&self, mut outgoing: Outgoing<'_>) -> Result<HttpResponse, SendError> {
        let _counted = Counted::new(&self.traffic);
        let Some(url) = self.resolved(&outgoing.request.url) else {
            let url = outgoing.request.url_without_query();
            let why = format!("no system of this story is called {url}");
            return Err(SendError::NotSent { why });
        };
        outgoing.request.url = url;
        self.http.send(outgoing).await
    }
}

/// A call that is under way until this is dropped, which happens also when nobody waits for it any more.
struct Counted<'t>(&'t Traffic);

impl<'t> Counted<'t> {
    fn new(traffic: &'t Traffic) -> Self {
        traffic.under_way.fetch_add(1, Ordering::AcqRel);
        Self(traffic)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A system as the network lets it be reached.
#[derive(Debug)]
struct Reached {
    name: String,
    system: Shared,
    network: Arc<Network>,
    traffic: Arc<Traffic>,
}

impl Reached {
    fn pass_on(&self, request: &HttpRequest, now: Timestamp) -> Reply {
        let reply = lock(&*self.system).handle(request, now);
        match reply {
            Reply::Answer(response) => {
                if !(200..300).contains(&response.status) {
                    let body = String::from_utf8_lossy(&response.body);
                    let told = format!(
                        "{}: {} -> {} {body}",
                        self.name, request.url, response.status
                    );
                    *lock(&self.network.refused) = Some(told);
                }
                Reply::Answer(response)
            }
            // To a caller who gives up waiting, no answer in time is what a cut is: nobody knows. This one does not wait
            // for minutes first.
            Reply::Delay { .. } => Reply::Drop,
            Reply::Drop | Reply::Truncate { .. } => reply,
        }
    }
}

impl Simulated for Reached {
    fn handle(&mut self, request: &HttpRequest, now: Timestamp) -> Reply {
        match self.network.trouble(&self.name, request) {
            None => self.pass_on(request, now),
            Some(Trouble::CutBefore) => Reply::Drop,
            Some(Trouble::CutAfter) => {
                let _lost = self.pass_on(request, now);
                Reply::Drop
            }
            Some(Trouble::Answer(status)) => Reply::Answer(HttpResponse {
                status,
                headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
                body: "<html><body>not what you asked for</body></html>".into(),
            }),
            Some(Trouble::Freeze(moment)) => {
                if moment == Moment::AfterEffect {
                    let _lost = self.pass_on(request, now);
                }
                self.traffic.frozen.store(true, Ordering::Release);
                Reply::Delay {
                    by: FOR_EVER,
                    ticket: Ticket(0),
                }
            }
        }
    }

    fn collect(&mut self, _ticket: Ticket, _now: Timestamp) -> Reply {
        Reply::Drop
    }

    fn tick(&mut self, now: Timestamp) {
        lock(&*self.system).tick(now);
    }

    fn next_tick_at(&self) -> Option<Timestamp> {
        lock(&*self.system).next_tick_at()
    }

    fn calls(&self) -> u64 {
        lock(&*self.system).calls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ml_connector_core::http::Method;
    use ml_connector_core::identity::ConnectionId;

    /// Answers everything, and counts.
    #[derive(Debug, Default)]
    struct Counter(u64);

    impl Simulated for Counter {
        fn handle(&mut self, request: &HttpRequest, _now: Timestamp) -> Reply {
            self.0 += 1;
            let response = HttpResponse {
                status: 200,
                headers: Vec::new(),
                body: "a whole answer".into(),
            };
            if request.url.ends_with("/part") {
                let body_bytes = 3;
                return Reply::Truncate {
                    response,
                    body_bytes,
                };
            }
            Reply::Answer(response)
        }

        fn collect(&mut self, _ticket: Ticket, _now: Timestamp) -> Reply {
            Reply::Drop
        }

        fn calls(&self) -> u64 {
            self.0
        }
    }

    async fn call(way: &Arc<dyn Transport>, url: &str) -> Result<u16, SendError> {
        let request = HttpRequest {
            method: Method::Get,
            url: url.to_owned(),
            headers: Vec::new(),
            body: "".into(),
            timeout: FOR_EVER,
        };
        let outgoing = Outgoing {
            connection: &ConnectionId::new("one"),
            request,
            answer_bytes_max: 1000,
        };
        way.send(outgoing).await.map(|answer| answer.status)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_caller_knows_what_was_done_to_its_connection_and_no_more() {
        let network = Arc::new(Network::new());
        let counter = Arc::new(Mutex::new(Counter::default()));
        let systems = [("http://one".to_owned(), counter.clone() as Shared)];
        let clock = ManualClock::new("2026-03-16T08:00:00Z".parse().unwrap());
        let (wire, way) = Wire::up(&network, &systems, &clock).await;
        let effects = || lock(&counter).0;
        let unknown = |answer: Result<u16, SendError>| {
            assert!(
                matches!(answer, Err(SendError::Unknown { .. })),
                "{answer:?}"
            );
        };
        let not_sent = |answer: Result<u16, SendError>| {
            assert!(
                matches!(answer, Err(SendError::NotSent { .. })),
                "{answer:?}"
            );
        };

        assert_eq!((call(&way, "http://one/a").await, effects()), (Ok(200), 1));
        not_sent(call(&way, "http://one-more/a").await);
        network.set_down("http://one", true);
        not_sent(call(&way, "http://one/a").await);
        network.set_down("http://one", false);
        unknown(call(&way, "http://one/part").await);
        assert_eq!(effects(), 2);
        for (trouble, wanted) in [(Trouble::CutBefore, 2), (Trouble::CutAfter, 3)] {
            network.strike("http://one", "/a", trouble, 1);
            unknown(call(&way, "http://one/a").await);
            assert_eq!(effects(), wanted);
        }
        network.strike("http://one", "/a", Trouble::Answer(502), 1);
        assert_eq!((call(&way, "http://one/a").await, effects()), (Ok(502), 3));
        assert_eq!((network.waiting(), wire.under_way()), (0, 0));

        network.strike("http://one", "/a", Trouble::Freeze(Moment::AfterEffect), 1);
        let frozen = async {
            while !wire.is_frozen() {
                tokio::task::yield_now().await;
            }
            wire.under_way()
        };
        tokio::select! {
            answer = call(&way, "http://one/a") => panic!("{answer:?}"),
            under_way = frozen => assert_eq!(under_way, 1),
        }
        assert_eq!((wire.under_way(), effects()), (0, 4));
        wire.cut().await;
        drop(call(&way, "http://one/a").await);
        assert_eq!(effects(), 4);
    }
}
