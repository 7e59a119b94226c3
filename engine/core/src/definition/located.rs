//! Where everything in the definitions stands.

use super::site;
use super::structure::Broken;
use super::tables::DefinitionKind;
use crate::source::Span;
use crate::yaml::{Node, NodeId};
use std::collections::{HashMap, HashSet};

/// The places of a library's definitions.
#[derive(Debug, Default)]
pub struct Located {
    definitions: HashMap<(DefinitionKind, String), Node>,
    broken: HashSet<NodeId>,
    /// Connectors and integrations whose files could not be read at all.
    unreadable: HashSet<(DefinitionKind, String)>,
}

impl Located {
    pub(super) fn add(&mut self, kind: DefinitionKind, name: &str, node: Node, broken: &Broken) {
        self.broken.extend(broken);
        self.definitions.insert((kind, name.to_owned()), node);
    }

    pub(super) fn add_unreadable(&mut self, kind: DefinitionKind, name: &str) {
        self.unreadable.insert((kind, name.to_owned()));
    }

    pub(super) fn unreadable(&self, kind: DefinitionKind) -> HashSet<String> {
        let of_kind = self.unreadable.iter().filter(|(known, _)| *known == kind);
        of_kind.map(|(_, name)| name.clone()).collect()
    }

    /// The place of something: `["connectors", "x", "operations", "y", "request", "path"]`, `["integrations", "a/b", …]`.
    /// List items are counted from 0. Its value if that is a scalar, else its key.
    pub fn span(&self, path: &[&str]) -> Option<Span> {
        let (node, rest) = self.definition(path)?;
        site::span(node, rest)
    }

    /// The place of the key of something.
    pub fn key_span(&self, path: &[&str]) -> Option<Span> {
        let (node, rest) = self.definition(path)?;
        let (last, above) = rest.split_last()?;
        let above = above.iter().try_fold(node, |here, name| step(here, name))?;
        Some(above.entry(last)?.key_span)
    }

    /// Whether something, or what it stands in, was reported while it was read: whoever meets it stays silent.
    pub fn is_broken(&self, path: &[&str]) -> bool {
        let unreadable =
            |kind: DefinitionKind, name: &str| self.unreadable.contains(&(kind, name.to_owned()));
        let Some((node, rest)) = self.definition(path) else {
            return kind_and_name(path).is_some_and(|(kind, name)| unreadable(kind, name));
        };
        let mut here = node;
        let mut broken = self.broken.contains(&here.id);
        for name in rest {
            let Some(next) = step(here, name) else { break };
            here = next;
            broken |= self.broken.contains(&here.id);
        }
        broken
    }

    /// Whether something of this name stands in a part of a definition that was reported, and so was not read.
    pub fn is_unread(&self, definition: &[&str], name: &str) -> bool {
        self.definition(definition)
            .is_some_and(|(node, _)| self.names_unread(node, name))
    }

    fn names_unread(&self, node: &Node, name: &str) -> bool {
        let broken = self.broken.contains(&node.id);
        let values = node.entries().iter().map(|entry| &entry.value);
        (broken && has_key(node, name))
            || values
                .chain(node.items())
                .any(|value| self.names_unread(value, name))
    }

    fn definition<'p>(&self, path: &'p [&'p str]) -> Option<(&Node, &'p [&'p str])> {
        let (kind, name) = kind_and_name(path)?;
        let node = self.definitions.get(&(kind, name.to_owned()))?;
        Some((node, path.get(2..).unwrap_or_default()))
    }
}

fn kind_and_name<'p>(path: &'p [&'p str]) -> Option<(DefinitionKind, &'p str)> {
    let (first, rest) = path.split_first()?;
    let kind = match *first {
        "connectors" => DefinitionKind::Connector,
        "integrations" => DefinitionKind::Integration,
        _ => return None,
    };
    Some((kind, rest.first()?))
}

/// Whether a key of this name stands anywhere in a node.
fn has_key(node: &Node, name: &str) -> bool {
    node.entries()
        .iter()
        .any(|entry| entry.key == name || has_key(&entry.value, name))
        || node.items().iter().any(|item| has_key(item, name))
}

fn step<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    node.get(name)
        .or_else(|| node.items().get(name.parse::<usize>().ok()?))
}
