//! Structured content: trees of templates become documents.

use super::EncodeError;
use crate::plan::Tree;
use crate::template::{Read, Scope};
use serde_json::{Map, Value as Document};

/// The most items that one `for` makes.
const ITEMS_MAX: usize = 100_000;

/// Evaluates a tree; `None` is left out: a null leaf, or an `if` that does not hold.
///
/// Maps and lists leave out members and items that are left out. What a leaf computes is data and
/// stays as it is.
///
/// # Errors
/// If a template has no value, or `for` walks what is no list; `place` says where.
pub(crate) fn evaluate(
    tree: &Tree,
    scope: &Scope<'_>,
    place: &str,
) -> Result<Option<Document>, EncodeError> {
    match tree {
        Tree::Leaf(template) => {
            let value = template
                .value(scope)
                .map_err(EncodeError::template(place))?;
            Ok(Some(value).filter(|value| !value.is_null()))
        }
        Tree::Map(members) => {
            let mut map = Map::new();
            for (name, member) in members {
                if let Some(value) = evaluate(member, scope, &format!("{place}.{name}"))? {
                    map.insert(name.clone(), value);
                }
            }
            Ok(Some(Document::Object(map)))
        }
        Tree::List(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (at, item) in items.iter().enumerate() {
                into(&mut list, item, scope, &format!("{place}[{at}]"))?;
            }
            Ok(Some(Document::Array(list)))
        }
        Tree::Each { list, name, each } => {
            let walked = list.value(scope).map_err(EncodeError::template(place))?;
            let Document::Array(walked) = walked else {
                let why = format!(
                    "`for` needs a list and got {}",
                    crate::value::kind_of(&walked)
                );
                return Err(EncodeError::value(place, why));
            };
            if walked.len() > ITEMS_MAX {
                return Err(EncodeError::value(
                    place,
                    format!("more than {ITEMS_MAX} items"),
                ));
            }
            let mut made = Vec::with_capacity(walked.len());
            for (at, item) in walked.iter().enumerate() {
                let scope = scope.clone().with(name, item);
                made.extend(evaluate(each, &scope, &format!("{place}[{at}]"))?);
            }
            Ok(Some(Document::Array(made)))
        }
        Tree::If {
            condition,
            then,
            otherwise,
        } => {
            if condition
                .holds(scope)
                .map_err(EncodeError::template(place))?
            {
                return evaluate(then, scope, place);
            }
            otherwise
                .as_ref()
                .map_or(Ok(None), |otherwise| evaluate(otherwise, scope, place))
        }
    }
}

/// Evaluates an item of a list into it. A `for` there gives its items to that list, not a list in the
/// list.
fn into(
    list: &mut Vec<Document>,
    item: &Tree,
    scope: &Scope<'_>,
    place: &str,
) -> Result<(), EncodeError> {
    match item {
        Tree::Each { .. } => {
            if let Some(Document::Array(made)) = evaluate(item, scope, place)? {
                list.extend(made);
            }
        }
        Tree::If {
            condition,
            then,
            otherwise,
        } => {
            let holds = condition
                .holds(scope)
                .map_err(EncodeError::template(place))?;
            match (holds, otherwise) {
                (true, _) => into(list, then, scope, place)?,
                (false, Some(otherwise)) => into(list, otherwise, scope, place)?,
                (false, None) => {}
            }
        }
        Tree::Leaf(_) | Tree::Map(_) | Tree::List(_) => list.extend(evaluate(item, scope, place)?),
    }
    Ok(())
}

/// Calls `see` with what every expression in the tree reads.
pub(crate) fn reads<'t>(tree: &'t Tree, see: &mut dyn FnMut(&'t [Read])) {
    match tree {
        Tree::Leaf(template) => see(template.reads()),
        Tree::Map(members) => members.iter().for_each(|(_, member)| reads(member, see)),
        Tree::List(items) => items.iter().for_each(|item| reads(item, see)),
        Tree::Each { list, each, .. } => {
            see(list.reads());
            reads(each, see);
        }
        Tree::If {
            condition,
            then,
            otherwise,
        } => {
            see(condition.reads());
            reads(then, see);
            if let Some(otherwise) = otherwise {
                reads(otherwise, see);
            }
        }
    }
}
