//! Telling everybody who waits that something has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Announces changes of something. Clones announce for the same thing.
///
/// Those who wait are woken in the order in which they began to wait. Tokio's own `watch` channel deals its receivers out at
/// random to several queues, which is quicker where many threads wait, and under which a seed of the simulation would not
/// repeat what it did.
#[derive(Debug, Clone, Default)]
pub struct Announcer(Arc<Board>);

/// Hears of what is announced from when it was made. It tells that something has changed, not what or how often.
#[derive(Debug, Clone)]
pub struct Changes {
    board: Arc<Board>,
    seen: u64,
}

#[derive(Debug, Default)]
struct Board {
    count: AtomicU64,
    waiting: Notify,
}

impl Announcer {
    /// Wakes everybody who waits; who looks later sees it as well.
    pub fn announce(&self) {
        self.0.count.fetch_add(1, Ordering::SeqCst);
        self.0.waiting.notify_waiters();
    }

    /// Hears of everything that is announced from now on.
    pub fn changes(&self) -> Changes {
        Changes {
            board: Arc::clone(&self.0),
            seen: self.0.count.load(Ordering::SeqCst),
        }
    }
}

impl Changes {
    /// Takes everything so far as seen. Call it before looking at what may have changed.
    pub fn catch_up(&mut self) {
        self.seen = self.board.count.load(Ordering::SeqCst);
    }

    /// Waits for the next change, or returns at once if there has been one that was not seen. Nothing is missed if this is
    /// dropped before it returns.
    pub async fn changed(&mut self) {
        loop {
            let notified = self.board.waiting.notified();
            tokio::pin!(notified);
            // In the queue before looking: whatever is announced from here on wakes it.
            notified.as_mut().enable();
            let count = self.board.count.load(Ordering::SeqCst);
            if count != self.seen {
                self.seen = count;
                return;
            }
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Announcer;
    use futures_util::FutureExt as _;
    use std::sync::{Arc, Mutex};
    use tokio::task::JoinSet;

    #[tokio::test]
    async fn all_who_wait_are_woken_in_the_order_in_which_they_came() {
        let (announcer, woken) = (Announcer::default(), Arc::new(Mutex::new(Vec::new())));
        let mut waiting = JoinSet::new();
        for number in 0..40 {
            let (mut changes, woken) = (announcer.changes(), Arc::clone(&woken));
            waiting.spawn(async move {
                changes.changed().await;
                woken.lock().unwrap().push(number);
            });
        }
        tokio::task::yield_now().await;
        announcer.announce();
        waiting.join_all().await;
        assert_eq!(*woken.lock().unwrap(), (0..40).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_was_announced_before_somebody_looked_is_seen_once() {
        let announcer = Announcer::default();
        let mut changes = announcer.changes();
        assert!(changes.changed().now_or_never().is_none());
        announcer.announce();
        announcer.announce();
        assert!(changes.changed().now_or_never().is_some());
        assert!(changes.changed().now_or_never().is_none());
        announcer.announce();
        changes.catch_up();
        assert!(changes.changed().now_or_never().is_none());
    }
}
