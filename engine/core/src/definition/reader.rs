//! Reads the keys of one object by the rows of its table.

use super::context::{self, Context};
use super::schemas;
use super::table::{Field, Need, Shape, Table, Tagged};
use super::words;
use crate::template::{Expression, Path, Template};
use crate::yaml::Node;
use indexmap::IndexMap;
use serde_json::Value as Document;
use std::time::Duration;

/// One object. Absent objects are read too: then every key has its default.
pub(super) struct Reader<'c, 'a> {
    pub(super) cx: &'c Context<'a>,
    pub(super) node: Option<&'c Node>,
    pub(super) table: &'static Table,
}

impl<'c, 'a> Reader<'c, 'a> {
    pub(super) fn new(cx: &'c Context<'a>, node: Option<&'c Node>, table: &'static Table) -> Self {
        let node = node.filter(|node| !cx.broken.contains(&node.id));
        Self { cx, node, table }
    }

    /// Notes that a key is read; asking for a key that has no row is a mistake of the engine.
    fn field(&self, key: &str) -> Option<&'static Field> {
        let field = self.table.field(key);
        debug_assert!(field.is_some(), "{} has no row for {key}", self.table.name);
        #[cfg(test)]
        if let Some(field) = field {
            context::ASKED.with_borrow_mut(|asked| asked.insert((self.table.name, field.name)));
        }
        field
    }

    /// The value of a key, if it is there and sound.
    pub(super) fn node(&self, key: &str) -> Option<&'c Node> {
        self.field(key);
        self.node?
            .get(key)
            .filter(|node| !self.cx.broken.contains(&node.id))
    }

    /// The written scalar of a key, or its default.
    fn written(&self, key: &str) -> Option<&'c str> {
        if let Some(node) = self.node(key) {
            return node.scalar().map(|scalar| scalar.text.as_str());
        }
        match self.field(key)?.need {
            Need::Default(text) => Some(text),
            Need::Required | Need::Optional => None,
        }
    }

    // -- scalars ------------------------------------------------------------------------------------------------------

    pub(super) fn flag(&self, key: &str) -> bool {
        self.written(key)
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    pub(super) fn count<T: TryFrom<u64> + Default>(&self, key: &str) -> T {
        let number = self.written(key).and_then(|text| text.parse::<u64>().ok());
        number
            .and_then(|number| T::try_from(number).ok())
            .unwrap_or_default()
    }

    pub(super) fn duration(&self, key: &str) -> Duration {
        self.opt_duration(key).unwrap_or_default()
    }

    pub(super) fn opt_duration(&self, key: &str) -> Option<Duration> {
        words::duration(self.written(key)?).ok()
    }

    pub(super) fn size(&self, key: &str) -> u64 {
        self.written(key)
            .and_then(|text| words::size(text).ok())
            .unwrap_or_default()
    }

    pub(super) fn factor(&self, key: &str) -> u32 {
        self.written(key)
            .and_then(|text| words::factor(text).ok())
            .unwrap_or(1000)
    }

    pub(super) fn text(&self, key: &str) -> String {
        self.opt_text(key).unwrap_or_default()
    }

    pub(super) fn opt_text(&self, key: &str) -> Option<String> {
        self.written(key).map(str::to_owned)
    }

    /// A word of a closed list as what it stands for; `None` for one that is absent or was reported.
    pub(super) fn word<T: Copy>(&self, key: &str, meanings: &[(&str, T)]) -> Option<T> {
        let written = self.written(key);
        debug_assert!(self.field(key).is_some_and(|field| {
            let known = |word: &&str| meanings.iter().any(|(known, _)| known == word);
            matches!(&field.shape, Shape::Word(words) if words.iter().all(known))
        }));
        let meaning = |text: &str| {
            meanings
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, meaning)| *meaning)
        };
        written.and_then(meaning)
    }

    // -- expressions --------------------------------------------------------------------------------------------------

    pub(super) fn template(&self, key: &str) -> Template {
        self.opt_template(key).unwrap_or_else(context::no_template)
    }

    pub(super) fn opt_template(&self, key: &str) -> Option<Template> {
        if let Some(node) = self.node(key) {
            return Some(self.cx.template(node));
        }
        match self.field(key)?.need {
            Need::Default(text) => Some(Template::literal(super::json_schema::literal(text))),
            Need::Required | Need::Optional => None,
        }
    }

    pub(super) fn expression(&self, key: &str) -> Expression {
        self.opt_expression(key)
            .unwrap_or_else(context::no_expression)
    }

    pub(super) fn opt_expression(&self, key: &str) -> Option<Expression> {
        self.node(key).map(|node| self.cx.expression(node))
    }

    pub(super) fn braced(&self, key: &str) -> Expression {
        self.node(key)
            .map_or_else(context::no_expression, |node| self.cx.braced(node))
    }

    pub(super) fn path(&self, key: &str) -> Path {
        if let Some(path) = self.opt_path(key) {
            return path;
        }
        let default = self.field(key).and_then(|field| match field.need {
            Need::Default(text) => Path::compile(text).ok(),
            Need::Required | Need::Optional => None,
        });
        default.unwrap_or_else(context::no_path)
    }

    pub(super) fn opt_path(&self, key: &str) -> Option<Path> {
        self.node(key).map(|node| self.cx.path(node))
    }

    /// One path or several.
    pub(super) fn paths(&self, key: &str) -> Vec<Path> {
        let Some(node) = self.node(key) else {
            return vec![context::no_path()];
        };
        match node.scalar() {
            Some(_) => vec![self.cx.path(node)],
            None => self.items(key).map(|node| self.cx.path(node)).collect(),
        }
    }

    /// Names to templates, in order.
    pub(super) fn templates(&self, key: &str) -> impl Iterator<Item = (String, Template)> {
        self.entries(key)
            .map(|(name, node)| (name.to_owned(), self.cx.template(node)))
    }

    // -- collections --------------------------------------------------------------------------------------------------

    /// The sound members of a map of one's own.
    pub(super) fn entries(&self, key: &str) -> impl Iterator<Item = (&'c str, &'c Node)> {
        let entries = self.node(key).map_or(&[][..], Node::entries);
        let sound = |node: &&'c Node| !self.cx.broken.contains(&node.id);
        entries
            .iter()
            .map(|entry| (entry.key.as_str(), &entry.value))
            .filter(move |(_, node)| sound(node))
    }

    /// The sound items of a list.
    pub(super) fn items(&self, key: &str) -> impl Iterator<Item = &'c Node> {
        let items = self.node(key).map_or(&[][..], Node::items);
        items
            .iter()
            .filter(|node| !self.cx.broken.contains(&node.id))
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        if self.node(key).is_some() {
            let text = |node: &Node| node.scalar().map(|scalar| scalar.text.clone());
            return self.items(key).filter_map(text).collect();
        }
        let Some(Need::Default(text)) = self.field(key).map(|field| field.need) else {
            return Vec::new();
        };
        let default = super::json_schema::literal(text);
        let text = |item: &Document| item.as_str().map(str::to_owned);
        default
            .as_array()
            .map(|items| items.iter().filter_map(text).collect())
            .unwrap_or_default()
    }

    /// The object of a key; one that is absent has defaults only.
    pub(super) fn object(&self, key: &str) -> Reader<'c, 'a> {
        let table = match self.field(key).map(|field| &field.shape) {
            Some(Shape::Object(table)) => table,
            Some(_) | None => self.table,
        };
        Reader::new(self.cx, self.node(key), table)
    }

    pub(super) fn opt_object(&self, key: &str) -> Option<Reader<'c, 'a>> {
        self.node(key)?;
        Some(self.object(key))
    }

    /// The object of a key where a scalar might stand instead; `None` if one does.
    pub(super) fn scalar_or_object(&self, key: &str) -> Option<Reader<'c, 'a>> {
        let Some(Shape::ScalarOr {
            other: Shape::Object(table),
            ..
        }) = self.field(key).map(|field| &field.shape)
        else {
            return None;
        };
        let node = self.node(key).filter(|node| node.scalar().is_none())?;
        Some(Reader::new(self.cx, Some(node), table))
    }

    /// The objects of a list.
    pub(super) fn objects(&self, key: &str) -> Vec<Reader<'c, 'a>> {
        let Some(Shape::List(Shape::Object(table))) = self.field(key).map(|field| &field.shape)
        else {
            return Vec::new();
        };
        self.items(key)
            .map(|node| Reader::new(self.cx, Some(node), table))
            .collect()
    }

    /// The objects of a map of one's own.
    pub(super) fn object_map(&self, key: &str) -> IndexMap<String, Reader<'c, 'a>> {
        let Some(Shape::Map(_, Shape::Object(table))) = self.field(key).map(|field| &field.shape)
        else {
            return IndexMap::new();
        };
        let reader =
            |(name, node): (&str, _)| (name.to_owned(), Reader::new(self.cx, Some(node), table));
        self.entries(key).map(reader).collect()
    }

    /// The tagged object of a key: what its deciding key says, and its other keys.
    pub(super) fn tagged(&self, key: &str) -> Option<(&'static str, Reader<'c, 'a>)> {
        let Some(Shape::Tagged(tagged)) = self.field(key).map(|field| &field.shape) else {
            return None;
        };
        tagged_reader(self.cx, self.node(key)?, tagged)
    }

    /// The tagged objects of a map of one's own.
    pub(super) fn tagged_map(&self, key: &str) -> Vec<(String, &'static str, Reader<'c, 'a>)> {
        let Some(Shape::Map(_, Shape::Tagged(tagged))) = self.field(key).map(|field| &field.shape)
        else {
            return Vec::new();
        };
        let one = |(name, node): (&str, _)| {
            let (word, reader) = tagged_reader(self.cx, node, tagged)?;
            Some((name.to_owned(), word, reader))
        };
        self.entries(key).filter_map(one).collect()
    }

    /// Whatever stands under a key.
    pub(super) fn document(&self, key: &str) -> Option<Document> {
        self.node(key).map(Node::to_document)
    }

    /// The JSON Schema of a key: a file's, or the one written there.
    pub(super) fn schema(&self, key: &str) -> Document {
        match self.node(key) {
            Some(node) => self.cx.schemas.of_node(node, self.cx),
            None => Document::Object(serde_json::Map::new()),
        }
    }

    /// The object schema of the properties under a key.
    pub(super) fn properties(&self, key: &str) -> Document {
        schemas::of_properties(self.node(key), self.cx)
    }
}

fn tagged_reader<'c, 'a>(
    cx: &'c Context<'a>,
    node: &'c Node,
    tagged: &'static Tagged,
) -> Option<(&'static str, Reader<'c, 'a>)> {
    if cx.broken.contains(&node.id) {
        return None;
    }
    let word = &node.get(tagged.tag)?.scalar()?.text;
    let (word, table) = tagged.variants.iter().find(|(known, _)| known == word)?;
    Some((word, Reader::new(cx, Some(node), table)))
}
