//! The connector file.

use super::super::reader::Reader;
use super::{http, names, operation, trigger};
use crate::identity::ConnectorId;
use crate::plan::{Connector, Health, SecretSpec};
use std::sync::Arc;

/// A connector, or what of it could be read.
pub(in crate::definition) fn lower(reader: &Reader<'_, '_>) -> Connector {
    let id = reader.text("connector");
    let title = reader.opt_text("title").unwrap_or_else(|| id.clone());
    reader.opt_text("version");
    names::check_keys(reader, &["answers"], names::ANSWER);
    let http = http::lower(&reader.object("http"));
    let operations = reader
        .tagged_map("operations")
        .into_iter()
        .map(|(name, kind, one)| {
            (
                name.clone(),
                Arc::new(operation::lower(name, kind, &one, &http.answer)),
            )
        })
        .collect();
    Connector {
        id: ConnectorId::new(id),
        title,
        settings: reader.properties("settings"),
        secrets: reader
            .object_map("secrets")
            .iter()
            .map(|(name, one)| (name.clone(), secret(one)))
            .collect(),
        http,
        health: reader.opt_object("health").map(|one| health(&one)),
        ping: reader.objects("ping").iter().map(health).collect(),
        triggers: reader
            .tagged_map("triggers")
            .into_iter()
            .map(|(name, kind, one)| (name.clone(), trigger::lower(name, kind, &one)))
            .collect(),
        operations,
        answers: reader.templates("answers").collect(),
        outcomes: operation::outcomes(reader, "outcomes"),
    }
}

fn secret(reader: &Reader<'_, '_>) -> SecretSpec {
    SecretSpec {
        description: reader.text("description"),
        optional: reader.flag("optional"),
        several: reader.flag("several"),
    }
}

fn health(reader: &Reader<'_, '_>) -> Health {
    Health {
        operation: reader.text("operation"),
        with: reader.templates("with").collect(),
        show: reader.opt_template("show"),
    }
}
