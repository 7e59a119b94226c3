//! State machines of mandates, payments, refunds and payouts (GC 2.4, 2.6, 2.7, 2.8, 4.5).

use super::Simulator;
use super::events::Happening;
use super::kind::Kind;
use super::schemes;
use jiff::Timestamp;

/// Why a resource cannot do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongState {
    /// No such resource.
    #[error("there is no {kind} {id}")]
    Missing {
        /// The kind, singular.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// The state machine has no such step from here.
    #[error("{kind} {id} is {status}, which does not allow {action}")]
    Status {
        /// The kind, singular.
        kind: &'static str,
        /// The id.
        id: String,
        /// The present status.
        status: String,
        /// The step.
        action: &'static str,
    },
}

/// One arrow: the event's action, where it may start, where it ends (`None`: stays).
struct Arrow {
    action: &'static str,
    from: &'static [&'static str],
    to: Option<&'static str>,
}

const fn arrow(
    action: &'static str,
    from: &'static [&'static str],
    to: Option<&'static str>,
) -> Arrow {
    Arrow { action, from, to }
}

/// GC 2.6, "State machine". `chargeback_cancelled` goes back to where the payment was; [`Simulator::advance`] knows.
const PAYMENT: &[Arrow] = &[
    arrow(
        "customer_approval_granted",
        &["pending_customer_approval"],
        Some("pending_submission"),
    ),
    arrow(
        "customer_approval_denied",
        &["pending_customer_approval"],
        Some("customer_approval_denied"),
    ),
    arrow("submitted", &["pending_submission"], Some("submitted")),
    arrow(
        "cancelled",
        &["pending_submission", "submitted"],
        Some("cancelled"),
    ),
    arrow("confirmed", &["submitted"], Some("confirmed")),
    arrow(
        "failed",
        &["submitted", "confirmed", "paid_out"],
        Some("failed"),
    ),
    arrow("paid_out", &["confirmed"], Some("paid_out")),
    arrow("late_failure_settled", &["failed"], None),
    arrow(
        "charged_back",
        &["paid_out", "confirmed"],
        Some("charged_back"),
    ),
    arrow("chargeback_settled", &["charged_back"], None),
    arrow("chargeback_cancelled", &["charged_back"], Some("confirmed")),
    arrow(
        "resubmission_requested",
        &["failed"],
        Some("pending_submission"),
    ),
];

const LIVE_MANDATE: &[&str] = &[
    "pending_customer_approval",
    "pending_submission",
    "submitted",
    "active",
    "suspended_by_payer",
];

/// GC 2.4, "State machine", with the shortcuts of the scenario simulators (GC 9.1).
const MANDATE: &[Arrow] = &[
    arrow(
        "customer_approval_granted",
        &["pending_customer_approval"],
        Some("pending_submission"),
    ),
    arrow(
        "customer_approval_skipped",
        &["pending_customer_approval"],
        Some("pending_submission"),
    ),
    arrow("submitted", &["pending_submission"], Some("submitted")),
    arrow(
        "active",
        &["pending_submission", "submitted"],
        Some("active"),
    ),
    arrow(
        "failed",
        &["pending_submission", "submitted"],
        Some("failed"),
    ),
    arrow("cancelled", LIVE_MANDATE, Some("cancelled")),
    arrow("replaced", LIVE_MANDATE, Some("cancelled")),
    arrow(
        "expired",
        &["active", "pending_submission"],
        Some("expired"),
    ),
    arrow("consumed", &["active"], Some("consumed")),
    arrow("blocked", &["active"], Some("blocked")),
    arrow("transferred", LIVE_MANDATE, None),
    arrow(
        "resubmission_requested",
        &["cancelled", "expired", "failed"],
        Some("pending_submission"),
    ),
    arrow(
        "reinstated",
        &["pending_submission", "submitted"],
        Some("active"),
    ),
];

const OPEN_REFUND: &[&str] = &["created", "pending_submission", "submitted", "paid"];

/// GC 2.7 and GC 4.5: the event `failed` means status `bounced`, and may come after `paid`.
const REFUND: &[Arrow] = &[
    arrow(
        "paid",
        &["created", "pending_submission", "submitted"],
        Some("paid"),
    ),
    arrow(
        "refund_settled",
        &[
            "created",
            "pending_submission",
            "submitted",
            "paid",
            "bounced",
        ],
        None,
    ),
    arrow("failed", OPEN_REFUND, Some("bounced")),
    arrow("funds_returned", &["bounced"], Some("funds_returned")),
];

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) from: String,
    pub(crate) event: String,
}

impl Simulator {
    /// Takes one step of a state machine and writes its event.
    pub(crate) fn advance(
        &mut self,
        kind: Kind,
        id: &str,
        happening: Happening,
        now: Timestamp,
    ) -> Result<Moved, WrongState> {
        let action = happening.action;
        let row = self.store.get(kind, id).ok_or_else(|| missing(kind, id))?;
        let from = row.text("status").to_owned();
        let arrows = if kind == Kind::Payments {
            PAYMENT
        } else if kind == Kind::Mandates {
            MANDATE
        } else {
            REFUND
        };
        let step = arrows
            .iter()
            .find(|arrow| arrow.action == action && arrow.from.contains(&from.as_str()))
            .ok_or_else(|| WrongState::Status {
                kind: kind.singular(),
                id: id.to_owned(),
                status: from.clone(),
                action,
            })?;
        let back_to_paid_out = action == "chargeback_cancelled" && self.is_in_payout(id);
        let to = if back_to_paid_out {
            Some("paid_out")
        } else {
            step.to
        };
        let happening = self.with_bank_details(kind, id, happening);
        if let (Some(to), Some(row)) = (to, self.store.get_mut(kind, id)) {
            row.set("status", to);
        }
        let event = self.emit(kind, id, happening, now);
        Ok(Moved { from, event })
    }

    /// Scheme and reason code stand on events of the bank only (GC 4.3).
    fn with_bank_details(&self, kind: Kind, id: &str, happening: Happening) -> Happening {
        let Some(row) = self
            .store
            .get(kind, id)
            .filter(|_| happening.is_from_bank())
        else {
            return happening;
        };
        let scheme = row.text("scheme").to_owned();
        let code = schemes::reason_code(&scheme, happening.cause(), happening.action);
        let happening = happening.detail("scheme", scheme);
        match code {
            Some(code) => happening.detail("reason_code", code),
            None => happening,
        }
    }

    /// The status of a resource; empty if there is none.
    pub(crate) fn status(&self, kind: Kind, id: &str) -> &str {
        self.store
            .get(kind, id)
            .map_or("", |row| row.text("status"))
    }
}

pub(crate) fn missing(kind: Kind, id: &str) -> WrongState {
    WrongState::Missing {
        kind: kind.singular(),
        id: id.to_owned(),
    }
}
