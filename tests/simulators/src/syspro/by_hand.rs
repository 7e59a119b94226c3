//! What people do to receipts at the screen, behind the engine's back.

use super::company::Company;
use rust_decimal::Decimal;

impl Company {
    /// Somebody takes a receipt out: its movements are gone. Gives how many there were.
    pub fn remove_receipt(&mut self, reference: &str) -> usize {
        let before = self.pays.len();
        self.pays.retain(|pay| pay.reference != reference);
        self.receipts.retain(|own| own.reference != reference);
        before - self.pays.len()
    }

    /// Somebody corrects what a receipt moved on an invoice: each of its movements by so much.
    pub fn correct_receipt(&mut self, reference: &str, by: Decimal) {
        let movements = self.pays.iter_mut();
        for pay in movements.filter(|pay| pay.reference == reference) {
            pay.value += if pay.value.is_sign_negative() {
                -by
            } else {
                by
            };
        }
    }

    /// Somebody enters a receipt once more, in a journal of its own, with the same reference.
    pub fn repeat_receipt(&mut self, reference: &str) {
        let movements = self.pays.iter();
        let mut again: Vec<_> = movements
            .filter(|pay| pay.reference == reference)
            .cloned()
            .collect();
        for pay in &mut again {
            pay.journal = format!("{}9", pay.journal);
            pay.entry = self.next_entry(&pay.customer.clone(), &pay.invoice.clone());
        }
        self.pays.extend(again);
    }
}
