//! Posting periods of the sub-ledgers (SY 3.6, 8.2).

use super::answer::Exception;
use super::company::{Company, Period};
use super::{Fault, Run};

/// The accounting month that a PostingPeriod flag names, if it is open. A closed one is an exception whose text says
/// `period` and `closed`; the real wording is not known (SY 8.2).
pub(crate) fn open_period(
    company: &Company,
    flag: &str,
    run: &Run<'_>,
) -> Result<Period, Exception> {
    let period = company.period_of(flag);
    if company.closed.contains(&period) || run.hit(&Fault::PeriodClosed) {
        let text = format!(
            "Posting period {:02} of {} is closed",
            period.number, period.year
        );
        return Err(Exception::new(text));
    }
    Ok(period)
}

/// Digits of a journal number (SY 9.2).
pub(crate) fn journal_digits(run: &Run<'_>) -> usize {
    if run.switches.version_8 { 10 } else { 5 }
}
