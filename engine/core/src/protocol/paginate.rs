//! Pages: which query parameter asks for one, and what an answer says about the next.

use super::{Answer, Call, EncodeError};
use crate::plan::PaginateKind;
use crate::value::{Number, scalar_text};
use serde_json::Value as Document;

/// The whole URL of the page asked for, where the answer before gave one.
pub(super) fn next_url<'c>(call: &Call<'c>) -> Option<&'c str> {
    match call.operation.paginate.as_ref()?.kind {
        PaginateKind::LinkHeader | PaginateKind::NextLink { .. } => call.page.as_str(),
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
    let parameter = match &paginate.kind {
        PaginateKind::Cursor { parameter, .. }
        | PaginateKind::Offset { parameter, .. }
        | PaginateKind::Number { parameter, .. } => parameter,
        PaginateKind::LinkHeader | PaginateKind::NextLink { .. } => return Ok(()),
    };
    if call.page.is_null() || pairs.iter().any(|(name, _)| name == parameter) {
        return Ok(());
    }
    let page = scalar_text(call.page)
        .ok_or_else(|| EncodeError::value("paginate", "a page is a text or a number"))?;
    pairs.push((parameter.clone(), page));
    Ok(())
}

/// How to ask for the page after this one, which gave `count` items.
pub(super) fn next_page(call: &Call<'_>, answer: &Answer, count: usize) -> Option<Document> {
    let full = |size: u32| count >= usize::try_from(size).unwrap_or(usize::MAX);
    match &call.operation.paginate.as_ref()?.kind {
        PaginateKind::Cursor { next, .. } | PaginateKind::NextLink { next } => {
            let next = scalar_text(next.first(&answer.body)?)?;
            (!next.is_empty()).then(|| next.into())
        }
        PaginateKind::Offset { size, .. } if full(*size) => {
            let count = i128::try_from(count).ok()?;
            Some(Number::Integer(page_number(call, 0)?.checked_add(count)?).to_document())
        }
        PaginateKind::Number { first, size, .. } if full(*size) => {
            let page = page_number(call, i128::from(*first))?;
            Some(Number::Integer(page.checked_add(1)?).to_document())
        }
        PaginateKind::Offset { .. } | PaginateKind::Number { .. } => None,
        PaginateKind::LinkHeader => link_next(answer.headers.get("link")?).map(Document::from),
    }
}

fn page_number(call: &Call<'_>, first: i128) -> Option<i128> {
    if call.page.is_null() {
        Some(first)
    } else {
        Number::of(call.page)?.integer()
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
