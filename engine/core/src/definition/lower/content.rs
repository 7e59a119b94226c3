//! Bodies and documents, and the trees they are made from.

use super::super::context::no_template;
use super::super::reader::Reader;
use super::super::structure;
use super::names;
use super::operation::ENCODINGS_OUT;
use crate::definition::context::Context;
use crate::plan::{Content, Encoding, SoapContent, SoapVersion, Tree, XmlContent};
use crate::yaml::{Node, Value};

/// Names to contents, in order.
pub(super) fn documents(reader: &Reader<'_, '_>, key: &str) -> Vec<(String, Content)> {
    let documents = reader.object_map(key).into_iter();
    documents
        .filter_map(|(name, one)| Some((name, lower(&one)?)))
        .collect()
}

/// One body or document. `None` if what it is was reported.
pub(super) fn lower(reader: &Reader<'_, '_>) -> Option<Content> {
    if let Some(node) = reader.node("json") {
        return Some(Content::Json(tree(reader.cx, node)));
    }
    if reader.node("form").is_some() {
        return Some(Content::Form(reader.templates("form").collect()));
    }
    if let Some(node) = reader.node("xml") {
        return Some(Content::Xml(XmlContent {
            tree: tree(reader.cx, node),
            declaration: reader.flag("declaration"),
            encoding: reader
                .word("encoding", &ENCODINGS_OUT)
                .unwrap_or(Encoding::Utf8),
            unmappable: reader.opt_template("unmappable"),
        }));
    }
    if let Some(one) = reader.opt_object("soap") {
        return Some(Content::Soap(SoapContent {
            version: one
                .word(
                    "version",
                    &[("1.1", SoapVersion::V11), ("1.2", SoapVersion::V12)],
                )
                .unwrap_or(SoapVersion::V11),
            action: one.template("action"),
            header: one.node("header").map(|node| tree(one.cx, node)),
            body: own_tree(&one, "body"),
        }));
    }
    if let Some(one) = reader.opt_object("graphql") {
        return Some(Content::Graphql {
            query: one.text("query"),
            variables: own_tree(&one, "variables"),
        });
    }
    reader.node("text")?;
    Some(Content::Text {
        text: reader.template("text"),
        content_type: reader.text("content_type"),
    })
}

/// The tree of a key; an empty map if it is absent.
pub(super) fn own_tree(reader: &Reader<'_, '_>, key: &str) -> Tree {
    reader
        .node(key)
        .map_or(Tree::Map(Vec::new()), |node| tree(reader.cx, node))
}

/// A node as a tree.
pub(super) fn tree(cx: &Context<'_>, node: &Node) -> Tree {
    if cx.broken.contains(&node.id) {
        return Tree::Leaf(no_template());
    }
    match &node.value {
        Value::Broken => Tree::Leaf(no_template()),
        Value::Scalar(_) => Tree::Leaf(cx.template(node)),
        Value::List(items) => Tree::List(items.iter().map(|item| tree(cx, item)).collect()),
        Value::Map(entries) => match structure::tree_form(node) {
            Some(table) => {
                let reader = Reader::new(cx, Some(node), table);
                if table.field("for").is_some() {
                    each(&reader)
                } else {
                    branch(&reader)
                }
            }
            None => Tree::Map(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), tree(cx, &entry.value)))
                    .collect(),
            ),
        },
    }
}

fn each(reader: &Reader<'_, '_>) -> Tree {
    names::check_one(reader, "as", names::TREE);
    Tree::Each {
        list: reader.braced("for"),
        name: reader.text("as"),
        each: Box::new(own_tree(reader, "each")),
    }
}

fn branch(reader: &Reader<'_, '_>) -> Tree {
    Tree::If {
        condition: reader.braced("if"),
        then: Box::new(own_tree(reader, "then")),
        otherwise: reader
            .node("else")
            .map(|node| Box::new(tree(reader.cx, node))),
    }
}
