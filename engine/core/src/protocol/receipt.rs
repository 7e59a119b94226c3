//! Results and receipts: what an answer gave, and what the target calls what it made.

use super::{Answer, Call};
use crate::delivery::Receipt;
use crate::plan::{AnswerFormat, BodyFormat, ResultSpec};
use crate::template::{Leg, Path, Scope, Template};
use indexmap::IndexMap;
use serde_json::Value as Document;
use std::collections::BTreeMap;

/// The receipt entry that lists what could not be read after a success. What stands in the target
/// stands there, whether or not we could read its number.
pub const UNREAD: &str = "unread";

/// Evaluates a receipt's templates. Null entries are left out; those without a value are listed
/// under [`UNREAD`].
pub(super) fn receipt(templates: &IndexMap<String, Template>, scope: &Scope<'_>) -> Receipt {
    let mut entries = BTreeMap::new();
    let mut unread = Vec::new();
    for (name, template) in templates {
        match template.value(scope) {
            Ok(Document::Null) => {}
            Ok(value) => {
                entries.insert(name.clone(), value);
            }
            Err(error) => unread.push(Document::from(format!("{name}: {}", error.why))),
        }
    }
    if !unread.is_empty() {
        entries.insert(UNREAD.to_owned(), Document::Array(unread));
    }
    Receipt(entries)
}

/// Selects the result out of an answer's body.
///
/// # Errors
/// In words, if the body is not what the operation says comes back: unreadable, without the place
/// where the result should stand, with several where one is expected, or of another kind. An answer
/// of a proxy must not pass for "nothing there".
pub(super) fn select(call: &Call<'_>, answer: &Answer) -> Result<Document, String> {
    if let Some(why) = &answer.unreadable {
        return Err(format!("the answer cannot be read: {why}"));
    }
    let spec = &call.operation.result;
    let result = match &spec.select {
        Some(path) => selected(call, spec, path, &answer.body)?,
        None => answer.body.clone(),
    };
    check_kind(spec, &result)?;
    Ok(result)
}

fn selected(
    call: &Call<'_>,
    spec: &ResultSpec,
    path: &Path,
    body: &Document,
) -> Result<Document, String> {
    let mut nodes = path.all(body).into_iter().cloned();
    if !spec.list {
        let Some(node) = nodes.next() else {
            return Err(format!("the answer has nothing at `{}`", path.source()));
        };
        return match nodes.count() {
            0 => Ok(node),
            more => Err(format!(
                "the answer has {} at `{}`, not one",
                more + 1,
                path.source()
            )),
        };
    }
    let list: Vec<Document> = nodes.collect();
    if list.is_empty() && !container_is_there(call, spec, path, body) {
        return Err(format!("the answer has no place for `{}`", path.source()));
    }
    Ok(Document::Array(list))
}

/// Whether an empty list means "none": what should hold the items is there. In JSON that is the
/// list itself; in XML, where an empty list leaves no trace, it is the root element.
fn container_is_there(call: &Call<'_>, spec: &ResultSpec, path: &Path, body: &Document) -> bool {
    let Some(legs) = path.legs() else {
        return matches!(body, Document::Object(_) | Document::Array(_));
    };
    let format: &AnswerFormat = spec.answer.as_ref().unwrap_or(&call.connector.http.answer);
    let is_xml = matches!(format.body, BodyFormat::Xml | BodyFormat::XmlOrText);
    let until = legs
        .iter()
        .position(|leg| matches!(leg, Leg::All))
        .unwrap_or(legs.len());
    let depth = if is_xml { until.min(1) } else { until };
    let mut here = body;
    for leg in legs.iter().take(depth) {
        let next = match (leg, here) {
            (Leg::Name(name), Document::Object(members)) => members.get(name),
            (Leg::Index(at), Document::Array(items)) => {
                usize::try_from(*at).ok().and_then(|at| items.get(at))
            }
            _ => None,
        };
        let Some(next) = next else { return false };
        here = next;
    }
    is_xml
        || matches!(
            here,
            Document::Array(_) | Document::Object(_) | Document::Null
        )
}

/// The kind of the result's top, where its schema names it. More would make every new member of
/// theirs an incident.
fn check_kind(spec: &ResultSpec, result: &Document) -> Result<(), String> {
    let Some(kind) = spec.schema.get("type").and_then(Document::as_str) else {
        return Ok(());
    };
    let fits = |value: &Document| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        _ => true,
    };
    let all_fit = match result {
        Document::Array(items) if spec.list => items.iter().all(fits),
        Document::Null
        | Document::Bool(_)
        | Document::Number(_)
        | Document::String(_)
        | Document::Array(_)
        | Document::Object(_) => fits(result),
    };
    if all_fit {
        return Ok(());
    }
    Err(format!(
        "the answer is not the {kind} that the operation says comes back"
    ))
}
