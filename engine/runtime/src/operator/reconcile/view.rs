//! A reconciliation as people and programs see it.

use jiff::Timestamp;
use ml_connector_core::identity::InstanceId;
use ml_connector_core::reconcile::{Amount, Expected, Line, LineState};
use ml_connector_store::Delivery;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form of the document.
const VERSION: u32 = 1;

/// A reconciliation: every line of the statements, and what stands in the target for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reconciliation {
    /// Version of this document's form.
    pub version: u32,
    /// The integration that says what is compared, as the site names it.
    pub integration: String,
    /// When it was made.
    #[schemars(with = "String")]
    pub made_at: Timestamp,
    /// The statements, in the order of the source.
    pub statements: Vec<String>,
    /// How many lines there are of each state: matched, missing, extra, `amount_differs`, `in_doubt`.
    pub states: BTreeMap<String, u64>,
    /// What all lines come to, by currency and kind.
    pub sums: Vec<ReconciledSum>,
    /// The lines, by statement.
    pub lines: Vec<ReconciledLine>,
}

/// What lines of one kind and currency come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconciledSum {
    /// The kind of lines.
    pub kind: String,
    /// ISO 4217 code.
    pub currency: String,
    /// What the source says, in major units; exact.
    pub expected: String,
    /// What stands in the target.
    pub found: String,
    /// What stands in the target less what the source says.
    pub difference: String,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconciledLine {
    /// The statement it stands in.
    pub statement: String,
    /// Its kind, e.g. `payment`, `refund`, `fees`.
    pub kind: String,
    /// What it is about, e.g. the payment's id.
    pub key: String,
    /// matched, missing, extra, `amount_differs` or `in_doubt`.
    pub state: String,
    /// Its date, as the source writes it.
    pub date: String,
    /// ISO 4217 code.
    pub currency: String,
    /// What the source says, in major units; null for what is extra.
    pub expected: Option<String>,
    /// What stands in the target; null where nothing does, or nobody can say.
    pub found: Option<String>,
    /// The currency of `found`, where it is another.
    pub found_currency: Option<String>,
    /// `found` less `expected`; null where the currencies differ.
    pub difference: Option<String>,
    /// Our reference in the target's document.
    pub reference: Option<String>,
    /// What the target calls it.
    pub document: Option<String>,
    /// The delivery that posts it, e.g. `dlv_42`.
    pub delivery: Option<String>,
    /// Why it is so, where that is not plain.
    pub why: Option<String>,
}

impl Reconciliation {
    /// Of these lines, whose statements have these names.
    pub(super) fn of(
        integration: &InstanceId,
        made_at: Timestamp,
        statements: Vec<String>,
        lines: &[Compared<'_>],
    ) -> Self {
        let statement = |line: &Compared<'_>| statements.get(line.sheet).map_or("", String::as_str);
        let shown = lines
            .iter()
            .map(|line| view(statement(line), line))
            .collect();
        Self {
            version: VERSION,
            integration: integration.to_string(),
            made_at,
            states: states(lines.iter().map(|line| line.line.state)),
            sums: sums(lines),
            lines: shown,
            statements,
        }
    }

    /// Whether every line matched.
    pub fn agrees(&self) -> bool {
        let matched = LineState::Matched.as_str();
        self.lines.iter().all(|line| line.state == matched)
    }
}

/// A line that was compared.
pub(super) struct Compared<'a> {
    /// Number of its statement.
    pub(super) sheet: usize,
    pub(super) expected: &'a Expected,
    pub(super) line: Line,
    pub(super) delivery: Option<&'a Delivery>,
}

fn states(lines: impl Iterator<Item = LineState>) -> BTreeMap<String, u64> {
    let mut states: BTreeMap<String, u64> = LineState::ALL
        .map(|state| (state.as_str().to_owned(), 0))
        .into();
    for state in lines {
        *states.entry(state.as_str().to_owned()).or_default() += 1;
    }
    states
}

/// What the lines come to. A sum that has more digits than can be added exactly is left at what was added before.
fn sums(lines: &[Compared<'_>]) -> Vec<ReconciledSum> {
    let mut sums: BTreeMap<(&str, &str), (Decimal, Decimal)> = BTreeMap::new();
    for Compared { expected, line, .. } in lines {
        let kind = expected.kind.as_str();
        if let Some(amount) = &line.expected {
            let sum = sums.entry((kind, &amount.currency)).or_default();
            sum.0 = sum.0.checked_add(amount.value).unwrap_or(sum.0);
        }
        if let Some(amount) = &line.found {
            let sum = sums.entry((kind, &amount.currency)).or_default();
            sum.1 = sum.1.checked_add(amount.value).unwrap_or(sum.1);
        }
    }
    sums.into_iter()
        .map(|((kind, currency), (mut expected, mut found))| {
            // Nothing is 0.00 where cents are compared.
            let scale = expected.scale().max(found.scale());
            expected.rescale(scale);
            found.rescale(scale);
            ReconciledSum {
                kind: kind.to_owned(),
                currency: currency.to_owned(),
                expected: expected.to_string(),
                found: found.to_string(),
                difference: found.checked_sub(expected).unwrap_or_default().to_string(),
            }
        })
        .collect()
}

fn view(statement: &str, compared: &Compared<'_>) -> ReconciledLine {
    let Compared {
        expected,
        line,
        delivery,
        ..
    } = compared;
    let shown = |value: Decimal| Line::shown(value, &expected.amount);
    let text = |amount: &Option<Amount>| amount.as_ref().map(|amount| shown(amount.value));
    let currency = &expected.amount.currency;
    let other = line.found.as_ref().map(|found| &found.currency);
    ReconciledLine {
        statement: statement.to_owned(),
        kind: expected.kind.clone(),
        key: expected.key.clone(),
        state: line.state.as_str().to_owned(),
        date: expected.date.clone(),
        currency: currency.clone(),
        expected: text(&line.expected),
        found: text(&line.found),
        found_currency: other.filter(|other| *other != currency).cloned(),
        difference: line.difference().map(shown),
        reference: delivery.and_then(|one| one.reference.as_ref().map(ToString::to_string)),
        document: line.document.clone(),
        delivery: delivery.map(|one| one.id.to_string()),
        why: Some(line.why.clone()).filter(|why| !why.is_empty()),
    }
}
