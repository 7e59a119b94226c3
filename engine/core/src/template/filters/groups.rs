//! Filters that group, cut and fingerprint.

use super::operators::equal;
use super::{Param, Spec, Trouble, arg, bounded, count, expected, items, text};
use crate::hex;
use crate::template::convert;
use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::Value as Document;
use sha2::{Digest as _, Sha256};

/// The longest parts that `chunk` makes.
const CHUNK_MAX: usize = 1_000_000;

pub(super) const TABLE: &[Spec] = &[
    Spec::filter(
        "group_by",
        &[Param::required("member")],
        "the items by a member, or by a list of members, as `[{key, items}]` in order of first appearance; a member that is \
         missing counts as null",
        group_by,
    ),
    Spec::filter(
        "chunk",
        &[Param::required("n")],
        "the items in parts of at most `n`, as a list of lists",
        chunk,
    ),
    Spec::filter(
        "fingerprint",
        &[],
        "32 hexadecimal digits that stand for everything in it, whatever the order of its members",
        |args| {
            let document = convert::to_document(arg(args, 0))?;
            Ok(Value::from(of(&document)))
        },
    ),
    Spec::filter(
        "odata_literal",
        &[Param::optional("type", "'plain'")],
        "as a literal of an OData v4 `$filter`: a text in quotes, a number or boolean as it is, null; with the types `guid`, \
         `date` and `datetimeoffset` a text without quotes",
        odata_literal,
    ),
];

/// 32 hexadecimal digits over a document's content. Members are taken in the order of their names, so that a system which
/// changes their order changes nothing.
pub(crate) fn of(document: &Document) -> String {
    let mut hash = Sha256::new();
    feed(document, &mut hash);
    let mut text = hex::of(&hash.finalize());
    text.truncate(32);
    text
}

fn feed(document: &Document, hash: &mut Sha256) {
    let sized = |hash: &mut Sha256, tag: u8, length: usize| {
        hash.update([tag]);
        hash.update((length as u64).to_be_bytes());
    };
    match document {
        Document::Object(members) => {
            sized(hash, b'o', members.len());
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            for name in names {
                sized(hash, b'n', name.len());
                hash.update(name);
                feed(members.get(name).unwrap_or(&Document::Null), hash);
            }
        }
        Document::Array(items) => {
            sized(hash, b'a', items.len());
            for item in items {
                feed(item, hash);
            }
        }
        Document::String(text) => {
            sized(hash, b's', text.len());
            hash.update(text);
        }
        Document::Null | Document::Bool(_) | Document::Number(_) => {
            let text = document.to_string();
            sized(hash, b'v', text.len());
            hash.update(text);
        }
    }
}

fn group_by(args: &[Value]) -> Result<Value, Trouble> {
    let by = arg(args, 1);
    let several = matches!(by.kind(), ValueKind::Seq | ValueKind::Iterable);
    let paths = if several {
        let paths = items(by)?;
        let paths = paths
            .iter()
            .map(|path| text(path).map(|path| path.to_string()));
        paths.collect::<Result<Vec<String>, Trouble>>()?
    } else {
        vec![text(by)?.to_string()]
    };
    let mut groups: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
    for item in items(arg(args, 0))? {
        let key: Vec<Value> = paths.iter().map(|path| member(&item, path)).collect();
        let mut found = None;
        for (at, (known, _)) in groups.iter().enumerate() {
            if same(known, &key)? {
                found = Some(at);
                break;
            }
        }
        match found.and_then(|at| groups.get_mut(at)) {
            Some((_, list)) => list.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    let made = groups.into_iter().map(|(mut key, list)| {
        let key = if several {
            Value::from(key)
        } else {
            key.pop().unwrap_or_default()
        };
        convert::map_of([("key", key), ("items", Value::from(list))])
    });
    Ok(Value::from(made.collect::<Vec<_>>()))
}

/// Missing counts as null, as it would in the document that is made of it.
fn member(item: &Value, path: &str) -> Value {
    let mut here = item.clone();
    for name in path.split('.') {
        here = here.get_attr(name).unwrap_or_default();
    }
    if here.is_undefined() {
        Value::from(())
    } else {
        here
    }
}

fn same(one: &[Value], other: &[Value]) -> Result<bool, Trouble> {
    for (one, other) in one.iter().zip(other) {
        if one.is_none() != other.is_none() || !one.is_none() && !equal(one, other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn chunk(args: &[Value]) -> Result<Value, Trouble> {
    let size = count(arg(args, 1), CHUNK_MAX)?;
    if size == 0 {
        return Err("a part must have at least one item".into());
    }
    let list = items(arg(args, 0))?;
    let parts = list.chunks(size).map(|part| Value::from(part.to_vec()));
    Ok(Value::from(parts.collect::<Vec<_>>()))
}

/// OData v4 ABNF: `primitiveLiteral`. A quote inside a text is doubled.
fn odata_literal(args: &[Value]) -> Result<Value, Trouble> {
    let value = arg(args, 0);
    if value.is_none() {
        return Ok(Value::from("null"));
    }
    let kind = text(arg(args, 1))?;
    let plain = match &*kind {
        "plain" => false,
        "guid" | "date" | "datetimeoffset" => true,
        _ => return Err(format!("there is no OData type `{kind}` here").into()),
    };
    let is_text = value.kind() == ValueKind::String;
    let written = convert::text_of(value).ok_or_else(|| expected("a scalar", value))?;
    if !is_text {
        return bounded(written);
    }
    if !plain {
        return bounded(format!("'{}'", written.replace('\'', "''")));
    }
    let fits = !written.is_empty()
        && written
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-:.+".contains(&byte));
    if fits {
        bounded(written)
    } else {
        Err(format!("the text is no OData {kind}").into())
    }
}
