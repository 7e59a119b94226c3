//! Every row of every table is written in a sample, read by lowering, and arrives in the plan.

use super::super::context::ASKED;
use super::super::outline::{Part, parts};
use super::super::table::{Shape, Table};
use super::super::tables::{DefinitionKind, case};
use super::super::{library, structure};
use super::*;
use crate::yaml::{self, Node};
use std::collections::BTreeSet;

type Rows = BTreeSet<(&'static str, &'static str)>;

fn all_rows() -> Rows {
    let mut rows = Rows::new();
    for part in DefinitionKind::ALL.into_iter().flat_map(parts) {
        if let Part::Table(table) | Part::Variant { table, .. } = part {
            rows.extend(table.fields().map(|field| (table.name, field.name)));
        }
    }
    rows
}

fn written(node: &Node, table: &'static Table, rows: &mut Rows) {
    for field in table.fields() {
        if let Some(value) = node.get(field.name) {
            rows.insert((table.name, field.name));
            written_value(value, &field.shape, rows);
        }
    }
}

fn written_value(node: &Node, shape: &'static Shape, rows: &mut Rows) {
    if let Shape::Object(table) = shape {
        written(node, table, rows);
    } else if let Shape::Tagged(tagged) = shape {
        let word = node.get(tagged.tag).and_then(Node::scalar).unwrap();
        written(node, tagged.variant(&word.text).unwrap(), rows);
    } else if let Shape::List(item) = shape {
        node.items()
            .iter()
            .for_each(|one| written_value(one, item, rows));
    } else if let Shape::Map(_, item) = shape {
        node.entries()
            .iter()
            .for_each(|one| written_value(&one.value, item, rows));
    } else if let Shape::ScalarOr { other, .. } = shape {
        written_value(node, other, rows);
    } else if let Shape::Tree(_) = shape {
        if let Some(table) = structure::tree_form(node) {
            return written(node, table, rows);
        }
        node.items()
            .iter()
            .for_each(|one| written_value(one, shape, rows));
        node.entries()
            .iter()
            .for_each(|one| written_value(&one.value, shape, rows));
    }
}

#[test]
fn every_row_is_written_in_a_sample_and_read_by_lowering() {
    ASKED.with_borrow_mut(BTreeSet::clear);
    let mut sources = samples();
    let mut sites = vec![sources.add("ml-connector.yaml", SITE)];
    for name in ["file", "credential"] {
        let text = SITE.replace("env: VAULT_KEY", &format!("{name}: key"));
        sites.push(sources.add(&format!("{name}.yaml"), &text));
    }
    let (_, findings) = load(&sources);
    assert_eq!(findings, "");
    let mut rows = Rows::new();
    for (id, _) in sources.files() {
        let Some(kind) = library::kind_of(&sources, id) else {
            continue;
        };
        let node = yaml::load(&sources, id, &mut Findings::new()).unwrap();
        written(&node, kind.table(), &mut rows);
        if kind == DefinitionKind::Case {
            let fetched = node.get("fetch").map_or(&[][..], Node::entries).iter();
            for answer in fetched.filter_map(|entry| entry.value.get("response")) {
                written(answer, &case::RAW_ANSWER, &mut rows);
            }
        }
    }
    for site in sites {
        assert!(Site::load(&sources, site).1.is_empty());
    }
    let all = all_rows();
    let unwritten: Vec<_> = all.difference(&rows).collect();
    assert!(unwritten.is_empty(), "no sample says {unwritten:?}");
    let asked = ASKED.with_borrow(Clone::clone);
    let unread: Vec<_> = all.difference(&asked).collect();
    assert!(unread.is_empty(), "lowering never reads {unread:?}");
}

/// What was lowered, in full: a value that is read and dropped on the way is missing here.
#[test]
fn what_is_written_arrives() {
    let (library, findings) = load(&samples());
    assert_eq!(findings, "");
    insta::assert_debug_snapshot!("connectors", library.connectors);
    let mut integrations = String::new();
    for integration in library.integrations.values() {
        // Connectors stand in a snapshot of their own.
        let text = format!("{integration:#?}");
        let from = text.find("    connections: {").unwrap();
        let to = text.find("    source: Source").unwrap();
        integrations.push_str(&text[..from]);
        integrations.push_str(&text[to..]);
    }
    insta::assert_snapshot!("integrations", integrations);
    insta::assert_debug_snapshot!("cases", library.cases);
    let (plan, findings) = bind(SITE);
    assert_eq!(findings, "");
    let plan = plan.unwrap();
    let shown = |one: &crate::plan::Connection| {
        let polls = &one.poll_pace;
        format!(
            "{} {} {} {:?} {polls:?} {:?}",
            one.id, one.connector.id, one.settings, one.secrets, one.rate_limit
        )
    };
    let connections: Vec<_> = plan.connections.values().map(|one| shown(one)).collect();
    insta::assert_debug_snapshot!("connections", connections);
    let shown = |one: &crate::plan::Instance| {
        format!(
            "{} {} {:?} {} {:?} {:?}",
            one.id, one.integration.id, one.connections, one.params, one.crosswalks, one.windows
        )
    };
    let instances: Vec<_> = plan.instances.values().map(|one| shown(one)).collect();
    insta::assert_debug_snapshot!("instances", instances);
}
