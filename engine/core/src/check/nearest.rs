//! The name that somebody probably meant.

/// The candidate nearest to a name that does not exist, if one is near enough to be a slip of the hand.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let wanted = plain(name);
    // One slip in three characters: more would be another word.
    let slips_max = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wanted, &plain(candidate)),
                candidate,
            )
        })
        .filter(|(slips, candidate)| *slips <= slips_max && *slips < candidate.chars().count())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

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
    fn slips_are_mended_and_other_words_are_not() {
        let names = ["amount", "currency", "id", "charge_date"];
        assert_eq!(nearest("amuont", names), Some("amount"));
        assert_eq!(nearest("Currency", names), Some("currency"));
        assert_eq!(nearest("charge-date", names), Some("charge_date"));
        assert_eq!(nearest("di", names), Some("id"));
        assert_eq!(nearest("payout", names), None);
        assert_eq!(nearest("x", names), None);
    }

    #[test]
    fn long_lists_are_cut_with_their_number() {
        let names: Vec<String> = (0..15).map(|n| format!("n{n}")).collect();
        let text = listed(names.iter().map(String::as_str));
        assert!(text.ends_with("n11 and 3 more"), "{text}");
        assert_eq!(not_one_of([]), "there is none");
    }
}
