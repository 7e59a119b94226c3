//! One line against what was found for it.

use super::{Amount, Expected, Found};
use jiff::Timestamp;
use rust_decimal::Decimal;

/// What comparing a line with the target shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineState {
    /// It stands there once, with the same amount.
    Matched,
    /// It does not stand there.
    Missing,
    /// It stands there, and the source knows nothing of it.
    Extra,
    /// It stands there with another amount or currency.
    AmountDiffers,
    /// Its delivery has not ended, so nobody can say yet.
    InDoubt,
}

impl LineState {
    /// All, in the order they are listed.
    pub const ALL: [Self; 5] = [
        Self::Matched,
        Self::Missing,
        Self::Extra,
        Self::AmountDiffers,
        Self::InDoubt,
    ];

    /// The word used in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::AmountDiffers => "amount_differs",
            Self::InDoubt => "in_doubt",
        }
    }
}

/// One line of a reconciliation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What was seen.
    pub state: LineState,
    /// What the source says; nothing for what is extra.
    pub expected: Option<Amount>,
    /// What stands in the target; nothing for what is missing or in doubt.
    pub found: Option<Amount>,
    /// What the target calls it.
    pub document: Option<String>,
    /// Why it is so, where that is not plain.
    pub why: String,
}

impl Line {
    /// An amount as people compare it with what was expected: a target may write 45 for 45.00.
    pub fn shown(mut value: Decimal, expected: &Amount) -> String {
        let scale = expected.value.scale();
        if value.scale() < scale {
            value.rescale(scale);
        }
        value.to_string()
    }

    /// What is found less what is expected; nothing where the currencies differ.
    pub fn difference(&self) -> Option<Decimal> {
        let value =
            |amount: &Option<Amount>| amount.as_ref().map_or(Decimal::ZERO, |one| one.value);
        if let (Some(expected), Some(found)) = (&self.expected, &self.found)
            && expected.currency != found.currency
        {
            return None;
        }
        value(&self.found).checked_sub(value(&self.expected))
    }
}

/// How far the delivery is that posts a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// None was made, or it posts nothing: why.
    Nothing(String),
    /// It has not ended: why.
    Open(String),
    /// It has ended with these documents in the target.
    Posted(Vec<Found>),
}

/// A line of a statement, and what is extra beside it.
pub fn compare(expected: &Expected, standing: Standing) -> Vec<Line> {
    let wanted = &expected.amount;
    let alone = |state, why| Line {
        state,
        expected: Some(wanted.clone()),
        found: None,
        document: None,
        why,
    };
    let mut found = match standing {
        Standing::Nothing(why) => return vec![alone(LineState::Missing, why)],
        Standing::Open(why) => return vec![alone(LineState::InDoubt, why)],
        Standing::Posted(found) => found,
    };
    let same =
        |one: &Found| one.amount.value == wanted.value && one.amount.currency == wanted.currency;
    let exact = found.iter().position(same);
    let mut lines = Vec::with_capacity(found.len().max(1));
    if found.is_empty() {
        let why = "it was delivered, and the target does not have it".to_owned();
        lines.push(alone(LineState::Missing, why));
    } else {
        let one = found.remove(exact.unwrap_or(0));
        let (state, why) = match exact {
            Some(_) => (LineState::Matched, String::new()),
            None if one.amount.currency != wanted.currency => (
                LineState::AmountDiffers,
                "it stands there in another currency".to_owned(),
            ),
            None => (LineState::AmountDiffers, String::new()),
        };
        lines.push(Line {
            state,
            expected: Some(wanted.clone()),
            found: Some(one.amount),
            document: one.document,
            why,
        });
    }
    lines.extend(found.into_iter().map(|one| Line {
        state: LineState::Extra,
        expected: None,
        found: Some(one.amount),
        document: one.document,
        why: "the target has it more than once".to_owned(),
    }));
    lines
}

/// Which of several deliveries posts which of several lines that are about the same: those come first that have posted
/// something, or may have (the lowest rank), and among them the one that was accepted nearest to the line's date. Each
/// delivery posts one line.
pub fn assign(dates: &[Timestamp], deliveries: &[(u8, Timestamp)]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..dates.len()).collect();
    order.sort_by_key(|line| dates.get(*line));
    let mut taken = vec![false; deliveries.len()];
    let mut assigned = vec![None; dates.len()];
    for line in order {
        let Some(date) = dates.get(line) else {
            continue;
        };
        let free = deliveries.iter().enumerate();
        let free = free.filter(|(at, _)| !taken.get(*at).copied().unwrap_or(true));
        let nearest = free.min_by_key(|(_, (rank, accepted))| {
            (*rank, accepted.duration_since(*date).abs(), *accepted)
        });
        let Some((at, _)) = nearest else { continue };
        if let (Some(taken), Some(assigned)) = (taken.get_mut(at), assigned.get_mut(line)) {
            *taken = true;
            *assigned = Some(at);
        }
    }
    assigned
}
