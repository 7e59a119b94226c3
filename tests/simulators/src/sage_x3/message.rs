//! Texts for people, in the language of the call (X3 5.2, 5.4): nobody should parse them.

/// Kind of an error message (X3 5.4).
pub(crate) const ERROR: u8 = 3;
/// Kind of an information; unverified (X3 5.4).
pub(crate) const INFORMATION: u8 = 1;

/// One message, in both languages that the folder speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    english: String,
    french: String,
}

impl Message {
    /// An error.
    pub(crate) fn error(english: impl Into<String>, french: impl Into<String>) -> Self {
        Self::of(ERROR, english, french)
    }

    /// A message of any kind.
    pub(crate) fn of(kind: u8, english: impl Into<String>, french: impl Into<String>) -> Self {
        Self {
            kind,
            english: english.into(),
            french: french.into(),
        }
    }

    /// A key that the folder does not know.
    pub(crate) fn unknown(what: (&str, &str), key: &str) -> Self {
        let (english, french) = what;
        Self::error(
            format!("{english} {key} does not exist"),
            format!("{french} {key} : inexistant"),
        )
    }

    /// The text in a language of X3's own list; English for one that the folder lacks.
    pub(crate) fn text(&self, language: &str) -> &str {
        if language == "FRA" {
            &self.french
        } else {
            &self.english
        }
    }
}
