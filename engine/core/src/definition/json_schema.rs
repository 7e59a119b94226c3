//! The definition language as JSON Schemas (draft 2020-12), one per kind, for editors.
//!
//! Generated from the tables into `schemas/dsl/`. They say what can be said there without knowing other files; `validate`
//! says the rest.

use super::outline::{self, Part};
use super::table::{Field, Keys, Need, Rule, Sees, Shape, Table, Tagged};
use super::tables::DefinitionKind;
use crate::diagnostic::Findings;
use crate::source::SourceSet;
use crate::yaml;
use serde_json::{Map, Value as Document, json};

/// The schema of a definition kind.
pub fn schema(kind: DefinitionKind) -> Document {
    let mut definitions = Map::new();
    for part in outline::parts(kind) {
        let schema = match part {
            Part::Table(table) => object(table, None),
            Part::Variant { tag, word, table } => object(table, Some((tag, word))),
            Part::Tagged(tagged) => one_of(tagged),
        };
        definitions.insert(part.name().to_owned(), schema);
    }
    if definitions.contains_key("TreeFor") {
        definitions.insert("Tree".to_owned(), tree());
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("ml-connector {} definition, version 1", kind.key()),
        "$ref": format!("#/$defs/{}", kind.table().name),
        "$defs": definitions,
    })
}

/// The schema as it stands in `schemas/dsl/`.
pub fn schema_text(kind: DefinitionKind) -> String {
    format!("{:#}\n", schema(kind))
}

fn object(table: &Table, tag: Option<(&str, &str)>) -> Document {
    let mut properties = Map::new();
    let mut needed = Vec::new();
    if let Some((tag, word)) = tag {
        properties.insert(
            tag.to_owned(),
            json!({ "const": word, "description": table.doc }),
        );
        needed.push(tag);
    }
    for field in table.fields() {
        properties.insert(field.name.to_owned(), property(field));
        if field.need == Need::Required {
            needed.push(field.name);
        }
    }
    let mut schema = json!({
        "type": "object",
        "description": table.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if let Some(object) = schema.as_object_mut() {
        if !needed.is_empty() {
            object.insert("required".to_owned(), json!(needed));
        }
        let rules: Vec<_> = table.rules.iter().flat_map(rule).collect();
        if !rules.is_empty() {
            object.insert("allOf".to_owned(), Document::Array(rules));
        }
    }
    schema
}

fn property(field: &Field) -> Document {
    let mut schema = shape(&field.shape);
    let mut description = field.doc.to_owned();
    if let Some(names) = sees(&field.shape) {
        description += "\n\nReads ";
        description += &names.join(", ");
        description.push('.');
    }
    if let Need::Default(text) = field.need {
        description += &["\n\nDefault: `", text, "`."].concat();
    }
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(description));
        if let Need::Default(text) = field.need {
            object.insert("default".to_owned(), literal(text));
        }
    }
    schema
}

/// What a default means, read as the YAML it is written in.
pub(super) fn literal(text: &str) -> Document {
    let mut sources = SourceSet::new();
    let file = sources.add("default", text);
    let node = yaml::load(&sources, file, &mut Findings::new());
    node.map_or(Document::Null, |node| node.to_document())
}

fn rule(rule: &Rule) -> Vec<Document> {
    let needs_one = |keys: &[&str]| -> Vec<_> {
        keys.iter()
            .map(|key| json!({ "required": [key] }))
            .collect()
    };
    match rule {
        Rule::ExactlyOne(keys) => vec![json!({ "oneOf": needs_one(keys) })],
        Rule::AtMostOne(keys) => {
            let mut allowed = needs_one(keys);
            allowed.push(json!({ "not": { "anyOf": needs_one(keys) } }));
            vec![json!({ "oneOf": allowed })]
        }
        Rule::OnlyWith { keys, with } => keys
            .iter()
            .map(|key| json!({ "if": { "required": [key] }, "then": { "anyOf": needs_one(with) } }))
            .collect(),
        Rule::Needs { key, needs } => vec![json!({ "dependentRequired": { *key: [needs] } })],
    }
}

fn one_of(tagged: &Tagged) -> Document {
    let words: Vec<_> = tagged.variants.iter().map(|(word, _)| *word).collect();
    let variants: Vec<_> = tagged
        .variants
        .iter()
        .map(|(_, table)| reference(table.name))
        .collect();
    json!({
        "type": "object",
        "description": tagged.doc,
        "required": [tagged.tag],
        "properties": { tagged.tag: { "enum": words, "description": tagged.tag_doc } },
        "oneOf": variants,
    })
}

fn reference(name: &str) -> Document {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn tree() -> Document {
    json!({
        "description": "Maps and lists with templates at their leaves.",
        "anyOf": [
            leaf(),
            { "type": "array", "items": reference("Tree") },
            reference("TreeFor"),
            reference("TreeIf"),
            {
                "type": "object",
                "propertyNames": { "minLength": 1 },
                "additionalProperties": reference("Tree"),
                "not": { "anyOf": [
                    { "required": ["for", "as"] },
                    { "required": ["for", "each"] },
                    { "required": ["if", "then"] },
                ] },
            },
        ],
    })
}

fn leaf() -> Document {
    json!({ "type": ["string", "integer", "boolean"] })
}

const IDENTIFIER: &str = "^[A-Za-z_][A-Za-z0-9_]*$";
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]*$";
const PATH_NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$";
const OPERATION_NAME: &str = "^[A-Za-z_][A-Za-z0-9_]*\\.[A-Za-z_][A-Za-z0-9_]*$";
const DURATION: &str = "^[0-9]+(ms|s|m|h|d)$";
const EXPRESSION: &str = "\\{\\{";

fn shape(shape: &Shape) -> Document {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    match shape {
        Shape::Version => json!({ "const": 1 }),
        Shape::Identifier => text(IDENTIFIER),
        Shape::Name => text(NAME),
        Shape::PathName => text(PATH_NAME),
        Shape::OperationName => text(OPERATION_NAME),
        Shape::Text => json!({ "type": "string", "minLength": 1 }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Count { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Duration => text(DURATION),
        Shape::Size => {
            json!({ "type": ["string", "integer"], "pattern": "^[0-9]+(B|KiB|MiB|GiB)?$", "minimum": 0 })
        }
        Shape::Cron => text("^\\S+( +\\S+){4}$"),
        Shape::Zone => text("^[A-Za-z][A-Za-z0-9_+/-]*$"),
        Shape::Factor => {
            json!({ "type": ["number", "string"], "minimum": 1, "maximum": 100, "pattern": "^[0-9]{1,3}(\\.[0-9]{1,3})?$" })
        }
        Shape::Word(words) => word(words),
        Shape::Expression(_) => {
            json!({ "type": ["string", "boolean", "integer"], "minLength": 1, "not": { "pattern": "^\\s*\\{\\{" } })
        }
        Shape::Braced(_) => text("^\\s*\\{\\{.*\\}\\}\\s*$"),
        Shape::Template(_) => leaf(),
        Shape::DurationTemplate(_) => {
            json!({ "type": "string", "anyOf": [{ "pattern": DURATION }, { "pattern": EXPRESSION }] })
        }
        Shape::CountTemplate(_) => {
            json!({ "type": ["integer", "string"], "minimum": 1, "pattern": EXPRESSION })
        }
        Shape::Tree(_) => reference("Tree"),
        Shape::JsonPath => text("^\\$"),
        Shape::Schema => json!({ "type": ["string", "object"], "minLength": 1 }),
        Shape::Properties => json!({
            "type": "object",
            "propertyNames": { "pattern": IDENTIFIER },
            "additionalProperties": { "type": "object" },
        }),
        Shape::Anything => json!({}),
        Shape::Object(table) => reference(table.name),
        Shape::Tagged(tagged) => reference(tagged.name),
        Shape::List(item) => json!({ "type": "array", "items": self::shape(item) }),
        Shape::OneOrMore(item) => {
            let one = self::shape(item);
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Shape::Map(keys, item) => json!({
            "type": "object",
            "propertyNames": key(*keys),
            "additionalProperties": self::shape(item),
        }),
        Shape::ScalarOr { scalar, other } => {
            json!({ "anyOf": [self::shape(scalar), self::shape(other)] })
        }
    }
}

fn key(keys: Keys) -> Document {
    match keys {
        Keys::Identifier => json!({ "pattern": IDENTIFIER }),
        Keys::Name => json!({ "pattern": NAME }),
        Keys::Text => json!({ "minLength": 1 }),
    }
}

/// YAML takes an unquoted `null` for nothing, and `1.1` for a number; the words are meant all the same.
fn word(words: &[&str]) -> Document {
    let mut values: Vec<Document> = words.iter().map(|word| json!(word)).collect();
    values.extend(
        words
            .iter()
            .map(|word| literal(word))
            .filter(|value| !value.is_string()),
    );
    json!({ "enum": values })
}

/// The names that expressions of this shape may read.
pub(super) fn sees(shape: &Shape) -> Option<Sees> {
    match shape {
        Shape::Expression(names)
        | Shape::Braced(names)
        | Shape::Template(names)
        | Shape::DurationTemplate(names)
        | Shape::CountTemplate(names)
        | Shape::Tree(names) => Some(names),
        Shape::List(item) | Shape::OneOrMore(item) | Shape::Map(_, item) => sees(item),
        Shape::ScalarOr { scalar, other } => sees(scalar).or_else(|| sees(other)),
        Shape::Version
        | Shape::Identifier
        | Shape::Name
        | Shape::PathName
        | Shape::OperationName
        | Shape::Text
        | Shape::Flag
        | Shape::Count { .. }
        | Shape::Duration
        | Shape::Size
        | Shape::Factor
        | Shape::Cron
        | Shape::Zone
        | Shape::Word(_)
        | Shape::JsonPath
        | Shape::Schema
        | Shape::Properties
        | Shape::Anything
        | Shape::Object(_)
        | Shape::Tagged(_) => None,
    }
}
