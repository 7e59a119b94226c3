//! Matching tables are declared nowhere: they are what integrations and sites name. So only slips can be found, a name that
//! is read once, written by nobody, and nearly that of another table of the same pairing.

use super::super::Context;
use super::super::locate::{Owner, Route, route};
use super::super::nearest::nearest;
use super::super::walk;
use crate::codes;
use crate::diagnostic::{Diagnostic, Findings};
use crate::plan::{FetchFrom, Integration};
use indexmap::IndexMap;

/// A place that names a table.
struct Use<'a> {
    integration: &'a Integration,
    route: Route,
    /// The columns it names, each with its own place.
    columns: Vec<(&'a str, Route)>,
    writes: bool,
}

type Tables<'a> = IndexMap<&'a str, Vec<Use<'a>>>;

pub(super) fn rule(context: &Context<'_>, findings: &mut Findings) {
    let mut pairings: IndexMap<&str, Tables<'_>> = IndexMap::new();
    for integration in context.library.integrations.values() {
        let name = integration.id.as_str();
        let pairing = name.split_once('/').map_or(name, |(pairing, _)| pairing);
        collect(integration, pairings.entry(pairing).or_default());
    }
    for tables in pairings.values() {
        for (table, uses) in tables {
            let writers = || uses.iter().filter(|one| one.writes);
            if let [only] = uses.as_slice()
                && !only.writes
            {
                let others = tables
                    .keys()
                    .copied()
                    .filter(|other| !numbered(table, other));
                slip(
                    context,
                    only.integration,
                    &only.route,
                    "matching table",
                    table,
                    others,
                    findings,
                );
            }
            let written: Vec<&str> = writers()
                .flat_map(|one| &one.columns)
                .map(|(name, _)| *name)
                .collect();
            for reader in uses.iter().filter(|one| !one.writes) {
                for (column, route) in &reader.columns {
                    let others = written
                        .iter()
                        .copied()
                        .filter(|other| !numbered(column, other));
                    if !written.contains(column) {
                        slip(
                            context,
                            reader.integration,
                            route,
                            "column",
                            column,
                            others,
                            findings,
                        );
                    }
                }
            }
        }
    }
}

fn collect<'a>(integration: &'a Integration, tables: &mut Tables<'a>) {
    for fetch in &integration.fetch {
        if let FetchFrom::Crosswalk { table, columns, .. } = &fetch.from {
            let columns = columns.iter().enumerate().map(|(at, name)| {
                (
                    name.as_str(),
                    route(["fetch", &fetch.name, "columns", &at.to_string()]),
                )
            });
            tables.entry(table).or_default().push(Use {
                integration,
                route: route(["fetch", &fetch.name, "crosswalk"]),
                columns: columns.collect(),
                writes: false,
            });
        }
    }
    for part in integration.reconcile.iter().flat_map(walk::reads) {
        for fetch in part.reads {
            if let FetchFrom::Crosswalk { table, .. } = &fetch.from {
                let below = [fetch.name.clone(), "crosswalk".to_owned()];
                tables.entry(table).or_default().push(Use {
                    integration,
                    route: part.at.iter().cloned().chain(below).collect(),
                    columns: Vec::new(),
                    writes: false,
                });
            }
        }
    }
    for (at, remember) in integration.remember.iter().enumerate() {
        let at = at.to_string();
        let columns = remember
            .values
            .keys()
            .map(|name| (name.as_str(), route(["remember", &at, "values", name])));
        tables.entry(&remember.table).or_default().push(Use {
            integration,
            route: route(["remember", &at, "crosswalk"]),
            columns: columns.collect(),
            writes: true,
        });
    }
}

fn slip<'n>(
    context: &Context<'_>,
    integration: &Integration,
    route: &Route,
    what: &str,
    name: &str,
    others: impl Iterator<Item = &'n str>,
    findings: &mut Findings,
) {
    let Some(near) = nearest(name, others.filter(|other| *other != name)) else {
        return;
    };
    let span = context
        .locator
        .value(Owner::Integration(integration), route);
    let message = format!("nothing writes the {what} `{name}`, and there is a `{near}`");
    findings.push(
        Diagnostic::warning(codes::CROSSWALK_SLIP, span, message)
            .help(format!("did you mean `{near}`?"))
            .note("a table that is only imported is written by no integration; then rename one of the two, so that they cannot be mixed up"),
    );
}

/// Whether two names differ in their numbers only, as `region1` and `region2` do.
fn numbered(a: &str, b: &str) -> bool {
    let letters = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    a != b && letters(a) == letters(b)
}
