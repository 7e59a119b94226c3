//! `$filter`: comparisons of a column with a literal, joined by `and`, `or`, `not` and brackets (SY 6.3). Functions are
//! not documented for this service, so they are refused.

use super::odata::Refusal;
use super::tables::{Cell, Row};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// Brackets and `not` nest so deep.
const DEPTH_MAX: usize = 16;

/// How two values must relate.
#[derive(Clone, Copy)]
enum Relation {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Relation {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            _ => return None,
        })
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::NotEqual => order != Ordering::Equal,
            Self::Greater => order == Ordering::Greater,
            Self::GreaterOrEqual => order != Ordering::Less,
            Self::Less => order == Ordering::Less,
            Self::LessOrEqual => order != Ordering::Greater,
        }
    }
}

/// A literal: text in single quotes, a date or date-time, or a number, both bare.
enum Literal {
    Text(String),
    Bare(String),
}

/// A condition, parsed.
pub(super) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Not(Box<Filter>),
    #[expect(private_interfaces, reason = "only this module looks inside")]
    Test(String, Relation, Literal),
}

impl Filter {
    /// Reads a condition over the columns of one table.
    pub(super) fn parse(text: &str, columns: &[&str]) -> Result<Self, Refusal> {
        let tokens = tokens(text)?;
        let mut reader = Reader {
            tokens: &tokens,
            at: 0,
            columns,
        };
        let filter = reader.any(0)?;
        match reader.next() {
            None => Ok(filter),
            Some(token) => Err(syntax(token)),
        }
    }

    /// Whether a row meets it. A literal that does not fit the column's type is a refusal, as in the real service.
    pub(super) fn holds(&self, row: &Row<'_>) -> Result<bool, Refusal> {
        match self {
            Self::Any(parts) => {
                for part in parts {
                    if part.holds(row)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::All(parts) => {
                for part in parts {
                    if !part.holds(row)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Not(inner) => Ok(!inner.holds(row)?),
            Self::Test(column, relation, literal) => {
                let cell = row.cell(column);
                let order = match (&cell, literal) {
                    (Cell::Text(_) | Cell::Key(..), Literal::Text(text)) => {
                        cell.show(true).trim_end().cmp(text.trim_end())
                    }
                    (Cell::Number(own), Literal::Bare(text)) => own.cmp(
                        &text
                            .parse::<Decimal>()
                            .map_err(|_| mismatch(column, text))?,
                    ),
                    (Cell::Date(own), Literal::Bare(text)) => {
                        let day = text.get(..10).unwrap_or(text);
                        let day: jiff::civil::Date =
                            day.parse().map_err(|_| mismatch(column, text))?;
                        own.cmp(&day)
                    }
                    (_, Literal::Text(text) | Literal::Bare(text)) => {
                        return Err(mismatch(column, text));
                    }
                };
                Ok(relation.holds(order))
            }
        }
    }
}

/// The order of two values of one column.
pub(super) fn compare(left: &Cell, right: &Cell) -> Ordering {
    match (left, right) {
        (Cell::Number(left), Cell::Number(right)) => left.cmp(right),
        (left, right) => left.show(true).cmp(&right.show(true)),
    }
}

fn mismatch(column: &str, text: &str) -> Refusal {
    (
        400,
        format!(
            "A binary operator with incompatible types was detected at '{column}' and '{text}'"
        ),
    )
}

fn syntax(token: &Token) -> Refusal {
    let text = match token {
        Token::Open => "(",
        Token::Close => ")",
        Token::Word(word) => word,
        Token::Text(text) => text,
    };
    (400, format!("Syntax error at '{text}' in $filter"))
}

enum Token {
    Open,
    Close,
    Word(String),
    Text(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut out = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => {}
            '(' => out.push(Token::Open),
            ')' => out.push(Token::Close),
            '\'' => {
                let mut literal = String::new();
                loop {
                    match rest.next() {
                        // A quote is written twice (SY 6.3).
                        Some('\'') if rest.peek() == Some(&'\'') => {
                            rest.next();
                            literal.push('\'');
                        }
                        Some('\'') => break,
                        Some(other) => literal.push(other),
                        None => return Err((400, "Unterminated string literal".to_owned())),
                    }
                }
                out.push(Token::Text(literal));
            }
            c => {
                let mut word = String::from(c);
                while let Some(more) = rest.next_if(|c| !c.is_whitespace() && !"()'".contains(*c)) {
                    word.push(more);
                }
                out.push(Token::Word(word));
            }
        }
    }
    Ok(out)
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    columns: &'a [&'a str],
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let token = self.tokens.get(self.at);
        self.at += 1;
        token
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let is_it = matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word == wanted);
        self.at += usize::from(is_it);
        is_it
    }

    fn any(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let mut parts = vec![self.all(depth)?];
        while self.takes("or") {
            parts.push(self.all(depth)?);
        }
        Ok(Filter::Any(parts))
    }

    fn all(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let mut parts = vec![self.one(depth)?];
        while self.takes("and") {
            parts.push(self.one(depth)?);
        }
        Ok(Filter::All(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let end = || (400, "Expression expected in $filter".to_owned());
        if depth > DEPTH_MAX {
            return Err((400, "The $filter is too deep".to_owned()));
        }
        if self.takes("not") {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        match self.next().ok_or_else(end)? {
            Token::Open => {
                let inner = self.any(depth + 1)?;
                match self.next() {
                    Some(Token::Close) => Ok(inner),
                    Some(other) => Err(syntax(other)),
                    None => Err(end()),
                }
            }
            Token::Word(column) if self.columns.contains(&column.as_str()) => {
                let relation = match self.next().ok_or_else(end)? {
                    token @ Token::Word(word) => Relation::of(word).ok_or_else(|| syntax(token))?,
                    other @ (Token::Open | Token::Close | Token::Text(_)) => {
                        return Err(syntax(other));
                    }
                };
                let literal = match self.next().ok_or_else(end)? {
                    Token::Text(text) => Literal::Text(text.clone()),
                    Token::Word(word) => Literal::Bare(word.clone()),
                    other @ (Token::Open | Token::Close) => return Err(syntax(other)),
                };
                Ok(Filter::Test(column.clone(), relation, literal))
            }
            other @ (Token::Close | Token::Text(_) | Token::Word(_)) => Err(syntax(other)),
        }
    }
}
