//! Keeps a refresh token alive where nothing is asked of its system: most lapse after some weeks
//! without use, and then a person has to connect again.

use super::Link;
use crate::context::later;
use ml_connector_core::plan::Auth;
use std::sync::Arc;
use std::time::Duration;

/// The wait after a renewal that could not be made.
const AGAIN: Duration = Duration::from_secs(60 * 60);

impl Link {
    /// Runs until the engine stops, where the connector says how long its token may lie.
    pub(crate) async fn keep(self: Arc<Self>) {
        let Auth::OauthRefresh(oauth) = self.caller.auth() else {
            return;
        };
        let Some(within) = oauth.renew_within else {
            return;
        };
        let clock = Arc::clone(&self.caller.seams.clock);
        // Nobody knows how long it lay before the start.
        let mut due = self.caller.now();
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = clock.sleep_until(due) => {}
            }
            // Whoever enters has a token that lives; one that has ended is renewed for it.
            let entered = self.enter(false).await.is_ok();
            let wait = if entered { within } else { within.min(AGAIN) };
            due = later(self.caller.now(), wait);
        }
    }
}
