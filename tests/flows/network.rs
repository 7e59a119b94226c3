//! The network of a story: systems by base URL, and what goes wrong on the way to them.

use ml_connector_core::http::{HttpRequest, HttpResponse, SendError};
use ml_connector_runtime::Clock as _;
use ml_connector_runtime::simulated::{Answering, ManualClock, MemoryTransport};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::{Reply, Simulated};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A system that answers calls.
pub(crate) type Shared = Arc<Mutex<dyn Simulated>>;

/// What the network does to a call.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The connection is cut before the system has read the call: no effect, but the caller cannot know.
    CutBefore,
    /// The call has its effect, and the answer is lost.
    CutAfter,
    /// Something in between answers with this status and a page of its own; no effect.
    Answer(u16),
    /// The call never ends, before or after its effect; for [`super::Story::crash_during`].
    Freeze(Moment),
}

/// Before or after the call has had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nothing has happened in the system.
    BeforeEffect,
    /// It has happened, and the answer is on its way.
    AfterEffect,
}

#[derive(Debug)]
struct Rule {
    system: String,
    marker: String,
    trouble: Trouble,
    left: usize,
}

/// What all calls of a story go through.
#[derive(Debug, Default)]
pub(crate) struct Network {
    rules: Mutex<Vec<Rule>>,
    down: Mutex<BTreeSet<String>>,
    calls: AtomicU64,
    frozen: AtomicU64,
    /// The last call that did not get a 2xx, for the words of a test that fails.
    refused: Mutex<Option<String>>,
}

impl Network {
    /// The engine's transport.
    pub(crate) fn transport(
        self: &Arc<Self>,
        systems: &[(String, Shared)],
        clock: &ManualClock,
    ) -> MemoryTransport {
        let net = MemoryTransport::new();
        for (url, system) in systems {
            let (network, system, clock) = (Arc::clone(self), Arc::clone(system), clock.clone());
            let name = url.clone();
            net.route_async(url, move |request| {
                network.carry(&name, &system, &clock, &request)
            });
        }
        net
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

    /// Calls so far, also those that met trouble.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Acquire)
    }

    /// Calls that will never end.
    pub(crate) fn frozen(&self) -> u64 {
        self.frozen.load(Ordering::Acquire)
    }

    /// The last call that a system refused, and how.
    pub(crate) fn last_refusal(&self) -> Option<String> {
        lock(&self.refused).clone()
    }

    fn carry(
        &self,
        name: &str,
        system: &Shared,
        clock: &ManualClock,
        request: &HttpRequest,
    ) -> Answering {
        self.calls.fetch_add(1, Ordering::AcqRel);
        if lock(&self.down).contains(name) {
            return ready(Err(SendError::NotSent {
                why: "connection refused".to_owned(),
            }));
        }
        let handle = || {
            let mut system = lock(&**system);
            system.tick(clock.now());
            let answer = seen(system.handle(request, clock.now()));
            if let Ok(response) = &answer
                && !(200..300).contains(&response.status)
            {
                let body = String::from_utf8_lossy(&response.body);
                let told = format!("{} -> {} {body}", request.url, response.status);
                *lock(&self.refused) = Some(told);
            }
            answer
        };
        match self.trouble(name, request) {
            None => ready(handle()),
            Some(Trouble::CutBefore) => ready(cut("the connection was cut")),
            Some(Trouble::CutAfter) => {
                let _lost = handle();
                ready(cut("the connection was cut"))
            }
            Some(Trouble::Answer(status)) => ready(Ok(HttpResponse {
                status,
                headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
                body: "<html><body>not what you asked for</body></html>".into(),
            })),
            Some(Trouble::Freeze(moment)) => {
                if moment == Moment::AfterEffect {
                    let _lost = handle();
                }
                self.frozen.fetch_add(1, Ordering::AcqRel);
                Box::pin(std::future::pending())
            }
        }
    }

    fn trouble(&self, name: &str, request: &HttpRequest) -> Option<Trouble> {
        let body = String::from_utf8_lossy(&request.body);
        let mut rules = lock(&self.rules);
        let rule = rules.iter_mut().find(|rule| {
            rule.left > 0
                && rule.system == name
                && (request.url.contains(&rule.marker) || body.contains(&rule.marker))
        })?;
        rule.left -= 1;
        Some(rule.trouble.clone())
    }
}

fn ready(answer: Result<HttpResponse, SendError>) -> Answering {
    Box::pin(std::future::ready(answer))
}

fn cut(why: &str) -> Result<HttpResponse, SendError> {
    Err(SendError::Unknown {
        why: why.to_owned(),
    })
}

/// What the caller sees. A delayed answer is one that the caller gave up waiting for.
fn seen(reply: Reply) -> Result<HttpResponse, SendError> {
    match reply {
        Reply::Answer(response) => Ok(response),
        Reply::Drop => cut("the connection was cut"),
        Reply::Truncate { .. } => cut("the answer broke off"),
        Reply::Delay { .. } => cut("no answer in time"),
    }
}
