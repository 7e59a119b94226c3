//! What a posting that a person wanted once more is known by.

use super::MAPPING_FAILURE;
use crate::delivery::Trouble;
use crate::identity::Reference;
use crate::plan::Operation;
use crate::protocol::length_in;

/// The reference of a posting that a person wanted a second (third …) time: the first one's with `-2` (`-3` …) behind it.
/// Under the same reference a look-up would take the first posting for the second.
///
/// # Errors
/// If that is longer than the target's field.
pub fn reference_again(
    reference: &Reference,
    again: u32,
    operation: &Operation,
) -> Result<Reference, Trouble> {
    let text = format!("{reference}-{}", again.saturating_add(1));
    let rule = operation.write().and_then(|write| write.reference.as_ref());
    let fits = rule.is_none_or(|rule| {
        length_in(&text, rule.encoding).is_some_and(|length| length <= rule.length_max as usize)
    });
    if fits {
        return Ok(Reference::new(text));
    }
    Err(Trouble::Lasting {
        class: MAPPING_FAILURE,
        why: format!("the reference `{text}` for posting it again is longer than the target takes"),
        help: "post it by hand in the target, then resolve it as posted".to_owned(),
        awaits: None,
    })
}
