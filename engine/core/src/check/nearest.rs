//! Names for messages: the one that was probably meant, and those there are.

pub(super) use crate::definition::words::nearest;

/// At most this many names are listed in a message.
const LISTED_MAX: usize = 12;

/// Names for a message: `a, b, c`, with the number of those that do not fit.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = names.into_iter().collect();
    let shown = all
        .iter()
        .take(LISTED_MAX)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match all.len().saturating_sub(LISTED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// "not one of: …", or what to say where there is nothing to choose from.
pub(super) fn not_one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names = listed(names);
    if names.is_empty() {
        "there is none".to_owned()
    } else {
        format!("not one of: {names}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_with_their_number() {
        let names: Vec<String> = (0..15).map(|n| format!("n{n}")).collect();
        let text = listed(names.iter().map(String::as_str));
        assert!(text.ends_with("n11 and 3 more"), "{text}");
        assert_eq!(not_one_of([]), "there is none");
    }
}
