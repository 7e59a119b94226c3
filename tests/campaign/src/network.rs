//! The network between the engine and the systems, with the places where a run can be cut.

use crate::systems::Systems;
use ml_connector_core::http::{HttpResponse, SendError};
use ml_connector_runtime::simulated::ManualClock;
use ml_connector_runtime::{Clock as _, Outgoing, Transport};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Where a killed process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// Before a request leaves.
    BeforeSending,
    /// After the system has done what it was asked, before the answer is read.
    BeforeAnswer,
}

/// Kills the process at the n-th request from now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fuse {
    pub(crate) point: Point,
    pub(crate) requests: u64,
}

/// The one way between engine and systems.
pub(crate) struct Network {
    pub(crate) systems: Arc<Mutex<Systems>>,
    clock: ManualClock,
    fuse: Mutex<Option<Fuse>>,
    blown: Notify,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

impl Network {
    pub(crate) fn new(systems: Arc<Mutex<Systems>>, clock: ManualClock) -> Self {
        Self {
            systems,
            clock,
            fuse: Mutex::default(),
            blown: Notify::new(),
        }
    }

    pub(crate) fn light(&self, fuse: Option<Fuse>) {
        *held(&self.fuse) = fuse;
    }

    /// Returns when the fuse has burnt down.
    pub(crate) async fn blown(&self) {
        self.blown.notified().await;
    }

    /// Whether the process dies here. Then nothing of it goes on.
    async fn burn(&self, point: Point) {
        let dies = {
            let mut fuse = held(&self.fuse);
            match fuse.as_mut().filter(|fuse| fuse.point == point) {
                Some(lit) if lit.requests == 0 => {
                    *fuse = None;
                    true
                }
                Some(lit) => {
                    lit.requests -= 1;
                    false
                }
                None => false,
            }
        };
        if dies {
            self.blown.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait::async_trait]
impl Transport for Network {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<HttpResponse, SendError> {
        self.burn(Point::BeforeSending).await;
        let sent = self.clock.now();
        let (after, answer) = held(&self.systems).take(&outgoing.request, sent);
        self.burn(Point::BeforeAnswer).await;
        if !after.is_zero() {
            let after = jiff::SignedDuration::try_from(after).unwrap_or_default();
            self.clock
                .sleep_until(sent.saturating_add(after).unwrap_or(sent))
                .await;
        }
        answer
    }
}

pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
