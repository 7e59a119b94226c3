//! Forms of keys: presented, stored, normalised (SY 9.1).

/// Stored length of a numeric customer key.
pub(crate) const CUSTOMER_DIGITS: usize = 15;

/// For comparing: digits without leading zeros, anything else trimmed and in upper case.
pub(crate) fn normal(key: &str) -> String {
    let key = key.trim();
    if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit()) {
        let stripped = key.trim_start_matches('0');
        return if stripped.is_empty() {
            "0".to_owned()
        } else {
            stripped.to_owned()
        };
    }
    key.to_uppercase()
}

/// The stored form of a numeric key, anything else as it is.
pub(crate) fn stored(key: &str, digits: usize) -> String {
    let numeric = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
    if numeric {
        format!("{key:0>digits$}")
    } else {
        key.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_mean_the_same_key() {
        assert_eq!(normal("0000417"), normal("000000000000417"));
        assert_eq!(normal(" abc1 "), "ABC1");
        assert_eq!(normal("000"), "0");
        assert_eq!(stored("0000417", CUSTOMER_DIGITS), "000000000000417");
        assert_eq!(stored("ACME", CUSTOMER_DIGITS), "ACME");
    }
}
