//! The connector file.

use super::super::reader::Reader;
use super::super::required;
use super::{http, names, operation, trigger};
use crate::identity::ConnectorId;
use crate::plan::{Connector, Health, SecretSpec};
use crate::required::KEYWORD;
use crate::yaml::Node;
use serde_json::{Map, Value as Document};
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
    let settings = reader.properties("settings");
    for (name, one) in reader.object_map("secrets") {
        let Some(condition) = one.node(KEYWORD) else {
            continue;
        };
        let none = Map::new();
        let known = settings.get("properties").and_then(Document::as_object);
        let optional = one.flag("optional");
        required::check(
            &name,
            condition,
            optional,
            known.unwrap_or(&none),
            reader.cx,
        );
    }
    Connector {
        id: ConnectorId::new(id),
        title,
        settings,
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
        required_when: reader.node(KEYWORD).map(Node::to_document),
    }
}

fn health(reader: &Reader<'_, '_>) -> Health {
    Health {
        operation: reader.text("operation"),
        with: reader.templates("with").collect(),
        show: reader.opt_template("show"),
    }
}
