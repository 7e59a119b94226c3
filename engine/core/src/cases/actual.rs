//! What came of a case, in the form in which a case states what it expects.

use super::request_document;
use crate::delivery::{Awaited, Class, Outcome, Receipt, Trouble};
use crate::identity::{DedupKey, OrderKey, Reference};
use crate::rehearsal::{End, Rehearsed, Verdict, Written};
use serde_json::{Map, Value as Document, json};
use std::time::Duration;

/// How much of a document is compared.
enum Form {
    /// All of it.
    Exact,
    /// Only members that are stated; these as listed, or exactly.
    Stated(&'static [(&'static str, Form)]),
    /// All members; these as listed, or exactly. For a choice of one.
    Choice(&'static [(&'static str, Form)]),
    /// Only stated members, whatever the case of their names.
    Headers,
    /// A list; each element so.
    Each(&'static Form),
}

const TROUBLE: Form = Form::Stated(&[]);

const EXPECT: Form = Form::Choice(&[
    (
        "deliver",
        Form::Stated(&[
            ("request", Form::Stated(&[("headers", Form::Headers)])),
            (
                "outcome",
                Form::Choice(&[
                    ("retry", TROUBLE),
                    ("throttle", TROUBLE),
                    ("reauthenticate", TROUBLE),
                    ("rejected", TROUBLE),
                    ("unknown", TROUBLE),
                ]),
            ),
        ]),
    ),
    ("held", TROUBLE),
    ("reconciled", Form::Each(&TROUBLE)),
]);

/// What came of it, as far as `expect` states something about it.
pub(super) fn as_stated(expect: &Document, actual: Document) -> Document {
    restrict(&EXPECT, expect, actual)
}

fn restrict(form: &Form, stated: &Document, found: Document) -> Document {
    if let (Form::Each(form), Document::Array(stated), Document::Array(found)) =
        (form, stated, &found)
    {
        // What is beyond the stated ones is shown whole.
        let items = found.iter().enumerate();
        let items = items.map(|(at, item)| match stated.get(at) {
            Some(stated) => restrict(form, stated, item.clone()),
            None => item.clone(),
        });
        return Document::Array(items.collect());
    }
    let (Document::Object(stated), Document::Object(found)) = (stated, &found) else {
        return found;
    };
    let (forms, all) = match form {
        Form::Exact | Form::Each(_) => return Document::Object(found.clone()),
        Form::Headers => return Document::Object(headers(stated, found)),
        Form::Stated(forms) => (forms, false),
        Form::Choice(forms) => (forms, true),
    };
    let kept = found
        .iter()
        .filter(|(name, _)| all || stated.contains_key(*name));
    let kept = kept.map(|(name, value)| {
        let form = forms
            .iter()
            .find(|(one, _)| one == name)
            .map_or(&Form::Exact, |(_, form)| form);
        let stated = stated.get(name).unwrap_or(&Document::Null);
        (name.clone(), restrict(form, stated, value.clone()))
    });
    Document::Object(kept.collect())
}

/// The stated header fields under the names the case uses.
fn headers(stated: &Map<String, Document>, found: &Map<String, Document>) -> Map<String, Document> {
    let of = |wanted: &str| {
        found
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    stated
        .keys()
        .filter_map(|name| Some((name.clone(), of(name)?.clone())))
        .collect()
}

/// Everything that came of it.
pub(super) fn document(rehearsed: &Rehearsed) -> Document {
    match &rehearsed.end {
        End::NotRouted | End::NotGiven(_) => json!({ "not_routed": true }),
        End::Skipped { reason } => json!({ "skipped": reason }),
        End::Trouble(found) => json!({ "held": trouble(found) }),
        End::Unwritable(error) => {
            json!({ "held": { "class": Class::Value.as_str(), "why": error.to_string() } })
        }
        End::Deliver(written) => json!({ "deliver": deliver(rehearsed, written) }),
    }
}

fn deliver(rehearsed: &Rehearsed, written: &Written) -> Document {
    let prepared = &written.prepared;
    let mut document = Map::new();
    let text = |text: Option<&str>| text.map_or(Document::Null, Document::from);
    document.insert(
        "dedup_key".into(),
        text(rehearsed.dedup_key.as_ref().map(DedupKey::as_str)),
    );
    document.insert(
        "order_key".into(),
        text(rehearsed.order_key.as_ref().map(OrderKey::as_str)),
    );
    document.insert(
        "reference".into(),
        text(prepared.reference.as_ref().map(Reference::as_str)),
    );
    document.insert(
        "operation".into(),
        format!("{}.{}", prepared.connection, prepared.operation).into(),
    );
    document.insert("input".into(), prepared.input.clone());
    document.insert("request".into(), request_document(&written.request));
    if let Some(verdict) = &written.verdict {
        document.insert("outcome".into(), outcome(&verdict.outcome));
        document.insert("remember".into(), remembered(verdict));
    }
    Document::Object(document)
}

fn remembered(verdict: &Verdict) -> Document {
    match &verdict.remembered {
        Ok(entries) => entries
            .iter()
            .map(|(table, key, values)| {
                json!({ "crosswalk": table.as_str(), "key": key, "values": values })
            })
            .collect(),
        Err(found) => json!({ "held": trouble(found) }),
    }
}

fn outcome(outcome: &Outcome) -> Document {
    let receipt = |receipt: &Receipt| json!(receipt.0);
    match outcome {
        Outcome::Succeeded { receipt: found, .. } => json!({ "succeeded": receipt(found) }),
        Outcome::AlreadyThere { receipt: found } => json!({ "already_there": receipt(found) }),
        Outcome::Retry { after, class, why } => {
            json!({ "retry": said(Some(*class), why, "", *after) })
        }
        Outcome::Throttle { after, why } => json!({ "throttle": said(None, why, "", *after) }),
        Outcome::Reauthenticate { why } => json!({ "reauthenticate": said(None, why, "", None) }),
        Outcome::Rejected { class, why, help } => {
            json!({ "rejected": said(Some(*class), why, help, None) })
        }
        Outcome::Unknown { why } => json!({ "unknown": said(None, why, "", None) }),
    }
}

fn trouble(trouble: &Trouble) -> Document {
    match trouble {
        Trouble::Passing { class, why, after } => said(Some(*class), why, "", *after),
        Trouble::Lasting {
            class,
            why,
            help,
            awaits,
        } => {
            let mut document = said(Some(*class), why, help, None);
            if let (
                Some(Awaited::Crosswalk { table, key } | Awaited::Column { table, key, .. }),
                Document::Object(members),
            ) = (awaits, &mut document)
            {
                let entry = json!({ "crosswalk": table.as_str(), "key": key });
                members.insert("awaits".into(), entry);
            }
            document
        }
    }
}

fn said(class: Option<Class>, why: &str, help: &str, after: Option<Duration>) -> Document {
    let mut document = Map::new();
    if let Some(class) = class {
        document.insert("class".into(), class.as_str().into());
    }
    document.insert("why".into(), why.into());
    if !help.is_empty() {
        document.insert("help".into(), help.into());
    }
    if let Some(after) = after {
        document.insert("after".into(), duration(after).into());
    }
    Document::Object(document)
}

/// A duration in the largest unit that gives a whole number, as definitions write it.
fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
    ];
    let unit = units
        .into_iter()
        .find(|(size, _)| millis >= *size && millis.is_multiple_of(*size));
    unit.map_or_else(
        || format!("{millis}ms"),
        |(size, unit)| format!("{}{unit}", millis / size),
    )
}

#[cfg(test)]
mod tests {
    use super::{as_stated, duration};
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn what_is_not_stated_is_not_compared() {
        let expect = json!({ "deliver": {
            "request": { "headers": { "content-type": "text/xml" }, "query": { "a": "1" } },
            "outcome": { "retry": { "class": "lock" } },
        } });
        let actual = json!({ "deliver": {
            "dedup_key": "EV1",
            "request": {
                "method": "GET",
                "headers": { "Content-Type": "text/xml", "Accept": "*/*" },
                "query": { "a": "1", "b": "2" },
            },
            "outcome": { "retry": { "class": "lock", "why": "locked" } },
        } });
        let stated = as_stated(&expect, actual);
        assert_eq!(
            stated,
            json!({ "deliver": {
                "request": {
                    "headers": { "content-type": "text/xml" },
                    "query": { "a": "1", "b": "2" },
                },
                "outcome": { "retry": { "class": "lock" } },
            } })
        );
    }

    #[test]
    fn another_end_is_shown_whole() {
        let expect = json!({ "deliver": { "dedup_key": "EV1" } });
        let actual = json!({ "held": { "class": "value", "why": "no" } });
        assert_eq!(as_stated(&expect, actual.clone()), actual);
        let expect = json!({ "deliver": { "outcome": { "retry": {} } } });
        let actual = json!({ "deliver": { "outcome": { "succeeded": { "journal": "5" } } } });
        assert_eq!(as_stated(&expect, actual.clone()), actual);
    }

    #[test]
    fn a_receipt_is_compared_whole() {
        let expect = json!({ "deliver": { "outcome": { "succeeded": { "a": "1" } } } });
        let actual = json!({ "deliver": { "outcome": { "succeeded": { "a": "1", "b": "2" } } } });
        assert_eq!(as_stated(&expect, actual.clone()), actual);
    }

    #[test]
    fn durations_are_written_as_definitions_write_them() {
        let text = |millis| duration(Duration::from_millis(millis));
        assert_eq!(
            [text(250), text(90_000), text(900_000), text(86_400_000)],
            ["250ms", "90s", "15m", "1d"]
        );
    }
}
