//! The manual's pages about findings, carried inside the binary.

use crate::findings::Rule;
use ml_connector_core::codes;
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "../../docs/errors"]
#[include = "E*.md"]
struct Pages;

/// The page of a code.
pub(crate) fn page(code: &str) -> Option<String> {
    let file = Pages::get(&format!("{code}.md"))?;
    Some(String::from_utf8_lossy(&file.data).into_owned())
}

/// A code's title.
pub(crate) fn title(code: &str) -> Option<&'static str> {
    codes::ALL
        .iter()
        .find(|(one, _)| one.as_str() == code)
        .map(|(_, title)| *title)
}

/// Title and page of a code, where there is such a code.
pub(crate) fn rule(code: &str) -> Option<Rule> {
    let title = title(code)?;
    let page = page(code).unwrap_or_else(|| format!("# {code}: {title}\n"));
    Some(Rule {
        title: title.to_owned(),
        page,
    })
}
