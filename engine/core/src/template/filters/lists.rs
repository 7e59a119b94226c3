//! Filters on lists and maps, and the ones that stand in for what is missing.

use super::operators::{equal, order};
use super::{Kind, Param, Spec, Trouble, arg, bounded, expected, find, items, text};
use minijinja::Value;
use minijinja::value::ValueKind;

/// How deep `descend` looks.
const DESCENT_MAX: usize = 128;

const MEMBER: Param = Param::required("member");

pub(super) const TABLE: &[Spec] = &[
    Spec::filter(
        "default",
        &[Param::required("other")],
        "`other` where it is null, or where anything on the way to it is missing",
        |args| {
            let (value, other) = (arg(args, 0), arg(args, 1));
            Ok(if value.is_undefined() || value.is_none() {
                other
            } else {
                value
            }
            .clone())
        },
    )
    .takes_missing(),
    Spec::filter(
        "length",
        &[],
        "how many characters, items or members it has",
        length,
    ),
    Spec::filter(
        "first",
        &[],
        "the first item; missing if there is none",
        |args| Ok(items(arg(args, 0))?.into_iter().next().unwrap_or_default()),
    ),
    Spec::filter(
        "last",
        &[],
        "the last item; missing if there is none",
        |args| Ok(items(arg(args, 0))?.pop().unwrap_or_default()),
    ),
    Spec::filter(
        "join",
        &[Param::optional("separator", "''")],
        "the items as one text, with a separator between them",
        join,
    ),
    Spec::filter("reverse", &[], "the items from last to first", |args| {
        let mut list = items(arg(args, 0))?;
        list.reverse();
        Ok(Value::from(list))
    }),
    Spec::filter(
        "unique",
        &[],
        "each item once, in order of first appearance",
        unique,
    ),
    Spec::filter(
        "sort",
        &[Param::optional("member", "none")],
        "the items in order, by themselves or by a member",
        sort,
    ),
    Spec::filter(
        "min",
        &[],
        "the least item; missing if there is none",
        |args| extreme(args, false),
    ),
    Spec::filter(
        "max",
        &[],
        "the greatest item; missing if there is none",
        |args| extreme(args, true),
    ),
    Spec::filter(
        "descend",
        &[MEMBER],
        "every non-empty value of that member, at any depth, as a list",
        |args| {
            let name = text(arg(args, 1))?;
            let mut found = Vec::new();
            descend(arg(args, 0), &name, DESCENT_MAX, &mut found);
            Ok(Value::from(found))
        },
    ),
    Spec::filter(
        "map",
        &[
            Param::optional("filter", "none"),
            Param::optional("attribute", "none").keyword(),
            Param::optional("default", "none").keyword(),
        ],
        "each item through a filter, or one member of each item",
        map,
    )
    .applying(Kind::Filter),
    Spec::filter(
        "select",
        &[Param::optional("test", "none")],
        "the items that pass a test, or that are not empty",
        |args| select(args, true),
    )
    .applying(Kind::Test),
    Spec::filter(
        "reject",
        &[Param::optional("test", "none")],
        "the items that do not pass a test",
        |args| select(args, false),
    )
    .applying(Kind::Test),
    Spec::filter(
        "selectattr",
        &[MEMBER, Param::optional("test", "none")],
        "the items whose member passes a test, or is not empty",
        |args| select_member(args, true),
    )
    .applying(Kind::Test),
    Spec::filter(
        "rejectattr",
        &[MEMBER, Param::optional("test", "none")],
        "the items whose member does not pass a test",
        |args| select_member(args, false),
    )
    .applying(Kind::Test),
];

fn length(args: &[Value]) -> Result<Value, Trouble> {
    let value = arg(args, 0);
    let length = match value.kind() {
        ValueKind::String => value.as_str().map(|text| text.chars().count()),
        ValueKind::Map => value.len(),
        ValueKind::Seq | ValueKind::Iterable => Some(items(value)?.len()),
        _ => None,
    };
    length
        .map(Value::from)
        .ok_or_else(|| expected("a text, list or map", value))
}

fn join(args: &[Value]) -> Result<Value, Trouble> {
    let separator = text(arg(args, 1))?;
    let mut joined = String::new();
    for (at, item) in items(arg(args, 0))?.iter().enumerate() {
        if at > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&text(item)?);
        if joined.len() > super::TEXT_BYTES_MAX {
            return Err("the text would become too long".into());
        }
    }
    bounded(joined)
}

fn unique(args: &[Value]) -> Result<Value, Trouble> {
    let mut kept: Vec<Value> = Vec::new();
    'items: for item in items(arg(args, 0))? {
        for known in &kept {
            if equal(known, &item)? {
                continue 'items;
            }
        }
        kept.push(item);
    }
    Ok(Value::from(kept))
}

fn sort(args: &[Value]) -> Result<Value, Trouble> {
    let mut keyed = Vec::new();
    for item in items(arg(args, 0))? {
        let key = if arg(args, 1).is_none() {
            item.clone()
        } else {
            member(&item, &text(arg(args, 1))?)
        };
        keyed.push((key, item));
    }
    // A key without an order to another is an error, found before sorting: a comparison cannot fail
    // half-way.
    if let Some(((first, _), rest)) = keyed.split_first() {
        for (key, _) in rest {
            order(first, key)?;
        }
    }
    keyed.sort_by(|(a, _), (b, _)| order(a, b).unwrap_or(std::cmp::Ordering::Equal));
    Ok(Value::from(
        keyed.into_iter().map(|(_, item)| item).collect::<Vec<_>>(),
    ))
}

fn extreme(args: &[Value], greatest: bool) -> Result<Value, Trouble> {
    let mut list = items(arg(args, 0))?.into_iter();
    let Some(mut best) = list.next() else {
        return Ok(Value::UNDEFINED);
    };
    for item in list {
        let order = order(&item, &best)?;
        if if greatest {
            order.is_gt()
        } else {
            order.is_lt()
        } {
            best = item;
        }
    }
    Ok(best)
}

fn descend(value: &Value, name: &str, depth: usize, found: &mut Vec<Value>) {
    let Some(below) = depth.checked_sub(1) else {
        return;
    };
    match value.kind() {
        ValueKind::Map => {
            let Ok(keys) = value.try_iter() else { return };
            for key in keys {
                let item = value.get_item(&key).unwrap_or_default();
                if key.as_str() == Some(name) {
                    keep_non_empty(&item, found);
                }
                descend(&item, name, below, found);
            }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            for item in value.try_iter().into_iter().flatten() {
                descend(&item, name, below, found);
            }
        }
        _ => {}
    }
}

/// A repeated element is a list: each of its items counts by itself.
fn keep_non_empty(value: &Value, found: &mut Vec<Value>) {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            for item in value.try_iter().into_iter().flatten() {
                keep_non_empty(&item, found);
            }
        }
        ValueKind::None | ValueKind::Undefined => {}
        ValueKind::String if value.as_str().is_some_and(|text| text.trim().is_empty()) => {}
        ValueKind::Map if value.len() == Some(0) => {}
        _ => found.push(value.clone()),
    }
}

/// A member by its dotted name; missing if anything on the way is.
fn member(item: &Value, path: &str) -> Value {
    let mut here = item.clone();
    for name in path.split('.') {
        here = here.get_attr(name).unwrap_or_default();
    }
    here
}

fn map(args: &[Value]) -> Result<Value, Trouble> {
    let list = items(arg(args, 0))?;
    let (filter, attribute, default) = (arg(args, 1), arg(args, 2), arg(args, 3));
    let mapped = if attribute.is_none() {
        let spec = applied(Kind::Filter, filter)?;
        list.into_iter()
            .map(|item| apply(spec, item, args, 4))
            .collect::<Result<Vec<_>, _>>()?
    } else {
        let path = text(attribute)?;
        let pick = |item: Value| {
            let found = member(&item, &path);
            match (found.is_undefined(), default.is_none()) {
                (false, _) => Ok(found),
                (true, false) => Ok(default.clone()),
                (true, true) => Err(Trouble::Missing),
            }
        };
        list.into_iter().map(pick).collect::<Result<Vec<_>, _>>()?
    };
    Ok(Value::from(mapped))
}

fn select(args: &[Value], keep: bool) -> Result<Value, Trouble> {
    let mut kept = Vec::new();
    for item in items(arg(args, 0))? {
        if passes(arg(args, 1), item.clone(), args, 2)? == keep {
            kept.push(item);
        }
    }
    Ok(Value::from(kept))
}

fn select_member(args: &[Value], keep: bool) -> Result<Value, Trouble> {
    let path = text(arg(args, 1))?;
    let mut kept = Vec::new();
    for item in items(arg(args, 0))? {
        if passes(arg(args, 2), member(&item, &path), args, 3)? == keep {
            kept.push(item);
        }
    }
    Ok(Value::from(kept))
}

fn passes(test: &Value, item: Value, args: &[Value], rest: usize) -> Result<bool, Trouble> {
    if test.is_none() {
        return Ok(!item.is_undefined() && item.is_true());
    }
    Ok(apply(applied(Kind::Test, test)?, item, args, rest)?.is_true())
}

fn applied(kind: Kind, name: &Value) -> Result<&'static Spec, Trouble> {
    let name = text(name)?;
    find(kind, &name).ok_or_else(|| format!("there is no {} `{name}`", kind.word()).into())
}

fn apply(spec: &Spec, item: Value, args: &[Value], rest: usize) -> Result<Value, Trouble> {
    if item.is_undefined() && !spec.takes_missing {
        return Err(Trouble::Missing);
    }
    let mut call = vec![item];
    call.extend(args.get(rest..).unwrap_or_default().iter().cloned());
    (spec.run)(&call)
}
