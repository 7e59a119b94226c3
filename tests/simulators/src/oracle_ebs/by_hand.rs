//! What people do to receipts at the screen, behind the engine's back.

use super::Simulator;
use rust_decimal::Decimal;

impl Simulator {
    /// Somebody deletes a receipt with this number. Gives how many there were.
    pub fn remove_receipt(&mut self, number: &str) -> usize {
        let before = self.tables.receipts.len();
        self.tables.receipts.retain(|_, own| own.number != number);
        before - self.tables.receipts.len()
    }

    /// Somebody enters another amount: more by so much.
    pub fn correct_receipt(&mut self, number: &str, by: Decimal) {
        let receipts = self.tables.receipts.values_mut();
        for own in receipts.filter(|own| own.number == number) {
            own.amount += by;
        }
    }

    /// Somebody enters a receipt once more, under the same number.
    pub fn repeat_receipt(&mut self, number: &str) {
        let receipts = self.tables.receipts.values();
        let again: Vec<_> = receipts
            .filter(|own| own.number == number)
            .cloned()
            .collect();
        for mut receipt in again {
            receipt.id = self.tables.next_id();
            self.tables.receipts.insert(receipt.id, receipt);
        }
    }
}
