//! Small things with a written form of their own: lengths of time, sizes, factors, names.
//!
//! Each has one reader, used by the structural check, by lowering, and for values that settings supply at run time.

use std::time::Duration;

/// The longest length of time a definition can state; more is a slip of the unit.
pub const DURATION_MAX: Duration = Duration::from_secs(3660 * 24 * 60 * 60);

const TIME_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const SIZE_UNITS: [(&str, u64); 4] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("B", 1),
];

/// A length of time: a whole number and its unit, `250ms`, `5s`, `15m`, `1h`, `7d`.
///
/// # Errors
/// If it is not that, or longer than [`DURATION_MAX`]. The error says what is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let per_unit = TIME_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, millis)| *millis);
    let (Some(number), Some(per_unit)) = (number, per_unit) else {
        return Err(match (number, unit) {
            (Some(_), "") => "the unit is missing".to_owned(),
            (Some(_), unit) => format!("`{unit}` is no unit of time"),
            (None, _) => "not a length of time".to_owned(),
        });
    };
    let length = number.checked_mul(per_unit).map(Duration::from_millis);
    match length {
        Some(length) if length <= DURATION_MAX => Ok(length),
        Some(_) | None => Err(format!("longer than {}d", DURATION_MAX.as_secs() / 86_400)),
    }
}

/// How a length of time is written, for help.
pub const DURATION_HELP: &str = "write a whole number and `ms`, `s`, `m`, `h` or `d`, e.g. `30s`";

/// A number of bytes: `512`, `64KiB`, `10MiB`.
///
/// # Errors
/// If it is not that.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let Some(number) = number else {
        return Err("not a number of bytes".to_owned());
    };
    let per_unit = match unit {
        "" => 1,
        unit => match SIZE_UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, bytes)) => *bytes,
            None => return Err(format!("`{unit}` is no unit of size")),
        },
    };
    number
        .checked_mul(per_unit)
        .ok_or_else(|| "too many bytes".to_owned())
}

/// How a size is written, for help.
pub const SIZE_HELP: &str =
    "write a whole number of bytes, or one with `KiB`, `MiB` or `GiB`, e.g. `10MiB`";

/// A factor from 1 to 100 with at most three decimals, in thousandths.
///
/// # Errors
/// If it is not that.
pub fn factor(text: &str) -> Result<u32, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 3 {
        return Err("not a number with at most three decimals".to_owned());
    }
    let thousandths = format!("{whole}{fraction:0<3}")
        .parse::<u32>()
        .unwrap_or(u32::MAX);
    match thousandths {
        1000..=100_000 => Ok(thousandths),
        _ => Err("not from 1 to 100".to_owned()),
    }
}

/// Whether this is a name that expressions can read.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !RESERVED.contains(&text)
}

/// Words of the expression language, which cannot be names in it.
pub const RESERVED: [&str; 14] = [
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None",
    "loop",
];

/// Whether this is a name that only people and files read: letters, digits, `-`, `_` and `.`, a letter or digit first.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Whether this is one or more names with `/` between them.
pub fn is_path_name(text: &str) -> bool {
    text.split('/').all(is_name)
}

/// Whether this is `connection.operation`.
pub fn is_operation_name(text: &str) -> bool {
    text.split_once('.').is_some_and(|(connection, operation)| {
        is_identifier(connection) && is_identifier(operation)
    })
}

/// The known word nearest to a mistyped one, if one is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = (word.chars().count() / 3).max(1);
    let folded = word.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|known| {
            (
                strsim::damerau_levenshtein(&folded, &known.to_lowercase().replace('-', "_")),
                known,
            )
        })
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Help for a name that is not known: the nearest, or all there are.
pub(super) fn did_you_mean<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
    otherwise: &str,
) -> Option<String> {
    let known: Vec<_> = known.collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("{otherwise} {}", join(&known))),
    }
}

/// Words in a row: `` `a`, `b` ``.
pub(super) fn join(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// The whole number a text starts with, and what follows it.
fn split(text: &str) -> (Option<u64>, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.parse().ok(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_need_a_unit_and_an_end() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for bad in [
            "",
            "5",
            "s",
            "-5s",
            "1.5s",
            "5 s",
            "5S",
            "1h30m",
            "3661d",
            "99999999999999999999s",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(
            duration("18446744073709551615d"),
            Err("longer than 3660d".to_owned())
        );
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("10MiB"), Ok(10 * 1024 * 1024));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        for bad in ["", "MiB", "10MB", "1.5MiB", "-1", "18446744073709551615GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn factors_are_exact() {
        assert_eq!(factor("2"), Ok(2000));
        assert_eq!(factor("1.5"), Ok(1500));
        assert_eq!(factor("1.001"), Ok(1001));
        assert_eq!(factor("100"), Ok(100_000));
        for bad in [
            "", "0", "0.999", "100.001", "1.0001", "1.", ".5", "-2", "2x", "1000",
        ] {
            assert!(factor(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_told_from_one_another() {
        assert!(is_identifier("post_receipt2") && is_identifier("_x"));
        assert!(
            !is_identifier("")
                && !is_identifier("2x")
                && !is_identifier("a-b")
                && !is_identifier("in")
        );
        assert!(
            is_name("north-2.b")
                && !is_name("-x")
                && !is_name("a/b")
                && !is_name("")
                && !is_name("é")
        );
        assert!(is_path_name("a-b/c") && !is_path_name("a//b") && !is_path_name("/a"));
        assert!(is_operation_name("a.b") && !is_operation_name("a") && !is_operation_name("a.b.c"));
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["request", "result", "variants", "kind"];
        assert_eq!(nearest("requst", known), Some("request"));
        assert_eq!(nearest("Kind", known), Some("kind"));
        assert_eq!(nearest("kidn", known), Some("kind"));
        assert_eq!(nearest("outcomes", known), None);
        assert_eq!(nearest("rate-limit", ["rate_limit"]), Some("rate_limit"));
    }
}
