//! What comes to the redirect address, whatever form it has.

use super::Pending;
use ml_connector_core::protocol::percent_decode;
use serde_json::{Map, Value as Document};
use std::fmt;
use subtle::ConstantTimeEq as _;

/// The longest error text of a system that is shown.
const DENIAL_CHARS_MAX: usize = 300;

/// What came with, or instead of, a code.
#[derive(Clone, PartialEq, Eq)]
pub enum Callback {
    /// Names and values.
    Named(Map<String, Document>),
    /// A code that a person pasted, and nothing else.
    Bare(String),
}

impl Default for Callback {
    fn default() -> Self {
        Self::Named(Map::new())
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(members) => {
                let names: Vec<&String> = members.keys().collect();
                f.debug_tuple("Named").field(&names).finish()
            }
            Self::Bare(_) => f.write_str("Bare"),
        }
    }
}

impl Callback {
    /// Reads what a person pasted: the address that the browser ended at, the JSON or form that was
    /// posted to the redirect address, or the code alone. `None` for nothing.
    pub fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if text.starts_with('{')
            && let Ok(Document::Object(members)) = serde_json::from_str(text)
        {
            return Some(Self::Named(members));
        }
        if let Some((_, query)) = text.split_once('?') {
            return Some(Self::of_query(query));
        }
        if text.contains("state=") || text.contains("error=") {
            return Some(Self::of_query(text));
        }
        Some(Self::Bare(text.to_owned()))
    }

    /// Reads a query or a form.
    pub(super) fn of_query(query: &str) -> Self {
        let query = query.split('#').next().unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let member = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // `+` is a space there (WHATWG URL, application/x-www-form-urlencoded).
            let plain = |text: &str| percent_decode(&text.replace('+', " "));
            (plain(name), Document::String(plain(value)))
        };
        Self::Named(pairs.map(member).collect())
    }

    /// Reads a request to the redirect address: its query, or the form or JSON in its body.
    pub(super) fn of_request(query: Option<&str>, body: &str) -> Self {
        let body = body.trim();
        if let Ok(Document::Object(members)) = serde_json::from_str(body) {
            return Self::Named(members);
        }
        let text = if body.is_empty() {
            query.unwrap_or_default()
        } else {
            body
        };
        Self::of_query(text)
    }

    /// Whether it carries the state of this request.
    pub(super) fn answers(&self, pending: &Pending) -> bool {
        self.text("state")
            .is_some_and(|state| state.as_bytes().ct_eq(pending.state.as_bytes()).into())
    }

    /// The first of these members that is a text and not empty.
    pub(super) fn first_of(&self, names: &[String]) -> Option<&str> {
        names
            .iter()
            .filter_map(|name| self.text(name))
            .find(|text| !text.is_empty())
    }

    /// The error that came instead of a code (RFC 6749 section 4.1.2.1), in one line.
    pub(super) fn denial(&self) -> Option<String> {
        let error = self.text("error").filter(|error| !error.is_empty())?;
        let text = match self.text("error_description") {
            Some(description) if !description.is_empty() => format!("{error}: {description}"),
            Some(_) | None => error.to_owned(),
        };
        let line = text.chars().filter(|c| !c.is_control());
        Some(line.take(DENIAL_CHARS_MAX).collect())
    }

    /// As templates see it.
    pub(super) fn document(&self) -> Document {
        match self {
            Self::Named(members) => Document::Object(members.clone()),
            Self::Bare(_) => Document::Object(Map::new()),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self {
            Self::Named(members) => members.get(name)?.as_str(),
            Self::Bare(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Callback;

    #[test]
    fn what_comes_is_read_whatever_its_form() {
        let first = |text: &str| {
            let callback = Callback::of_text(text)?;
            let names = ["authorizationCode".to_owned(), "code".to_owned()];
            Some(match &callback {
                Callback::Bare(code) => format!("bare {code}"),
                Callback::Named(_) => callback.first_of(&names)?.to_owned(),
            })
        };
        assert_eq!(first(" abc-1_2~= \n").unwrap(), "bare abc-1_2~=");
        assert_eq!(
            first("https://x.test/cb?code=a%2Fb+c&state=s").unwrap(),
            "a/b c"
        );
        assert_eq!(first("code=a&state=s").unwrap(), "a");
        assert_eq!(
            first(r#"{"authorizationCode": "a", "state": "s"}"#).unwrap(),
            "a"
        );
        assert_eq!(first("  \n"), None);
        let denied =
            Callback::of_text("error=access_denied&error_description=no%0Athanks&state=s").unwrap();
        assert_eq!(denied.denial().unwrap(), "access_denied: nothanks");
    }
}
