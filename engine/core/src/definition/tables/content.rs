//! Bodies and documents: content that the engine serialises, never pasted together from text.

use super::scopes;
use crate::definition::table::{Keys, Rule, Shape, Table, default, optional, required};

pub(crate) static CONTENT: Table = Table {
    name: "Content",
    doc: "A body or document, made from structured data and escaped by the engine.",
    rows: &[&[
        optional(
            "json",
            Shape::Tree(scopes::REQUEST),
            "JSON. A member whose value is null is left out.",
        ),
        optional(
            "form",
            Shape::Map(Keys::Text, &Shape::Template(scopes::REQUEST)),
            "A form, `application/x-www-form-urlencoded`. A member whose value is null is left out.",
        ),
        optional(
            "xml",
            Shape::Tree(scopes::REQUEST),
            "XML: a map with one root. `@name` is an attribute, `#text` the text beside attributes, `#cdata` the same as \
             CDATA, a list repeats its element, and null leaves it out.",
        ),
        optional("soap", Shape::Object(&SOAP), "A SOAP envelope."),
        optional("graphql", Shape::Object(&GRAPHQL), "A GraphQL request."),
        optional("text", Shape::Template(scopes::REQUEST), "Text."),
        default(
            "content_type",
            Shape::Text,
            "text/plain; charset=utf-8",
            "The media type of `text`.",
        ),
        default(
            "declaration",
            Shape::Flag,
            "true",
            "Whether the XML declaration is written.",
        ),
        default(
            "encoding",
            Shape::Word(&["utf-8", "windows-1252"]),
            "utf-8",
            "The system's character set; what it lacks is dealt with by `unmappable`.",
        ),
        optional(
            "unmappable",
            Shape::Template(scopes::SETTINGS),
            "What happens to characters the set lacks: `translit`, `question` or `fail`. Default: `fail`.",
        ),
    ]],
    rules: &[
        Rule::ExactlyOne(&["json", "form", "xml", "soap", "graphql", "text"]),
        Rule::OnlyWith {
            keys: &["content_type"],
            with: &["text"],
        },
        Rule::OnlyWith {
            keys: &["declaration", "encoding", "unmappable"],
            with: &["xml"],
        },
    ],
};

static SOAP: Table = Table {
    name: "Soap",
    doc: "A SOAP envelope.",
    rows: &[&[
        default(
            "version",
            Shape::Word(&["1.1", "1.2"]),
            "1.1",
            "The version, in quotes.",
        ),
        required("action", Shape::Template(scopes::REQUEST), "The action."),
        optional(
            "header",
            Shape::Tree(scopes::REQUEST),
            "The content of the header.",
        ),
        required(
            "body",
            Shape::Tree(scopes::REQUEST),
            "The content of the body.",
        ),
    ]],
    rules: &[],
};

static GRAPHQL: Table = Table {
    name: "Graphql",
    doc: "A GraphQL request. Values go into variables, never into the query.",
    rows: &[&[
        required("query", Shape::Text, "The query, as it is."),
        default(
            "variables",
            Shape::Tree(scopes::REQUEST),
            "{}",
            "Its variables.",
        ),
    ]],
    rules: &[],
};

/// `{ for, as, each }` inside a tree.
pub(crate) static EACH: Table = Table {
    name: "TreeFor",
    doc: "Inside a tree: one item for each element of a list. In a list its items become that list's. It sees what the tree sees; `each` also the name in `as`.",
    rows: &[&[
        required("for", Shape::Braced(&["what the tree sees"]), "The list."),
        required(
            "as",
            Shape::Identifier,
            "The name under which `each` reads the element.",
        ),
        required(
            "each",
            Shape::Tree(&["what the tree sees", "the name in `as`"]),
            "What is made for each element.",
        ),
    ]],
    rules: &[],
};

/// `{ if, then, else }` inside a tree.
pub(crate) static IF: Table = Table {
    name: "TreeIf",
    doc: "Inside a tree: one of two, or nothing.",
    rows: &[&[
        required(
            "if",
            Shape::Braced(&["what the tree sees"]),
            "What is asked.",
        ),
        required(
            "then",
            Shape::Tree(&["what the tree sees"]),
            "What is made when it holds.",
        ),
        optional(
            "else",
            Shape::Tree(&["what the tree sees"]),
            "What is made when it does not. None: left out.",
        ),
    ]],
    rules: &[],
};
