//! Forms: `application/x-www-form-urlencoded`.

use super::EncodeError;
use crate::template::{Scope, Template};
use crate::value::scalar_text;
use serde_json::Value as Document;

/// Evaluates fields to name and text: null is left out, a list repeats its name.
pub(super) fn pairs(
    fields: &[(String, Template)],
    scope: &Scope<'_>,
    place: &str,
) -> Result<Vec<(String, String)>, EncodeError> {
    let mut pairs = Vec::with_capacity(fields.len());
    for (name, template) in fields {
        let place = format!("{place}.{name}");
        let value = template
            .value(scope)
            .map_err(EncodeError::template(place.as_str()))?;
        let values = match value {
            Document::Null => Vec::new(),
            Document::Array(values) => values,
            Document::Bool(_) | Document::Number(_) | Document::String(_) | Document::Object(_) => {
                vec![value]
            }
        };
        for value in values {
            let text = scalar_text(&value).ok_or_else(|| {
                let kind = crate::value::kind_of(&value);
                EncodeError::value(place.as_str(), format!("it must be a text and is {kind}"))
            })?;
            pairs.push((name.clone(), text));
        }
    }
    Ok(pairs)
}

/// The body of a form.
pub(super) fn encode(pairs: &[(String, String)]) -> String {
    let mut body = String::new();
    for (name, value) in pairs {
        if !body.is_empty() {
            body.push('&');
        }
        body.push_str(&super::percent_encode(name).replace("%20", "+"));
        body.push('=');
        body.push_str(&super::percent_encode(value).replace("%20", "+"));
    }
    body
}
