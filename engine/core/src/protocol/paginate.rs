//! Pages: which query parameter asks for one, and what an answer says about the next.

use super::{Answer, Call, EncodeError};
use crate::plan::{PageEnd, PaginateKind};
use crate::template::Path;
use crate::value::{Number, scalar_text};
use serde_json::{Map, Value as Document};

/// The whole URL of the page asked for, where the answer before gave one.
pub(super) fn next_url<'c>(call: &Call<'c>) -> Option<&'c str> {
    match call.operation.paginate.as_ref()?.kind {
        PaginateKind::LinkHeader | PaginateKind::NextLink { .. } => call.page.get("url")?.as_str(),
        PaginateKind::Cursor { .. } | PaginateKind::Offset { .. } | PaginateKind::Number { .. } => {
            None
        }
    }
}

/// A next URL may be relative; it must lead to the same host, because our credentials go with it.
pub(super) fn checked_next_url(base: &str, next: &str) -> Result<String, EncodeError> {
    let place = "paginate.next";
    let origin = origin(base).ok_or_else(|| {
        EncodeError::value(
            "http.base_url",
            "it is not an absolute http or https address",
        )
    })?;
    if next.starts_with('/') && !next.starts_with("//") {
        return Ok(format!("{origin}{next}"));
    }
    match self::origin(next) {
        Some(other) if other.eq_ignore_ascii_case(origin) => Ok(next.to_owned()),
        _ => Err(EncodeError::value(
            place,
            "the next page is on another host",
        )),
    }
}

/// Scheme and authority.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let authority = rest
        .split(['/', '?', '#'])
        .next()
        .filter(|authority| !authority.is_empty())?;
    // Before an `@` stands a user name, which makes the rest look like another host.
    (!authority.contains(['@', '\\'])).then(|| url.get(..scheme.len() + 3 + authority.len()))?
}

/// Adds the parameter that asks for a page. The first page is asked for without.
pub(super) fn add_page(
    call: &Call<'_>,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), EncodeError> {
    let Some(paginate) = &call.operation.paginate else {
        return Ok(());
    };
    let (parameter, member) = match &paginate.kind {
        PaginateKind::Cursor { parameter, .. } => (parameter.as_ref(), "cursor"),
        PaginateKind::Offset { parameter, .. } => (parameter.as_ref(), "offset"),
        PaginateKind::Number { parameter, .. } => (Some(parameter), "number"),
        PaginateKind::LinkHeader | PaginateKind::NextLink { .. } => return Ok(()),
    };
    let (Some(parameter), Some(value)) = (parameter, call.page.get(member)) else {
        return Ok(());
    };
    if pairs.iter().any(|(name, _)| name == parameter) {
        return Ok(());
    }
    let page = scalar_text(value)
        .ok_or_else(|| EncodeError::value("paginate", "a page is a text or a number"))?;
    pairs.push((parameter.clone(), page));
    Ok(())
}

/// How to ask for the page after this one, which gave `count` items: what becomes `page`.
pub(super) fn next_page(call: &Call<'_>, answer: &Answer, count: usize) -> Option<Document> {
    let full = |size: u32| count >= usize::try_from(size).unwrap_or(usize::MAX);
    let (member, value) = match &call.operation.paginate.as_ref()?.kind {
        PaginateKind::Cursor { next, more, .. } => {
            let says_no = |path: &Path| path.first(&answer.body).is_none_or(is_no);
            if more.as_ref().is_some_and(says_no) {
                return None;
            }
            let next = next.first(&answer.body).filter(|next| !is_nothing(next))?;
            ("cursor", next.clone())
        }
        PaginateKind::NextLink { next } => {
            let next = scalar_text(next.first(&answer.body)?)?;
            ("url", (!next.is_empty()).then(|| next.into())?)
        }
        PaginateKind::LinkHeader => {
            let next = link_next(answer.headers.get("link")?)?;
            ("url", next.into())
        }
        PaginateKind::Offset {
            size, total, ends, ..
        } => {
            let reached = number_in(call, "offset", 0)?.checked_add(i128::try_from(count).ok()?)?;
            let total = total.as_ref().and_then(|path| path.first(&answer.body));
            let more = match total.and_then(whole) {
                Some(total) => count > 0 && reached < total,
                None if *ends == PageEnd::Empty => count > 0,
                None => full(*size),
            };
            (
                "offset",
                more.then(|| Number::Integer(reached).to_document())?,
            )
        }
        PaginateKind::Number { first, size, .. } => {
            let next = number_in(call, "number", i128::from(*first))?.checked_add(1)?;
            let next = full(*size).then(|| Number::Integer(next).to_document())?;
            ("number", next)
        }
    };
    let headers: Map<String, Document> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let page = [
        (member.to_owned(), value),
        ("headers".to_owned(), headers.into()),
    ];
    Some(Document::Object(page.into_iter().collect()))
}

/// Null and empty texts name no page.
fn is_nothing(value: &Document) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Whether a value that says if there is more says no.
fn is_no(value: &Document) -> bool {
    match value {
        Document::Bool(more) => !more,
        Document::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            ["", "false", "n", "no", "0"].contains(&text.as_str())
        }
        Document::Number(_) => whole(value) == Some(0),
        Document::Null => true,
        Document::Array(_) | Document::Object(_) => false,
    }
}

/// A whole number, or a text that is one.
fn whole(value: &Document) -> Option<i128> {
    Number::of(value)
        .or_else(|| value.as_str().and_then(Number::from_text))?
        .integer()
}

fn number_in(call: &Call<'_>, member: &str, first: i128) -> Option<i128> {
    match call.page.get(member) {
        None => Some(first),
        Some(number) => whole(number),
    }
}

/// The target of `rel="next"` in a `Link` field (RFC 8288 section 3).
fn link_next(field: &str) -> Option<String> {
    let mut rest = field;
    while let Some(start) = rest.find('<') {
        let after = rest.get(start + 1..)?;
        let (target, parameters) = after.split_once('>')?;
        let end = parameters_end(parameters);
        let is_next = parameters.get(..end)?.split(';').any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else {
                return false;
            };
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split_ascii_whitespace()
                    .any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target.trim().to_owned());
        }
        rest = parameters.get(end..)?;
    }
    None
}

/// Where the comma that ends this link stands; one inside quotes does not.
fn parameters_end(parameters: &str) -> usize {
    let mut quoted = false;
    for (at, c) in parameters.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    parameters.len()
}
