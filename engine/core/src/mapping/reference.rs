//! Our reference in the target's document.

use super::failure;
use crate::delivery::Trouble;
use crate::identity::Reference;
use crate::plan::{Encoding, Operation};
use crate::protocol::length_in;
use crate::template::{Scope, Template};

/// Our reference is what a look-up finds a record by: it must arrive unchanged, so what the target
/// would cut or replace is refused here.
pub(super) fn checked(
    template: &Template,
    operation: &Operation,
    scope: &Scope<'_>,
) -> Result<Reference, Trouble> {
    let text = template.text(scope);
    let text = text.map_err(|error| failure(format!("sink.reference: {error}")))?;
    if text.trim().is_empty() || text.trim() != text {
        return Err(failure(
            "sink.reference: it is empty or has white space at its ends",
        ));
    }
    let rule = operation.write().and_then(|write| write.reference.as_ref());
    if let Some(rule) = rule {
        let length = length_in(&text, rule.encoding).ok_or_else(|| {
            failure(format!(
                "sink.reference: it has characters that {} lacks",
                name_of(rule.encoding)
            ))
        })?;
        if length > usize::try_from(rule.length_max).unwrap_or(usize::MAX) {
            let why = format!(
                "sink.reference: it is longer than {} bytes",
                rule.length_max
            );
            return Err(failure(why));
        }
    }
    Ok(Reference::new(text))
}

const fn name_of(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Windows1252 => "windows-1252",
        Encoding::Utf8 | Encoding::Auto => "UTF-8",
    }
}
