//! Reading GraphQL documents: one operation with variables, arguments and selections. Fragments and directives are not
//! needed by anything the sheet shows, and are refused.

use serde_json::{Map, Number, Value};

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operation {
    pub(super) mutation: bool,
    /// Declared variables with their types.
    pub(super) variables: Vec<(String, String)>,
    pub(super) fields: Vec<Field>,
}

/// A field with what is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) alias: Option<String>,
    pub(super) arguments: Vec<(String, Argument)>,
    pub(super) fields: Vec<Field>,
}

impl Field {
    /// The name in the answer.
    pub(super) fn label(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }

    /// The sub-field of this name.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// A value in the document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    /// A variable's name.
    Variable(String),
    /// Anything else; an enum value is its name.
    Literal(Value),
}

/// Reads a document; the error is a text for people.
pub(super) fn parse(text: &str) -> Result<Operation, String> {
    let mut reader = Reader { rest: text };
    reader.skip();
    let mutation = match reader.name().as_deref() {
        Some("mutation") => true,
        Some("query") | None => false,
        Some(other) => return Err(format!("Syntax Error: Unexpected Name \"{other}\".")),
    };
    // The operation's own name says nothing.
    reader.name();
    let mut variables = Vec::new();
    if reader.takes('(') {
        while !reader.takes(')') {
            reader.expect('$')?;
            let name = reader.wanted_name()?;
            reader.expect(':')?;
            variables.push((name, reader.kind()?));
        }
    }
    let fields = reader.selection()?;
    if !reader.rest.is_empty() {
        return Err("Syntax Error: Unexpected text after the operation.".to_owned());
    }
    Ok(Operation {
        mutation,
        variables,
        fields,
    })
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// Passes over what means nothing: spaces, commas, comments.
    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
            let Some(comment) = self.rest.strip_prefix('#') else {
                return;
            };
            let end = comment.find('\n').unwrap_or(comment.len());
            self.rest = comment.split_at(end).1;
        }
    }

    fn takes(&mut self, mark: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(mark) else {
            return false;
        };
        self.rest = rest;
        self.skip();
        true
    }

    fn expect(&mut self, mark: char) -> Result<(), String> {
        if self.takes(mark) {
            return Ok(());
        }
        let found: String = self.rest.chars().take(12).collect();
        Err(format!(
            "Syntax Error: Expected \"{mark}\", found \"{found}\"."
        ))
    }

    fn name(&mut self) -> Option<String> {
        let own = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !own(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts {
            return None;
        }
        let name = name.to_owned();
        self.rest = rest;
        self.skip();
        Some(name)
    }

    fn wanted_name(&mut self) -> Result<String, String> {
        self.name().ok_or_else(|| {
            let found: String = self.rest.chars().take(12).collect();
            format!("Syntax Error: Expected Name, found \"{found}\".")
        })
    }

    fn kind(&mut self) -> Result<String, String> {
        let mut kind = if self.takes('[') {
            let inner = self.kind()?;
            self.expect(']')?;
            format!("[{inner}]")
        } else {
            self.wanted_name()?
        };
        if self.takes('!') {
            kind.push('!');
        }
        Ok(kind)
    }

    fn selection(&mut self) -> Result<Vec<Field>, String> {
        self.expect('{')?;
        let mut fields = Vec::new();
        while !self.takes('}') {
            fields.push(self.field()?);
        }
        if fields.is_empty() {
            return Err("Syntax Error: Expected Name, found \"}\".".to_owned());
        }
        Ok(fields)
    }

    fn field(&mut self) -> Result<Field, String> {
        let mut name = self.wanted_name()?;
        let mut alias = None;
        if self.takes(':') {
            alias = Some(name);
            name = self.wanted_name()?;
        }
        let mut arguments = Vec::new();
        if self.takes('(') {
            while !self.takes(')') {
                let name = self.wanted_name()?;
                self.expect(':')?;
                arguments.push((name, self.argument()?));
            }
        }
        let fields = if self.rest.starts_with('{') {
            self.selection()?
        } else {
            Vec::new()
        };
        Ok(Field {
            name,
            alias,
            arguments,
            fields,
        })
    }

    fn argument(&mut self) -> Result<Argument, String> {
        if self.takes('$') {
            return self.wanted_name().map(Argument::Variable);
        }
        self.literal().map(Argument::Literal)
    }

    fn literal(&mut self) -> Result<Value, String> {
        if self.takes('[') {
            let mut items = Vec::new();
            while !self.takes(']') {
                items.push(self.literal()?);
            }
            return Ok(Value::Array(items));
        }
        if self.takes('{') {
            let mut members = Map::new();
            while !self.takes('}') {
                let name = self.wanted_name()?;
                self.expect(':')?;
                members.insert(name, self.literal()?);
            }
            return Ok(Value::Object(members));
        }
        if self.rest.starts_with('"') {
            return self.text().map(Value::String);
        }
        if let Some(name) = self.name() {
            return Ok(match name.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                _ => Value::String(name),
            });
        }
        let own = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let end = self.rest.find(|c| !own(c)).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let number: Number = serde_json::from_str(digits)
            .map_err(|_| "Syntax Error: Expected a value.".to_owned())?;
        self.rest = rest;
        self.skip();
        Ok(Value::Number(number))
    }

    /// A text in double quotes, with JSON's escapes.
    fn text(&mut self) -> Result<String, String> {
        let unended = || "Syntax Error: Unterminated string.".to_owned();
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let (at, _) = end.ok_or_else(unended)?;
        let (literal, rest) = self.rest.split_at(at + 1);
        let text = serde_json::from_str(literal).map_err(|_| unended())?;
        self.rest = rest;
        self.skip();
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_or_refused() {
        let text = r#"query Find($f: String, $n: Int!) { x3Finance { a: journalEntryLine {
            query(first: $n, filter: $f, orderBy: "{x:1}", more: [1, {k: true}]) { totalCount } } } }"#;
        let operation = parse(text).unwrap();
        assert!(!operation.mutation);
        let variables = [("f", "String"), ("n", "Int!")];
        let variables = variables.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        assert_eq!(operation.variables, variables);
        let line = &operation.fields[0].fields[0];
        assert_eq!(
            (line.name.as_str(), line.label()),
            ("journalEntryLine", "a")
        );
        let arguments = &line.fields[0].arguments;
        assert_eq!(arguments[0].1, Argument::Variable("n".to_owned()));
        assert_eq!(arguments[2].1, Argument::Literal("{x:1}".into()));
        assert!(parse("{ a }").is_ok());
        for broken in [
            "",
            "{",
            "{}",
            "{ a ",
            "{ a(b: ) }",
            "fragment x on y { a }",
            "{ a } b",
            "{ a(b: \"x) }",
        ] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }
}
