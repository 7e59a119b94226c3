//! What becomes of money after it was collected: it is given back, taken back, comes back, and is paid out.

use super::super::cast::CURRENCIES;
use super::super::collector::ask;
use crate::entropy::Entropy;
use crate::gocardless::{Kind, Simulator};
use jiff::Timestamp;
use ml_connector_core::http::Method;
use serde_json::json;

/// How many parts lie between two payouts.
const PAYOUT_EVERY: usize = 5;

/// Something that will happen to a payment, or to a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Fail,
    ChargeBack { withdrawn: bool },
    Withdraw,
    Refund { share: i64, bounces: bool },
    Bounce,
}

/// What will happen, and in which part.
#[derive(Debug, Default)]
pub(super) struct Turns(Vec<(usize, Turn, String)>);

impl Turns {
    /// Draws what becomes of a payment that was collected in this part; of most, nothing.
    pub(super) fn draw(&mut self, payment: &str, part: usize, entropy: &mut Entropy) {
        let turn = match entropy.below(16) {
            0 => Turn::Fail,
            1 => Turn::ChargeBack { withdrawn: false },
            2 => Turn::ChargeBack { withdrawn: true },
            3 => Turn::Refund {
                share: 3,
                bounces: false,
            },
            4 => Turn::Refund {
                share: 1,
                bounces: false,
            },
            5 => Turn::Refund {
                share: 2,
                bounces: true,
            },
            _ => return,
        };
        let wait = 1 + entropy.below(PAYOUT_EVERY + 1);
        self.0.push((part + wait, turn, payment.to_owned()));
    }

    /// Lets happen what is due in this part; money that waits is paid out now and then.
    pub(super) fn take(&mut self, part: usize, collector: &mut Simulator, now: Timestamp) {
        let due = |(at, ..): &mut (usize, Turn, String)| *at <= part;
        let due: Vec<_> = self.0.extract_if(.., due).collect();
        for (_, turn, id) in due {
            // Refused where it cannot be by now, e.g. a refund that is larger than what waits to be paid out.
            let done = match turn {
                Turn::Fail => collector.fail(&id, "refer_to_payer", now),
                Turn::ChargeBack { withdrawn } => {
                    if withdrawn {
                        self.0.push((part + 1, Turn::Withdraw, id.clone()));
                    }
                    collector.charge_back(&id, "authorisation_disputed", now)
                }
                Turn::Withdraw => collector.cancel_charge_back(&id, now),
                Turn::Refund { share, bounces } => {
                    let refund = give_back(collector, &id, share, now);
                    if let Some(refund) = refund.filter(|_| bounces) {
                        // Only what was taken out of a payout comes back.
                        let later = part + PAYOUT_EVERY + 1;
                        self.0.push((later, Turn::Bounce, refund));
                    }
                    continue;
                }
                Turn::Bounce => collector.bounce_refund(&id, now),
            };
            done.ok();
        }
        if part % PAYOUT_EVERY == PAYOUT_EVERY - 1 {
            for currency in CURRENCIES {
                collector.pay_out(currency, now);
            }
        }
    }
}

fn give_back(
    collector: &mut Simulator,
    payment: &str,
    share: i64,
    now: Timestamp,
) -> Option<String> {
    let amount = collector.resource(Kind::Payments, payment)?["amount"].as_i64()?;
    let refund = collector.refund(payment, amount / share, now).ok()?;
    collector.pay_refund(&refund, now).ok()?;
    Some(refund)
}

/// A payment that never brings any money: the bank refuses it, or somebody cancels it in the dashboard.
pub(super) fn never_comes(
    collector: &mut Simulator,
    payment: &str,
    entropy: &mut Entropy,
    now: Timestamp,
) {
    if entropy.below(2) == 0 {
        collector.fail(payment, "bank_account_closed", now).ok();
    } else {
        let path = format!("/payments/{payment}/actions/cancel");
        ask(
            collector,
            (Method::Post, &path),
            &json!({ "data": {} }),
            now,
        );
    }
}
