//! The reference part of the manual, written out from the tables into `docs/guide/reference.md`.

use super::json_schema::sees;
use super::outline::{self, Part};
use super::structure::expected;
use super::table::{Field, Keys, Need, Rule, Shape, Table};
use super::tables::DefinitionKind;
use super::words::join;
use std::collections::HashSet;

/// The whole reference.
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    let mut told = HashSet::new();
    for kind in DefinitionKind::ALL {
        let key = kind.key();
        push(&mut text, &format!("\n## The {key} file\n"));
        for part in outline::parts(kind) {
            if told.insert(part.name()) {
                push(&mut text, &section(part));
            }
        }
    }
    text
}

const INTRODUCTION: &str = "# Reference of the definition language

<!-- Written from the tables in engine/core/src/definition; change those, then `BLESS=1 cargo test -p ml-connector-core schemas`. -->

Every file is YAML and opens with `version: 1`. A key that is not listed here is refused, and so is a key that stands
twice. Lengths of time are written `250ms`, `5s`, `15m`, `1h`, `7d`; sizes `512`, `64KiB`, `10MiB`. A number with a point
stands in quotes.

An *expression* is written without braces (`status == 429`). In a *template* expressions stand in braces: a scalar that is
one expression (`\"{{ payment.amount }}\"`) keeps its type, anything else is text. A *tree* is a map or list with templates
at its leaves.
";

fn push(text: &mut String, more: &str) {
    text.push_str(more);
}

fn section(part: Part) -> String {
    let mut text = String::new();
    match part {
        Part::Table(table) => {
            push(
                &mut text,
                &format!("\n### {}\n\n{}\n", table.name, table.doc),
            );
            push(&mut text, &fields(table, None));
        }
        Part::Variant { tag, word, table } => {
            push(
                &mut text,
                &format!("\n### {}\n\n`{tag}: {word}`. {}\n", table.name, table.doc),
            );
            push(&mut text, &fields(table, Some((tag, word))));
        }
        Part::Tagged(tagged) => {
            push(
                &mut text,
                &format!("\n### {}\n\n{}\n\n", tagged.name, tagged.doc),
            );
            push(
                &mut text,
                &format!(
                    "`{}` decides what else can stand here. {}\n\n",
                    tagged.tag, tagged.tag_doc
                ),
            );
            for (word, table) in tagged.variants {
                push(&mut text, &format!("- `{word}`: {}\n", link(table.name)));
            }
        }
    }
    text
}

fn fields(table: &Table, tag: Option<(&str, &str)>) -> String {
    let mut text = String::new();
    if table.fields().next().is_none() {
        if tag.is_some() {
            push(&mut text, "\nNothing else can stand beside it.\n");
        }
        return text;
    }
    push(
        &mut text,
        "\n| key | value | needed, or default | what it says |\n|---|---|---|---|\n",
    );
    for field in table.fields() {
        push(&mut text, &row(field));
    }
    for rule in table.rules {
        push(&mut text, &format!("\n{}\n", told(rule)));
    }
    text
}

fn row(field: &Field) -> String {
    let need = match field.need {
        Need::Required => "yes".to_owned(),
        Need::Optional => "no".to_owned(),
        Need::Default(value) => format!("`{value}`"),
    };
    let mut doc = field.doc.to_owned();
    if let Some(names) = sees(&field.shape) {
        let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
        doc += &[" Reads ", &names.join(", "), "."].concat();
    }
    let cell = |text: &str| text.replace('|', "\\|");
    format!(
        "| `{}` | {} | {} | {} |\n",
        field.name,
        cell(&value(&field.shape)),
        cell(&need),
        cell(&doc)
    )
}

/// Names are code; phrases that stand for several names are not.
fn quoted(name: &str) -> String {
    if name.contains(' ') {
        name.to_owned()
    } else {
        format!("`{name}`")
    }
}

fn value(shape: &Shape) -> String {
    match shape {
        Shape::Object(table) => link(table.name),
        Shape::Tagged(tagged) => link(tagged.name),
        Shape::List(item) => format!("list of: {}", value(item)),
        Shape::OneOrMore(item) => format!("{}, or a list of them", value(item)),
        Shape::Map(keys, item) => {
            let key = match keys {
                Keys::Identifier | Keys::Name => "name",
                Keys::Text => "text",
            };
            format!("map of {key} to: {}", value(item))
        }
        Shape::ScalarOr { scalar, other } => format!("{}, or {}", value(scalar), value(other)),
        Shape::Template(_) => "template".to_owned(),
        Shape::Tree(_) => "tree".to_owned(),
        Shape::Expression(_) => "expression".to_owned(),
        Shape::DurationTemplate(_) => "length of time, or template".to_owned(),
        Shape::CountTemplate(_) => "whole number from 1, or template".to_owned(),
        Shape::Properties => "map of name to JSON Schema".to_owned(),
        Shape::Schema => "schema file's name, or JSON Schema".to_owned(),
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
        | Shape::Braced(_)
        | Shape::JsonPath
        | Shape::Anything => {
            let words = expected(shape);
            words
                .strip_prefix("a ")
                .or_else(|| words.strip_prefix("an "))
                .unwrap_or(&words)
                .to_owned()
        }
    }
}

fn link(name: &str) -> String {
    format!("[{name}](#{})", name.to_lowercase())
}

fn told(rule: &Rule) -> String {
    match rule {
        Rule::ExactlyOne(keys) => format!("Exactly one of {}.", join(keys)),
        Rule::AtMostOne(keys) => format!("No more than one of {}.", join(keys)),
        Rule::OnlyWith { keys, with } => format!("{} only beside {}.", join(keys), join(with)),
        Rule::Needs { key, needs } => format!("`{key}` needs `{needs}`."),
    }
}
