//! Filters: a string that holds a JavaScript-like object literal (X3 4.3).

use regex::Regex;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// Operators with evidence.
const KNOWN: [&str; 7] = [
    "_ne", "_gte", "_lte", "_regex", "_every", "_atLeast", "_and",
];
/// Operators without.
const UNVERIFIED: [&str; 6] = ["_gt", "_lt", "_in", "_nin", "_or", "_not"];

/// Reads an object literal: unquoted keys, single quotes, an inner quote behind a backslash.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { rest: text.trim() };
    let value = reader.value()?;
    if reader.rest.trim().is_empty() {
        Ok(value)
    } else {
        Err(unreadable(reader.rest))
    }
}

fn unreadable(at: &str) -> String {
    let at: String = at.chars().take(20).collect();
    format!("Filter not readable at \"{at}\"")
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn takes(&mut self, mark: char) -> bool {
        self.rest = self.rest.trim_start();
        let Some(rest) = self.rest.strip_prefix(mark) else {
            return false;
        };
        self.rest = rest.trim_start();
        true
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.takes('{') {
            let mut members = Map::new();
            while !self.takes('}') {
                let key = self.key()?;
                if !self.takes(':') {
                    return Err(unreadable(self.rest));
                }
                members.insert(key, self.value()?);
                if !self.takes(',') && !self.rest.starts_with('}') {
                    return Err(unreadable(self.rest));
                }
            }
            return Ok(Value::Object(members));
        }
        if self.takes('[') {
            let mut items = Vec::new();
            while !self.takes(']') {
                items.push(self.value()?);
                if !self.takes(',') && !self.rest.starts_with(']') {
                    return Err(unreadable(self.rest));
                }
            }
            return Ok(Value::Array(items));
        }
        if self.rest.starts_with('\'') {
            return self.text().map(Value::String);
        }
        let ends = |c: char| c.is_whitespace() || ",}]".contains(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let value = serde_json::from_str(word).map_err(|_| unreadable(self.rest))?;
        self.rest = rest;
        Ok(value)
    }

    fn key(&mut self) -> Result<String, String> {
        if self.rest.starts_with('\'') {
            return self.text();
        }
        let own = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !own(c)).unwrap_or(self.rest.len());
        let (key, rest) = self.rest.split_at(end);
        if key.is_empty() {
            return Err(unreadable(self.rest));
        }
        let key = key.to_owned();
        self.rest = rest;
        Ok(key)
    }

    fn text(&mut self) -> Result<String, String> {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.rest = self.rest.split_at(at + 1).1;
                    return Ok(out);
                }
                '\\' => out.extend(chars.next().map(|(_, c)| c)),
                other => out.push(other),
            }
        }
        Err(unreadable(self.rest))
    }
}

/// Whether a node meets a filter. Several properties must all hold, and so must several objects of a list.
pub(super) fn holds(filter: &Value, node: &Value, full: bool) -> Result<bool, String> {
    match filter {
        Value::Array(filters) => filters
            .iter()
            .try_fold(true, |all, filter| Ok(holds(filter, node, full)? && all)),
        Value::Object(members) => members.iter().try_fold(true, |all, (key, wanted)| {
            Ok(member(key, wanted, node, full)? && all)
        }),
        literal => equal(literal, node),
    }
}

fn member(key: &str, wanted: &Value, node: &Value, full: bool) -> Result<bool, String> {
    if !key.starts_with('_') || key == "_id" {
        let own = node
            .get(key)
            .ok_or_else(|| format!("{key}: unknown property in the filter"))?;
        return holds(wanted, own, full);
    }
    if !KNOWN.contains(&key) && !(full && UNVERIFIED.contains(&key)) {
        return Err(format!("{key}: unknown operator in the filter"));
    }
    let items = || {
        wanted
            .as_array()
            .ok_or_else(|| format!("{key} needs a list"))
    };
    match key {
        "_and" | "_every" => holds(wanted, node, full),
        "_or" => items()?
            .iter()
            .try_fold(false, |any, filter| Ok(holds(filter, node, full)? || any)),
        "_not" => Ok(!holds(wanted, node, full)?),
        "_ne" => Ok(!equal(wanted, node)?),
        "_in" => Ok(items()?.contains(node)),
        "_nin" => Ok(!items()?.contains(node)),
        "_regex" => {
            let pattern = wanted.as_str().ok_or("_regex needs a text")?;
            let pattern = Regex::new(pattern).map_err(|_| "_regex is not readable")?;
            Ok(node.as_str().is_some_and(|text| pattern.is_match(text)))
        }
        _ => {
            let order = compare(node, wanted)?;
            Ok(match key {
                "_gte" => order != Ordering::Less,
                "_lte" => order != Ordering::Greater,
                "_gt" => order == Ordering::Greater,
                "_lt" => order == Ordering::Less,
                _ => return Err(format!("{key}: not for this property")),
            })
        }
    }
}

/// A reference cannot be compared with a plain text (X3 4.3).
fn equal(wanted: &Value, own: &Value) -> Result<bool, String> {
    if own.is_object() || own.is_array() {
        return Err("A reference is filtered through the node it refers to".to_owned());
    }
    Ok(wanted == own)
}

fn compare(own: &Value, wanted: &Value) -> Result<Ordering, String> {
    if own.is_object() || own.is_array() {
        return Err("A reference is filtered through the node it refers to".to_owned());
    }
    if let (Some(own), Some(wanted)) = (own.as_str(), wanted.as_str()) {
        Ok(own.cmp(wanted))
    } else {
        let number = |value: &Value| value.to_string().parse::<rust_decimal::Decimal>().ok();
        let (own, wanted) = (number(own), number(wanted));
        own.zip(wanted)
            .map(|(own, wanted)| own.cmp(&wanted))
            .ok_or_else(|| "Values cannot be compared".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn filters_hold_or_say_why_not() {
        let node = json!({ "a": "PM1 x", "date": "2026-03-04", "ref": { "code": "X" }, "n": 3, "ok": true });
        let test = |text: &str, full| parse(text).and_then(|filter| holds(&filter, &node, full));
        for (text, wanted) in [
            ("{a:{_regex:'^PM1'},date:{_gte:'2026-02-01'}}", true),
            ("{a: 'PM1 x', n: 3, ok: true}", true),
            ("[{n:3},{n:4}]", false),
            ("{ref:{code:'X'}}", true),
            ("{n:{_gte:2,_lte:2}}", false),
            ("{a:{_ne:'it\\'s'}}", true),
        ] {
            assert_eq!(test(text, false), Ok(wanted), "{text}");
        }
        assert_eq!(test("{n:{_gt:2}}", true), Ok(true));
        for bad in [
            "{n:{_gt:2}}",
            "{ref:'X'}",
            "{b:1}",
            "{a:'x}",
            "a eq 'x'",
            "{a:1} x",
            "{\"a\" 1}",
        ] {
            assert!(test(bad, false).is_err(), "{bad}");
        }
    }
}
