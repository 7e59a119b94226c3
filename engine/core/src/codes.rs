//! Every code a finding can have, once. Numbers are never used again for something else.
//!
//! `E01xx` YAML and shape, `E02xx` names and references, `E03xx` expressions, `E04xx` types and units, `E05xx` safety,
//! `E06xx` site, `E07xx` cases.

use crate::diagnostic::Code;

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code::new($code);)*

        /// Every code with its title, in order.
        pub const ALL: &[(Code, &str)] = &[$(($name, $title)),*];
    };
}

codes! {
    YAML_SYNTAX = "E0101", "the file is not YAML";
    NOT_UTF8 = "E0102", "the file is not UTF-8";
    TOO_LARGE = "E0103", "the file is too large or nested too deep";
    DUPLICATE_KEY = "E0104", "a key stands twice";
    YAML_FEATURE = "E0105", "a YAML feature that definitions do not use";
    AMBIGUOUS_NUMBER = "E0106", "a number that has to be quoted";
    UNKNOWN_KEY = "E0110", "unknown key";
    MISSING_KEY = "E0111", "a required key is missing";
    WRONG_TYPE = "E0112", "a value of the wrong type";
    NOT_ONE_OF = "E0113", "a word that is not in the list";
    EXCLUSIVE_KEYS = "E0114", "keys of which exactly one is needed";
    BAD_VALUE = "E0115", "a value that cannot be read";
    OUT_OF_RANGE = "E0116", "a number or size outside its range";
    NOT_A_DEFINITION = "E0120", "the file does not say what it defines";
    VERSION = "E0121", "the version of the definition language";
    BAD_NAME = "E0122", "a name that cannot be used";
    SCHEMA_FILE = "E0123", "a schema that is not a JSON Schema";
    REQUIRED_WHEN = "E0124", "a condition for what is needed that cannot hold";
    DUPLICATE_NAME = "E0201", "a name that is defined twice";
    UNKNOWN_CONNECTOR = "E0202", "a connector that does not exist";
    UNKNOWN_SCHEMA = "E0203", "a schema file that does not exist";
    UNKNOWN_CONNECTION = "E0204", "a connection name that is not declared";
    UNKNOWN_OPERATION = "E0205", "an operation that does not exist";
    WRONG_KIND = "E0206", "an operation of the wrong kind";
    UNKNOWN_TRIGGER = "E0207", "a trigger that does not exist";
    UNKNOWN_INTEGRATION = "E0208", "an integration that does not exist";
    UNKNOWN_SECRET = "E0209", "a secret that is not declared";
    CROSSWALK_SLIP = "E0210", "a matching table or column that looks like a slip";
    UNUSED = "E0220", "declared and never read";
    EXPRESSION = "E0301", "an expression that does not compile";
    JSON_PATH = "E0302", "a JSONPath that does not compile";
    UNKNOWN_NAME = "E0310", "a name that does not exist";
    NOT_HERE = "E0311", "a name that cannot be read at this place";
    UNKNOWN_MEMBER = "E0312", "a member that does not exist";
    NO_MEMBERS = "E0313", "a member of something that has none";
    NEVER_EQUAL = "E0314", "a comparison that never holds";
    MIXED_COMPARISON = "E0315", "a number compared with a text";
    UNASKED_NULL = "E0316", "something that may be null is read without asking";
    MISSING_INPUT = "E0401", "a required input is not given";
    UNKNOWN_INPUT = "E0402", "an input that the operation does not take";
    INPUT_TYPE = "E0403", "an input of the wrong type";
    INPUT_VALUE = "E0404", "an input with a value that is not allowed";
    INPUT_LENGTH = "E0405", "an input that is too long";
    INPUT_FORMAT = "E0406", "an input in the wrong format";
    UNIT = "E0410", "money in the wrong unit";
    CONVERSION = "E0411", "a conversion of money that makes no sense";
    CURRENCY = "E0412", "a conversion without a currency";
    MIXED_UNITS = "E0413", "amounts in different units";
    IGNORED_REFERENCE = "E0501", "a look-up that does not look for our reference";
    REPEAT_NONE = "E0502", "a write that cannot be repeated safely";
    LOST_KEY = "E0503", "an idempotency key that is not sent";
    CONSTANT_KEY = "E0504", "a key that is the same for every event";
    NO_ORDER = "E0505", "nothing keeps deliveries in order";
    NO_REFERENCE = "E0506", "a reference is needed";
    REFERENCE_LENGTH = "E0507", "a reference that is too long";
    WAITING_WRITE = "E0508", "a write that would be sent again until something holds";
    LITERAL_SECRET = "E0510", "something that looks like a secret";
    SECRET_OUTSIDE = "E0511", "a secret outside of authentication";
    SITE_CONNECTOR = "E0601", "a connection of the site names no known connector";
    SITE_SETTING = "E0602", "a setting of a connection does not fit its schema";
    SITE_SECRET = "E0603", "secret references of a connection do not fit its connector";
    SITE_INTEGRATION = "E0604", "the site uses an integration that does not exist";
    SITE_PARAM = "E0605", "a parameter does not fit its schema";
    SITE_CONNECTION = "E0606", "an integration's connection is missing or of another connector";
    SITE_POLL = "E0607", "a poll override that fits no poll trigger";
    CASE_INTEGRATION = "E0701", "the case names no known integration";
    CASE_NAME = "E0702", "the case names something its integration does not have";
    CASE_FILE = "E0703", "a file that the case names";
    CASE_VALUE = "E0704", "a value in the case that does not fit its schema";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_ordered_and_of_one_form() {
        for (code, title) in ALL {
            let digits = code.as_str().strip_prefix('E').unwrap();
            assert!(
                digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()),
                "{code}"
            );
            assert!(
                !title.ends_with('.') && title.starts_with(char::is_lowercase),
                "{title}"
            );
        }
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
