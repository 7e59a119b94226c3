//! The `where` of api1: `FIELD eq 'text'`, `left(FIELD,n)`, parentheses; more behind a switch (X3 3.2).

use std::cmp::Ordering;

/// Why a clause cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A property that the facet does not carry.
    Property(String),
    /// Not readable.
    Syntax,
}

/// A condition on a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Clause {
    Test {
        field: String,
        left: Option<usize>,
        sign: Sign,
        value: String,
    },
    All(Vec<Clause>),
    Any(Vec<Clause>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Clause {
    /// Reads a clause. `full`: also what no source has shown.
    pub(crate) fn parse(text: &str, full: bool) -> Result<Self, Trouble> {
        let tokens = tokens(text)?;
        let mut reader = Reader {
            tokens: &tokens,
            full,
        };
        let clause = reader.any()?;
        if reader.tokens.is_empty() {
            Ok(clause)
        } else {
            Err(Trouble::Syntax)
        }
    }

    /// Whether a row meets it; `value` gives a property's text.
    pub(crate) fn holds(&self, value: &dyn Fn(&str) -> Option<String>) -> Result<bool, Trouble> {
        match self {
            Self::Test {
                field,
                left,
                sign,
                value: wanted,
            } => {
                let own = value(field).ok_or_else(|| Trouble::Property(field.clone()))?;
                let own: String = match left {
                    Some(count) => own.chars().take(*count).collect(),
                    None => own,
                };
                let order = own.as_str().cmp(wanted);
                Ok(match sign {
                    Sign::Equal => order == Ordering::Equal,
                    Sign::NotEqual => order != Ordering::Equal,
                    Sign::Less => order == Ordering::Less,
                    Sign::LessOrEqual => order != Ordering::Greater,
                    Sign::Greater => order == Ordering::Greater,
                    Sign::GreaterOrEqual => order != Ordering::Less,
                })
            }
            Self::All(clauses) => clauses
                .iter()
                .try_fold(true, |all, clause| Ok(clause.holds(value)? && all)),
            Self::Any(clauses) => clauses
                .iter()
                .try_fold(false, |any, clause| Ok(clause.holds(value)? || any)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, Trouble> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (value, after) = quoted(rest).ok_or(Trouble::Syntax)?;
            out.push(Token::Text(value));
            rest = after;
        } else if "(),".contains(first) {
            out.push(Token::Mark(first));
            rest = rest.get(1..).unwrap_or_default();
        } else {
            let ends = |c: char| c.is_whitespace() || "(),'".contains(c);
            let end = rest.find(ends).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            out.push(Token::Word(word.to_owned()));
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

/// A text in single quotes, an inner quote doubled (X3 3.2).
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.strip_prefix('\'')?;
    loop {
        let end = rest.find('\'')?;
        let (part, after) = rest.split_at(end);
        value += part;
        let after = after.strip_prefix('\'')?;
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

struct Reader<'a> {
    tokens: &'a [Token],
    full: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Token, Trouble> {
        let (first, rest) = self.tokens.split_first().ok_or(Trouble::Syntax)?;
        self.tokens = rest;
        Ok(first.clone())
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        let own = self.tokens.first() == Some(wanted);
        if own {
            self.tokens = self.tokens.get(1..).unwrap_or_default();
        }
        own
    }

    fn expect(&mut self, mark: char) -> Result<(), Trouble> {
        if self.takes(&Token::Mark(mark)) {
            Ok(())
        } else {
            Err(Trouble::Syntax)
        }
    }

    fn any(&mut self) -> Result<Clause, Trouble> {
        let mut clauses = vec![self.all()?];
        while self.full && self.takes(&Token::Word("or".to_owned())) {
            clauses.push(self.all()?);
        }
        Ok(Clause::Any(clauses))
    }

    fn all(&mut self) -> Result<Clause, Trouble> {
        let mut clauses = vec![self.one()?];
        while self.full && self.takes(&Token::Word("and".to_owned())) {
            clauses.push(self.one()?);
        }
        Ok(Clause::All(clauses))
    }

    fn one(&mut self) -> Result<Clause, Trouble> {
        if self.takes(&Token::Mark('(')) {
            let inner = self.any()?;
            self.expect(')')?;
            return Ok(inner);
        }
        let Token::Word(word) = self.next()? else {
            return Err(Trouble::Syntax);
        };
        let (field, left) = if word == "left" {
            self.expect('(')?;
            let Token::Word(field) = self.next()? else {
                return Err(Trouble::Syntax);
            };
            self.expect(',')?;
            let Token::Word(count) = self.next()? else {
                return Err(Trouble::Syntax);
            };
            self.expect(')')?;
            (field, Some(count.parse().map_err(|_| Trouble::Syntax)?))
        } else {
            (word, None)
        };
        let Token::Word(sign) = self.next()? else {
            return Err(Trouble::Syntax);
        };
        let sign = match sign.as_str() {
            "eq" => Sign::Equal,
            "ne" if self.full => Sign::NotEqual,
            "lt" if self.full => Sign::Less,
            "le" if self.full => Sign::LessOrEqual,
            "gt" if self.full => Sign::Greater,
            "ge" if self.full => Sign::GreaterOrEqual,
            _ => return Err(Trouble::Syntax),
        };
        let (Token::Text(value) | Token::Word(value)) = self.next()? else {
            return Err(Trouble::Syntax);
        };
        Ok(Clause::Test {
            field,
            left,
            sign,
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_hold_or_say_why_not() {
        let value = |name: &str| match name {
            "A" => Some("PM'1".to_owned()),
            "B" => Some("2".to_owned()),
            _ => None,
        };
        let holds =
            |text: &str, full| Clause::parse(text, full).and_then(|clause| clause.holds(&value));
        assert_eq!(holds("A eq 'PM''1'", false), Ok(true));
        assert_eq!(holds("(left(A,2) eq 'PM')", false), Ok(true));
        assert_eq!(holds("A eq 'pm''1'", false), Ok(false));
        assert_eq!(holds("A eq 'x' or B ge '2'", true), Ok(true));
        assert_eq!(holds("A eq 'x' or B ge '2'", false), Err(Trouble::Syntax));
        assert_eq!(
            holds("C eq 'x'", false),
            Err(Trouble::Property("C".to_owned()))
        );
        for broken in ["", "A", "A eq", "A eq 'x", "(A eq 'x'", "A like 'x'"] {
            assert_eq!(holds(broken, true), Err(Trouble::Syntax), "{broken}");
        }
    }
}
