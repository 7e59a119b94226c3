//! What a person's decision makes of a delivery.

use super::{Refused, Turn, refusal};
use crate::delivery::{Decision, DeliveryState, StateKind};

impl Turn<'_> {
    /// Takes a decision, or refuses it where it could lead to a second posting or to none.
    pub(super) fn decided(
        &mut self,
        state: &DeliveryState,
        decision: Decision,
        reason: String,
    ) -> Result<DeliveryState, Refused> {
        let open = matches!(
            state.kind(),
            StateKind::Pending | StateKind::Held | StateKind::Uncertain
        );
        let posted = state.kind() == StateKind::Delivered;
        let dropped = matches!(state.kind(), StateKind::Skipped | StateKind::Discarded);
        let doubt = matches!(state, DeliveryState::Uncertain { .. })
            || matches!(state, DeliveryState::Held(hold) if hold.in_doubt);
        match decision {
            Decision::Retry if open && !doubt => Ok(self.fresh()),
            Decision::Retry if doubt => Err(refusal(
                state,
                "retry",
                ": the target may already have it; say `posted` or `not-posted` after looking there",
            )),
            Decision::NotPosted if open => Ok(self.anew()),
            Decision::Posted { receipt } if open => {
                Ok(self.finish(DeliveryState::Delivered { receipt }))
            }
            Decision::Discard if open => {
                // Remembered, so that nothing takes it up again as if it had never been sent.
                self.progress.maybe_sent |= doubt || !self.progress.results.is_empty();
                Ok(self.finish(DeliveryState::Discarded { reason }))
            }
            Decision::Reopen if dropped && !self.progress.maybe_sent => {
                // Nobody has looked in the target for what was harmless to repeat.
                let maybe_done = self.progress.maybe_done;
                let state = self.anew();
                self.progress.maybe_done = maybe_done;
                Ok(state)
            }
            Decision::Reopen if dropped => {
                Err(refusal(state, "reopen", ": the target may already have it"))
            }
            Decision::PostAgain if posted || (dropped && self.progress.maybe_sent) => {
                self.progress.again = self.progress.again.saturating_add(1);
                self.progress.step = 0;
                self.progress.results.clear();
                self.progress.claim = None;
                self.progress.part = None;
                Ok(self.anew())
            }
            Decision::Reopen => Err(refusal(state, "reopen", "")),
            Decision::PostAgain => Err(refusal(state, "post again", "")),
            Decision::Retry => Err(refusal(state, "retry", "")),
            Decision::NotPosted => Err(refusal(state, "not posted", "")),
            Decision::Posted { .. } => Err(refusal(state, "posted", "")),
            Decision::Discard => Err(refusal(state, "discard", "")),
        }
    }
}
