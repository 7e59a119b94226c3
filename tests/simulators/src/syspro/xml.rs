//! Request documents: parsing, and the strictness that makes an unknown element an exception (SY 3.5).

use super::answer::Exception;
use rust_decimal::Decimal;

/// An element of a request document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Parses a document. Bad XML is an exception, not an answer (SY 8.1).
    pub(crate) fn parse(text: &str, what: &str) -> Result<Self, Exception> {
        let broken = || Exception::new(format!("{what} is not well-formed XML"));
        let text = text.trim_start_matches('\u{feff}').trim();
        let document = roxmltree::Document::parse(text).map_err(|_| broken())?;
        Self::convert(document.root_element(), 0).ok_or_else(broken)
    }

    fn convert(node: roxmltree::Node<'_, '_>, depth: usize) -> Option<Self> {
        const DEPTH_MAX: usize = 32;
        if depth > DEPTH_MAX {
            return None;
        }
        let children = node
            .children()
            .filter(roxmltree::Node::is_element)
            .map(|child| Self::convert(child, depth + 1))
            .collect::<Option<Vec<_>>>()?;
        let text: String = node
            .children()
            .filter(roxmltree::Node::is_text)
            .filter_map(|part| part.text())
            .collect();
        Some(Self {
            name: node.tag_name().name().to_owned(),
            text: text.trim().to_owned(),
            children,
        })
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child; `None` if the child is absent, empty if it is blank: the two differ (SY 3.5).
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The text of a child, empty where absent.
    pub(crate) fn text_or_blank(&self, name: &str) -> &str {
        self.text_of(name).unwrap_or_default()
    }

    /// Refuses a wrong root.
    pub(crate) fn expect_root(&self, root: &str) -> Result<(), Exception> {
        if self.name == root {
            return Ok(());
        }
        Err(Exception::new(format!(
            "root element {} is not {root}",
            self.name
        )))
    }

    /// Refuses elements that the object does not list, second ones where one is meant, and, if told so, another order.
    /// A name ending in `*` may repeat.
    pub(crate) fn expect_children(&self, listed: &[&str], ordered: bool) -> Result<(), Exception> {
        let mut last = 0;
        for (at, child) in self.children.iter().enumerate() {
            let place = listed
                .iter()
                .position(|name| name.trim_end_matches('*') == child.name);
            let Some(place) = place else {
                let text = format!("element {} is not expected in {}", child.name, self.name);
                return Err(Exception::new(text));
            };
            let repeats = listed.get(place).is_some_and(|name| name.ends_with('*'));
            let before = self.children.iter().take(at);
            if !repeats && before.into_iter().any(|earlier| earlier.name == child.name) {
                let text = format!("element {} occurs twice in {}", child.name, self.name);
                return Err(Exception::new(text));
            }
            if ordered && place < last {
                let text = format!("element {} is out of sequence in {}", child.name, self.name);
                return Err(Exception::new(text));
            }
            last = place;
        }
        if !self.children.is_empty() && !self.text.is_empty() {
            return Err(Exception::new(format!("unexpected text in {}", self.name)));
        }
        Ok(())
    }
}

/// A processing flag of a parameters document: name, permitted values, the value when absent or blank.
pub(crate) type Flag = (&'static str, &'static [&'static str], &'static str);

pub(crate) const YES_NO: &[&str] = &["Y", "N"];
pub(crate) const PERIODS: &[&str] = &["C", "P", "B"];

/// Flags as they hold for one call.
#[derive(Debug, Clone)]
pub(crate) struct Flags(Vec<(&'static str, String)>);

impl Flags {
    /// Reads `<Root><Parameters>…`. An unknown flag or value is an exception (SY 3.5). A blank document gives the
    /// defaults. Flags with an empty list of values take any text.
    pub(crate) fn read(text: &str, root: &str, flags: &[Flag]) -> Result<Self, Exception> {
        let defaults = || {
            flags
                .iter()
                .map(|(name, _, default)| (*name, (*default).to_owned()))
                .collect()
        };
        if text.trim().is_empty() {
            return Ok(Self(defaults()));
        }
        let document = Element::parse(text, "XmlParameters")?;
        document.expect_root(root)?;
        document.expect_children(&["Parameters"], false)?;
        let Some(parameters) = document.child("Parameters") else {
            return Ok(Self(defaults()));
        };
        let names: Vec<&str> = flags.iter().map(|(name, ..)| *name).collect();
        parameters.expect_children(&names, false)?;
        let mut read = Vec::new();
        for (name, values, default) in flags {
            let value = match parameters.text_or_blank(name) {
                "" => default,
                value if values.is_empty() || values.contains(&value) => value,
                value => return Err(Exception::new(format!("{value} is not valid for {name}"))),
            };
            read.push((*name, value.to_owned()));
        }
        Ok(Self(read))
    }

    /// The value of a flag.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(own, _)| *own == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// Whether a flag is Y.
    pub(crate) fn yes(&self, name: &str) -> bool {
        self.get(name) == "Y"
    }
}

/// A number as the objects take it: plain decimal with a leading minus at most (SY 9.3). More decimals than the field
/// has, an exponent or a thousands separator make it "not numeric".
pub(crate) fn number(text: &str, decimals: usize) -> Option<Decimal> {
    const INTEGER_DIGITS_MAX: usize = 12;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty()
        && whole.len() <= INTEGER_DIGITS_MAX
        && fraction.len() <= decimals
        && !digits.ends_with('.')
        && all_digits(whole)
        && all_digits(fraction);
    if fits { text.parse().ok() } else { None }
}

/// A date as the objects take it: `yyyy-mm-dd` (SY 9.3).
pub(crate) fn date(text: &str) -> Option<jiff::civil::Date> {
    if text.len() == 10 {
        jiff::civil::Date::strptime("%Y-%m-%d", text).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain_decimals_or_nothing() {
        for (text, value) in [
            ("49.50", "49.50"),
            ("-3", "-3"),
            ("0.1", "0.1"),
            ("007", "7"),
        ] {
            assert_eq!(number(text, 2), Some(value.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "-",
            "1,000.00",
            "12.340000000000002",
            "1e3",
            "1.",
            ".5",
            "5-",
            "+5",
            " 5",
        ] {
            assert_eq!(number(text, 2), None, "{text}");
        }
    }

    #[test]
    fn elements_are_strict() {
        let parse = |text: &str| Element::parse(text, "XmlIn").unwrap();
        let listed = &["A", "B*", "C"];
        assert!(
            parse("<r><A/><B/><B/><C/></r>")
                .expect_children(listed, true)
                .is_ok()
        );
        assert!(
            parse("<r><B/><A/></r>")
                .expect_children(listed, true)
                .is_err()
        );
        assert!(
            parse("<r><B/><A/></r>")
                .expect_children(listed, false)
                .is_ok()
        );
        assert!(
            parse("<r><A/><A/></r>")
                .expect_children(listed, false)
                .is_err()
        );
        assert!(parse("<r><D/></r>").expect_children(listed, false).is_err());
        assert!(parse("<r><a/></r>").expect_children(listed, false).is_err());
        assert!(Element::parse("<r><A></r>", "XmlIn").is_err());
    }
}
