//! Pauses: a person stops a connection or an integration, and lets it go on. They are acts in the
//! journal, so they last until somebody resumes, however often the engine starts in between.

use crate::connection::{Links, Pause};
use crate::context::Context;
use ml_connector_store::{Pausable, Paused};

/// Makes a pause effective in a running engine. Of a connection that the site does not have there
/// is nothing to stop.
pub(crate) fn paused(context: &Context, links: &Links, paused: Paused) {
    match paused.what {
        Pausable::Connection(connection) => {
            if let Some(link) = links.get(&connection) {
                link.circuit().pause(Pause {
                    actor: paused.actor,
                    reason: paused.reason,
                    since: paused.since,
                });
            }
        }
        Pausable::Integration(instance) => context.pauses.set(&instance, true),
    }
}

/// Ends a pause in a running engine.
pub(super) fn resumed(context: &Context, links: &Links, what: &Pausable) {
    match what {
        Pausable::Connection(connection) => {
            if let Some(link) = links.get(connection) {
                link.resume();
            }
        }
        Pausable::Integration(instance) => {
            context.pauses.set(instance, false);
            context.lanes.wake_all();
        }
    }
}
