//! What may be null is asked before its members are read.
//!
//! `missing: "null"` says that a record goes on without what was looked for. An integration that then reads a member of it
//! and never asks whether it is there holds every such record, which is what `missing: hold` would have said.

use super::super::Context;
use super::super::locate::{Owner, route};
use super::super::walk::Leaf;
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::plan::{Integration, Missing};
use crate::template::{Kind, Shape};

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    for (owner, leaves) in context.walk.definitions() {
        if let Owner::Integration(integration) = owner {
            for (name, section) in nullable(integration) {
                one(context, owner, leaves, name, section, findings);
            }
        }
    }
}

/// The names that may be null, with the section that declares each.
fn nullable(integration: &Integration) -> Vec<(&str, &'static str)> {
    let fetches = integration
        .fetch
        .iter()
        .filter(|one| one.missing == Missing::Null);
    let requires = integration
        .requires
        .iter()
        .filter(|one| one.missing == Missing::Null);
    let fetches = fetches.map(|one| (one.name.as_str(), "fetch"));
    fetches
        .chain(requires.map(|one| (one.name.as_str(), "requires")))
        .collect()
}

fn one(
    context: &Context<'_>,
    owner: Owner<'_>,
    leaves: &[Leaf<'_>],
    name: &str,
    section: &str,
    findings: &mut Findings,
) {
    if leaves
        .iter()
        .any(|leaf| leaf.broken || asks(&leaf.shape, name))
    {
        return;
    }
    let read = leaves.iter().find_map(|leaf| {
        let names = leaf.shape.names();
        let path = names.into_iter().find(|path| {
            path.len() > 1 && path.first().is_some_and(|segment| segment.name == name)
        })?;
        let (first, last) = (path.first()?, path.last()?);
        Some((leaf, first.at.start..last.at.end))
    });
    let Some((leaf, at)) = read else { return };
    findings.push(
        Diagnostic::warning(
            codes::UNASKED_NULL,
            context.place(leaf, &at),
            format!("`{name}` may be null, and nothing asks whether it is"),
        )
        .related(context.locator.key(owner, &route([section, name, "missing"])), "null goes on")
        .help(format!(
            "ask with `{name} is not none`, give a value with `| default(…)`, or say `missing: hold` or `missing: skip`"
        ))
        .note("a member of null has no value: every record without it would be held"),
    );
}

/// Whether an expression asks for a value as a whole, or provides for a member that is not there.
fn asks(shape: &Shape, name: &str) -> bool {
    let starts = |one: &Shape| {
        one.names()
            .iter()
            .any(|path| path.first().is_some_and(|segment| segment.name == name))
    };
    let mut found = false;
    shape.walk(&mut |one| match &one.kind {
        Kind::Name(path) => found |= matches!(path.as_slice(), [only] if only.name == name),
        Kind::Filter {
            name: filter, on, ..
        } => {
            found |= (filter == "default" || filter == "d") && starts(on);
        }
        Kind::Test { name: test, on, .. } => {
            found |= (test == "defined" || test == "undefined") && starts(on);
        }
        Kind::Value(_)
        | Kind::Compare { .. }
        | Kind::Not(_)
        | Kind::All(_)
        | Kind::Any(_)
        | Kind::Choice { .. }
        | Kind::List(_)
        | Kind::Text(_)
        | Kind::Sum(_)
        | Kind::Other(_) => {}
    });
    found
}
