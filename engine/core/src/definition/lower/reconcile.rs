//! The section `reconcile` of an integration.

use super::super::reader::Reader;
use super::integration::split;
use super::names;
use crate::identity::IntegrationId;
use crate::plan::{
    Asking, Each, Fetch, FetchFrom, FoundRule, LineRule, Missing, PostedBy, PostedKey, Reconcile,
};

pub(super) fn reconcile(reader: &Reader<'_, '_>) -> Reconcile {
    names::check_keys(reader, &["fetch"], names::RECONCILE);
    Reconcile {
        one: asking(&reader.object("one")),
        list: asking(&reader.object("list")),
        when: reader.opt_expression("when"),
        id: reader.template("id"),
        reach: reader.duration("reach"),
        fetch: reads(reader),
        lines: reader
            .object_map("lines")
            .iter()
            .filter_map(|(kind, one)| line(kind, one))
            .collect(),
    }
}

fn asking(reader: &Reader<'_, '_>) -> Asking {
    let (connection, operation) = split(&reader.text("operation"));
    Asking {
        connection,
        operation,
        with: reader.templates("with").collect(),
    }
}

fn reads(reader: &Reader<'_, '_>) -> Vec<Fetch> {
    let reads = reader.object_map("fetch");
    reads
        .iter()
        .filter_map(|(name, one)| read(name, one))
        .collect()
}

fn read(name: &str, reader: &Reader<'_, '_>) -> Option<Fetch> {
    let from = match reader.opt_text("operation") {
        Some(operation) => {
            let (connection, operation) = split(&operation);
            FetchFrom::Operation {
                connection,
                operation,
                with: reader.templates("with").collect(),
            }
        }
        None => FetchFrom::Crosswalk {
            table: reader.opt_text("crosswalk")?,
            key: reader.template("key"),
            several: false,
            columns: Vec::new(),
        },
    };
    Some(Fetch {
        name: name.to_owned(),
        when: reader.opt_expression("when"),
        from,
        missing: Missing::Null,
    })
}

fn line(kind: &str, reader: &Reader<'_, '_>) -> Option<LineRule> {
    names::check_keys(reader, &["fetch"], names::RECONCILE);
    let found = reader.object("found");
    Some(LineRule {
        kind: kind.to_owned(),
        each: each(reader),
        key: reader.template("key"),
        amount: reader.template("amount"),
        currency: reader.template("currency"),
        date: reader.template("date"),
        posted: posted(&reader.object("posted"))?,
        fetch: reads(reader),
        found: FoundRule {
            each: each(&found),
            amount: found.template("amount"),
            currency: found.opt_template("currency"),
            document: found.opt_template("document"),
        },
    })
}

fn each(reader: &Reader<'_, '_>) -> Option<Each> {
    names::check_one(reader, "as", names::RECONCILE);
    let name = reader.opt_text("as")?;
    reader.node("for")?;
    Some(Each {
        list: reader.braced("for"),
        name,
    })
}

fn posted(reader: &Reader<'_, '_>) -> Option<PostedBy> {
    let by = if let Some(key) = reader.opt_template("order_key") {
        PostedKey::OrderKey(key)
    } else if let Some(key) = reader.opt_template("dedup_key") {
        PostedKey::DedupKey(key)
    } else {
        PostedKey::Reference(reader.opt_template("reference")?)
    };
    Some(PostedBy {
        integration: IntegrationId::new(reader.text("integration")),
        by,
    })
}
