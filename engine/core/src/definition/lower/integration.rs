//! The integration file.

use super::super::reader::Reader;
use super::{classes, content, names, reconcile, retry, windows};
use crate::codes;
use crate::definition::words;
use crate::delivery::Class;
use crate::diagnostic::Diagnostic;
use crate::identity::{ConnectorId, IntegrationId};
use crate::plan::{
    Aggregate, Complete, Connector, Fetch, FetchFrom, HoldRule, Integration, Missing, Remember,
    Require, RequireBy, Sink, SkipRule, Source, Split,
};
use indexmap::IndexMap;
use std::collections::HashSet;
use std::sync::Arc;

/// The connectors there are, and those that would be there if their files could be read.
pub(in crate::definition) struct Connectors<'a> {
    pub(in crate::definition) known: &'a IndexMap<ConnectorId, Arc<Connector>>,
    pub(in crate::definition) unreadable: &'a HashSet<String>,
}

/// An integration, or what of it could be read.
pub(in crate::definition) fn lower(
    reader: &Reader<'_, '_>,
    connectors: &Connectors<'_>,
) -> Integration {
    let id = reader.text("integration");
    let title = reader.opt_text("title").unwrap_or_else(|| id.clone());
    reader.opt_text("version");
    names::check_keys(reader, &["requires", "fetch"], names::INTEGRATION);
    Integration {
        id: IntegrationId::new(id),
        title,
        params: reader.properties("params"),
        connections: connections(reader, connectors),
        source: source(&reader.object("source")),
        dedup_key: reader.template("dedup_key"),
        order_key: reader.opt_template("order_key"),
        requires: reader
            .object_map("requires")
            .iter()
            .filter_map(|(name, one)| require(name, one))
            .collect(),
        fetch: reader
            .object_map("fetch")
            .iter()
            .filter_map(|(name, one)| fetch(name, one))
            .collect(),
        skip: reader.objects("skip").iter().map(skip).collect(),
        hold: reader.objects("hold").iter().map(hold).collect(),
        sink: sink(&reader.object("sink")),
        remember: reader.objects("remember").iter().map(remember).collect(),
        retry: retry(&reader.object("retry")),
        windows: reader.opt_object("schedule").and_then(|one| windows(&one)),
        aggregate: reader.opt_object("aggregate").map(|one| aggregate(&one)),
        reconcile: reader
            .opt_object("reconcile")
            .map(|one| reconcile::reconcile(&one)),
    }
}

fn aggregate(reader: &Reader<'_, '_>) -> Aggregate {
    Aggregate {
        key: reader.template("key"),
        quiet: reader.template("quiet"),
        max: reader.opt_template("max"),
        events_max: reader.count("events_max"),
        complete: reader.opt_object("complete").map(|one| {
            let (connection, operation) = split(&one.text("operation"));
            Complete {
                connection,
                operation,
                with: one.templates("with").collect(),
                when: one.expression("when"),
            }
        }),
        split: reader.opt_object("split").map(|one| Split {
            weigh: one.template("weigh"),
            max: one.count("max"),
        }),
    }
}

fn connections(
    reader: &Reader<'_, '_>,
    connectors: &Connectors<'_>,
) -> IndexMap<String, Arc<Connector>> {
    let mut connections = IndexMap::new();
    for (name, node) in reader.entries("connections") {
        let connector = node.scalar().map_or("", |scalar| scalar.text.as_str());
        if let Some(known) = connectors.known.get(connector) {
            connections.insert(name.to_owned(), Arc::clone(known));
        } else if !connectors.unreadable.contains(connector) {
            let what = format!("there is no connector `{connector}`");
            let mut finding = Diagnostic::error(codes::UNKNOWN_CONNECTOR, node.span, what).label(
                format!("expected in `connectors/{connector}/connector.yaml`"),
            );
            let names = connectors.known.keys().map(ConnectorId::as_str);
            if let Some(near) = words::nearest(connector, names) {
                finding = finding.help(format!("did you mean `{near}`?"));
            }
            reader.cx.report(finding);
        }
    }
    connections
}

fn source(reader: &Reader<'_, '_>) -> Source {
    Source {
        connection: reader.text("connection"),
        trigger: reader.text("trigger"),
        when: reader.opt_expression("when"),
    }
}

const MISSING: [(&str, Missing); 3] = [
    ("hold", Missing::Hold),
    ("skip", Missing::Skip),
    ("null", Missing::Null),
];

fn require(name: &str, reader: &Reader<'_, '_>) -> Option<Require> {
    let by = match reader.opt_template("dedup_key") {
        Some(key) => RequireBy::DedupKey(key),
        None => RequireBy::Reference(reader.opt_template("reference")?),
    };
    Some(Require {
        name: name.to_owned(),
        integration: IntegrationId::new(reader.text("integration")),
        by,
        missing: reader.word("missing", &MISSING).unwrap_or(Missing::Hold),
    })
}

fn fetch(name: &str, reader: &Reader<'_, '_>) -> Option<Fetch> {
    let from = match (reader.node("value"), reader.opt_text("operation")) {
        (Some(value), _) => FetchFrom::Value(content::tree(reader.cx, value)),
        (None, Some(operation)) => {
            let (connection, operation) = split(&operation);
            FetchFrom::Operation {
                connection,
                operation,
                with: reader.templates("with").collect(),
            }
        }
        (None, None) => FetchFrom::Crosswalk {
            table: reader.opt_text("crosswalk")?,
            several: reader.node("keys").is_some(),
            key: reader
                .opt_template("keys")
                .unwrap_or_else(|| reader.template("key")),
            columns: reader.texts("columns"),
        },
    };
    Some(Fetch {
        name: name.to_owned(),
        when: reader.opt_expression("when"),
        from,
        missing: reader.word("missing", &MISSING).unwrap_or(Missing::Hold),
    })
}

/// `connection.operation`.
pub(super) fn split(name: &str) -> (String, String) {
    let (connection, operation) = name.split_once('.').unwrap_or_default();
    (connection.to_owned(), operation.to_owned())
}

fn skip(reader: &Reader<'_, '_>) -> SkipRule {
    SkipRule {
        when: reader.expression("when"),
        reason: reader.template("reason"),
    }
}

fn hold(reader: &Reader<'_, '_>) -> HoldRule {
    HoldRule {
        when: reader.expression("when"),
        class: reader.word("class", &classes()).unwrap_or(Class::Value),
        reason: reader.template("reason"),
        help: reader.text("help"),
    }
}

fn sink(reader: &Reader<'_, '_>) -> Sink {
    let (connection, operation) = split(&reader.text("operation"));
    let fields = reader.entries("fields");
    Sink {
        connection,
        operation,
        reference: reader.opt_template("reference"),
        fields: fields
            .map(|(name, node)| (name.to_owned(), content::tree(reader.cx, node)))
            .collect(),
    }
}

fn remember(reader: &Reader<'_, '_>) -> Remember {
    Remember {
        table: reader.text("crosswalk"),
        key: reader.template("key"),
        values: reader.templates("values").collect(),
    }
}
