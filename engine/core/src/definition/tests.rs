//! Loading and binding: what can be said is read, and what is wrong is found.

mod binding;
mod cases;
mod findings;
mod maximal;
mod mistakes;
mod never_panics;
mod schemas;

use super::library;
use super::shipped_tests::show;
use super::site::Site;
use crate::diagnostic::Findings;
use crate::plan::{Library, Plan};
use crate::source::SourceSet;

/// The files that say everything that can be said.
const SAMPLES: &[(&str, &str)] = &[
    (
        "schemas/netledger/record.json",
        include_str!("samples/schemas/netledger/record.json"),
    ),
    (
        "schemas/netledger/common.json",
        include_str!("samples/schemas/netledger/common.json"),
    ),
    (
        "connectors/netledger/connector.yaml",
        include_str!("samples/connectors/netledger/connector.yaml"),
    ),
    (
        "connectors/payfast/connector.yaml",
        include_str!("samples/connectors/payfast/connector.yaml"),
    ),
    (
        "connectors/basicly/connector.yaml",
        include_str!("samples/connectors/basicly/connector.yaml"),
    ),
    (
        "connectors/keyed/connector.yaml",
        include_str!("samples/connectors/keyed/connector.yaml"),
    ),
    (
        "connectors/oauthy/connector.yaml",
        include_str!("samples/connectors/oauthy/connector.yaml"),
    ),
    (
        "connectors/choosy/connector.yaml",
        include_str!("samples/connectors/choosy/connector.yaml"),
    ),
    (
        "connectors/refresher/connector.yaml",
        include_str!("samples/connectors/refresher/connector.yaml"),
    ),
    (
        "connectors/signer/connector.yaml",
        include_str!("samples/connectors/signer/connector.yaml"),
    ),
    (
        "mappings/netledger-payfast/bills.yaml",
        include_str!("samples/mappings/netledger-payfast/bills.yaml"),
    ),
    (
        "mappings/netledger-payfast/months.yaml",
        include_str!("samples/mappings/netledger-payfast/months.yaml"),
    ),
    (
        "mappings/netledger-payfast/statements.yaml",
        include_str!("samples/mappings/netledger-payfast/statements.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/months.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/months.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/statement.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/statement.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/nothing.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/nothing.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/foreign.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/foreign.yaml"),
    ),
    (
        "mappings/netledger-payfast/events/bill.json",
        include_str!("samples/mappings/netledger-payfast/events/bill.json"),
    ),
    (
        "mappings/netledger-payfast/cases/bill.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/bill.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/held.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/held.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/other1.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/other1.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/other2.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/other2.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/other3.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/other3.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/other4.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/other4.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/other5.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/other5.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/other6.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/other6.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/other7.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/other7.yaml"),
    ),
    (
        "mappings/netledger-payfast/cases/other8.yaml",
        include_str!("samples/mappings/netledger-payfast/cases/other8.yaml"),
    ),
];

const SITE: &str = include_str!("samples/site.yaml");

fn samples() -> SourceSet {
    let mut sources = SourceSet::new();
    for (name, text) in SAMPLES {
        sources.add(name, text);
    }
    sources
}

/// The samples with one text replaced everywhere in one file.
fn with(file: &str, from: &str, to: &str) -> SourceSet {
    let mut sources = samples();
    let (_, text) = SAMPLES.iter().find(|(name, _)| *name == file).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    sources.add(file, &text.replace(from, to));
    sources
}

fn load(sources: &SourceSet) -> (Library, String) {
    let mut findings = Findings::new();
    let library = library::load(sources, &mut findings);
    (library, show(sources, findings.sorted(sources)))
}

/// The findings of the samples with one text replaced.
fn found(file: &str, from: &str, to: &str) -> String {
    load(&with(file, from, to)).1
}

fn bind(site: &str) -> (Option<Plan>, String) {
    let mut sources = samples();
    let file = sources.add("ml-connector.yaml", site);
    let (library, _) = load(&sources);
    let (site, mut findings) = Site::load(&sources, file);
    let plan = site.map(|site| {
        let (plan, more) = Plan::bind(&library, &site);
        findings.extend(more);
        plan
    });
    (plan, show(&sources, findings.sorted(&sources)))
}
