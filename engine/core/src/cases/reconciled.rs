//! Cases of statements: what reconciling one shows, by the same code that compares it in earnest.

use super::{Case, stage};
use crate::delivery::{StateKind, Trouble};
use crate::identity::IntegrationId;
use crate::plan::Integration;
use crate::reconcile::{
    self, Answers, Expected, Line, Named, Posting, Question, Reconciling, Standing, Turn, compare,
};
use crate::rehearsal::Given;
use indexmap::IndexMap;
use serde_json::{Map, Value as Document, json};
use std::collections::HashSet;
use std::sync::Arc;

/// A statement of the source, and what was posted of it.
#[derive(Debug, Clone)]
pub struct Statement {
    /// As the source gives it.
    pub document: Document,
    /// The deliveries that post its lines.
    pub posted: Vec<Posted>,
}

/// A delivery that posts lines of a statement.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The integration that made it.
    pub integration: IntegrationId,
    /// What it has come to.
    pub state: StateKind,
    /// As expressions read it.
    pub posting: Posting,
    /// What each read of a line gives for it, by its name.
    pub fetch: IndexMap<String, Given>,
}

/// Why a case does not come to an end, and how to mend it.
type Broken = (String, String);

/// What reconciling the statement shows, in the form of the case's `expect`.
pub(super) fn document(
    integration: &Arc<Integration>,
    case: &Case,
    statement: &Statement,
) -> Result<Document, Broken> {
    let (instance, _) = stage(integration, &case.settings, &case.params);
    let Some(reconciling) = Reconciling::new(&instance) else {
        let why = format!("`{}` reconciles nothing", integration.id);
        return Err((why, "give it a section `reconcile`".to_owned()));
    };
    let failed = |trouble: Trouble| {
        let help = "correct the integration's section `reconcile`, or what the case gives";
        (words(trouble), help.to_owned())
    };
    if !reconciling.wants(&statement.document).map_err(failed)? {
        return Ok(json!({ "not_reconciled": true }));
    }
    reconciling.id(&statement.document).map_err(failed)?;
    let read = settled(
        |answers| reconciling.statement(&statement.document, answers),
        |read, question| given(case, &case.fetch, read, question),
    );
    let read = read?.map_err(failed)?;
    let mut taken = HashSet::new();
    let mut lines = Vec::new();
    for expected in read.lines().map_err(failed)? {
        let named = statement.posted.iter().enumerate();
        let mut named = named.filter(|(_, posted)| posts(posted, &expected));
        let posted = named.find(|(at, _)| taken.insert((expected.kind.clone(), *at)));
        let standing = match posted {
            Some((_, posted)) => standing(case, &read, &expected, posted)?,
            None => Standing::Nothing(format!("`{}` has had no event of it", expected.integration)),
        };
        let compared = compare(&expected, standing);
        lines.extend(compared.iter().map(|line| shown(&expected, line)));
    }
    Ok(json!({ "reconciled": lines }))
}

/// How far the delivery is that posts a line, and what stands in the target for it.
fn standing(
    case: &Case,
    statement: &reconcile::Statement<'_>,
    expected: &Expected,
    posted: &Posted,
) -> Result<Standing, Broken> {
    if let Some(standing) = unposted(posted.state) {
        return Ok(standing);
    }
    let found = settled(
        |answers| statement.found(expected, &posted.posting, answers),
        |read, question| given(case, &posted.fetch, read, question),
    );
    Ok(match found? {
        Ok(found) => Standing::Posted(found),
        Err(trouble) => Standing::Open(format!("it cannot be looked for: {}", words(trouble))),
    })
}

/// Whether a delivery is one of those that a line names.
fn posts(posted: &Posted, expected: &Expected) -> bool {
    let posting = &posted.posting;
    let order_key = posting.order_key.as_ref();
    posted.integration == expected.integration
        && match &expected.by {
            Named::OrderKeys(keys) => order_key.is_some_and(|key| keys.contains(key)),
            Named::DedupKey(key) => posting.dedup_key == *key,
            Named::Reference(reference) => posting.reference.as_ref() == Some(reference),
        }
}

/// How far a delivery is that does not stand in the target for certain; nothing of one that is looked for there.
fn unposted(state: StateKind) -> Option<Standing> {
    let word = state.as_str();
    match state {
        StateKind::Delivered | StateKind::Joined => None,
        StateKind::Skipped | StateKind::Discarded => {
            Some(Standing::Nothing(format!("it was {word}")))
        }
        StateKind::Held | StateKind::Uncertain => Some(Standing::Open(format!("it is {word}"))),
        StateKind::Pending | StateKind::InFlight => {
            Some(Standing::Open("it has not been sent yet".to_owned()))
        }
    }
}

/// Asks until there is a result.
fn settled<T>(
    turn: impl Fn(&Answers) -> Result<Turn<T>, Trouble>,
    given: impl Fn(&str, &Question) -> Result<Document, Broken>,
) -> Result<Result<T, Trouble>, Broken> {
    let mut answers = Answers::default();
    loop {
        match turn(&answers) {
            Ok(Turn::Done(done)) => return Ok(Ok(done)),
            Ok(Turn::Ask { read, question }) => {
                let answer = given(&read, &question)?;
                answers.add(&question, answer);
            }
            Err(trouble) => return Ok(Err(trouble)),
        }
    }
}

/// What the case gives for a read.
fn given(
    case: &Case,
    fetch: &IndexMap<String, Given>,
    read: &str,
    question: &Question,
) -> Result<Document, Broken> {
    let what = match (fetch.get(read), question) {
        (Some(Given::Document(document)), _) => return Ok(document.clone()),
        (Some(Given::Response(_) | Given::NotYet), _) => {
            let why = format!("a raw answer is given for `{read}`");
            return Err((why, "give its result".to_owned()));
        }
        (None, Question::Crosswalk { table, key }) => {
            if let Some(rows) = case.crosswalks.get(table.as_str()) {
                return Ok(rows.get(key).cloned().unwrap_or(Document::Null));
            }
            format!("`{read}` asks crosswalk `{table}` for `{key}`")
        }
        (
            None,
            Question::Read {
                connection,
                operation,
                input,
            },
        ) => format!("`{read}` reads `{connection}.{operation}` with {input}"),
    };
    let why = format!("{what}, and the case does not say what that gives");
    let help = format!(
        "say under `fetch: {{ {read}: … }}` what it gives, null for \"not there\"; for a line, in its entry of `posted`"
    );
    Err((why, help))
}

/// A line in the form of `expect`; what there is none of is left out.
fn shown(expected: &Expected, line: &Line) -> Document {
    let wanted = &expected.amount;
    let amount = |value| Line::shown(value, wanted);
    let found = line.found.as_ref();
    let said = line.expected.as_ref();
    let other = found.map(|one| &one.currency);
    let members = [
        ("kind", Some(expected.kind.clone())),
        ("key", Some(expected.key.clone())),
        ("state", Some(line.state.as_str().to_owned())),
        ("date", Some(expected.date.clone())),
        ("currency", Some(wanted.currency.clone())),
        ("expected", said.map(|one| amount(one.value))),
        ("found", found.map(|one| amount(one.value))),
        (
            "found_currency",
            other.filter(|other| **other != wanted.currency).cloned(),
        ),
        ("difference", line.difference().map(amount)),
        ("document", line.document.clone()),
        ("why", Some(line.why.clone()).filter(|why| !why.is_empty())),
    ];
    let members = members.into_iter();
    let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    Document::Object(members.collect::<Map<_, _>>())
}

fn words(trouble: Trouble) -> String {
    match trouble {
        Trouble::Passing { why, .. } | Trouble::Lasting { why, .. } => why,
    }
}
