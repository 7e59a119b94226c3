//! Triggers.

use super::super::reader::Reader;
use super::pace;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{
    Changes, Cursor, CursorKind, EventId, Over, Pace, Poll, SignatureEncoding, Trigger,
    TriggerKind, Verify, Webhook,
};
use serde_json::{Value as Document, json};
use std::time::Duration;

pub(super) fn lower(name: String, kind: &str, reader: &Reader<'_, '_>) -> Trigger {
    let within = (kind == "webhook")
        .then(|| reader.opt_duration("same_within"))
        .flatten();
    let kind = if kind == "webhook" {
        TriggerKind::Webhook(webhook(reader))
    } else {
        TriggerKind::Poll(poll(reader))
    };
    let schema = reader.schema("schema");
    Trigger {
        stream: reader.opt_text("feeds").unwrap_or_else(|| name.clone()),
        name,
        id: match within {
            Some(within) => EventId::Content(within),
            None => EventId::At(reader.paths("id")),
        },
        schema: match by_content(&kind) {
            Some(changes) => of_changes(&schema, changes),
            None => schema.clone(),
        },
        item: by_content(&kind).map(|_| schema),
        kind,
    }
}

fn by_content(kind: &TriggerKind) -> Option<&Changes> {
    match kind {
        TriggerKind::Poll(poll) => poll.changes.as_ref(),
        TriggerKind::Webhook(_) => None,
    }
}

/// What an event about an item's content looks like. What the item's schema refers to within itself stays at the root,
/// where references look for it.
fn of_changes(item: &Document, changes: &Changes) -> Document {
    let mut item = item.clone();
    let defs = item.as_object_mut().and_then(|item| item.remove("$defs"));
    let before = json!({ "anyOf": [item, { "type": "null" }] });
    let words: &[&str] = if changes.deleted {
        item = json!({ "anyOf": [item, { "type": "null" }] });
        &["new", "changed", "deleted"]
    } else {
        &["new", "changed"]
    };
    let mut event = json!({
        "type": "object",
        "properties": {
            "change": { "enum": words },
            "id": { "type": "string" },
            "number": { "type": "integer" },
            "item": item,
            "before": before,
        },
        "required": ["change", "id", "number", "item"],
    });
    if let (Some(defs), Some(event)) = (defs, event.as_object_mut()) {
        event.insert("$defs".to_owned(), defs);
    }
    event
}

fn webhook(reader: &Reader<'_, '_>) -> Webhook {
    Webhook {
        verify: verify(reader),
        each: reader.path("each"),
        body_bytes_max: reader.size("body_bytes_max"),
        events_max: reader.count("events_max"),
        accepted: reader.count("accepted"),
        refused: reader.count("refused"),
        content_types: reader.texts("content_types"),
        wakes: reader.texts("wakes"),
    }
}

/// Where nothing could be read, something that accepts no call: no secret has an empty name.
fn verify(reader: &Reader<'_, '_>) -> Verify {
    let Some((scheme, one)) = reader.tagged("verify") else {
        return Verify::Basic {
            secret: String::new(),
        };
    };
    match scheme {
        "hmac-sha256" => Verify::HmacSha256 {
            header: one.text("header"),
            encoding: one
                .word(
                    "encoding",
                    &[
                        ("hex", SignatureEncoding::Hex),
                        ("base64", SignatureEncoding::Base64),
                    ],
                )
                .unwrap_or(SignatureEncoding::Hex),
            prefix: one.opt_text("prefix").unwrap_or_default(),
            secret: one.text("secret"),
        },
        "shared-secret" => Verify::SharedSecret {
            header: one.text("header"),
            secret: one.text("secret"),
        },
        _ => Verify::Basic {
            secret: one.text("secret"),
        },
    }
}

fn poll(reader: &Reader<'_, '_>) -> Poll {
    let by_content = reader.word("detect", &[("new", false), ("fingerprint", true)]) == Some(true);
    if let Some(cursor) = reader.node("cursor").filter(|_| by_content) {
        let what = "`detect: fingerprint` reads the whole list each time and has no cursor";
        reader
            .cx
            .report(Diagnostic::error(codes::EXCLUSIVE_KEYS, cursor.span, what));
    }
    told_apart(reader, by_content);
    let paths = |key| match reader.opt_object("fingerprint") {
        Some(one) if one.node(key).is_some() => one.paths(key),
        Some(_) | None => Vec::new(),
    };
    let changes = Changes {
        of: paths("of"),
        ignore: paths("ignore"),
        deleted: reader.word("deleted", &[("ignore", false), ("event", true)]) == Some(true),
        deleted_share_max: reader.count("deleted_share_max"),
    };
    Poll {
        over: reader.opt_object("over").map(|one| Over {
            operation: one.text("operation"),
            with: one.templates("with").collect(),
            when: one.opt_expression("when"),
            id: one.opt_path("id").map(|path| EventId::At(vec![path])),
        }),
        changes: by_content.then_some(changes),
        operation: reader.text("operation"),
        with: reader.templates("with").collect(),
        // Neither has been reported.
        pace: pace(reader).unwrap_or(Pace::Every(Duration::ZERO)),
        cursor: reader.opt_object("cursor").map(|one| cursor(&one)),
    }
}

/// An item is gone from the list in which it stood; where there are several, each needs an id. The id says nothing where the
/// lists of one reading are not compared with those of the next.
fn told_apart(reader: &Reader<'_, '_>, by_content: bool) {
    let (Some(over), Some(node)) = (reader.opt_object("over"), reader.node("over")) else {
        return;
    };
    let deleted = reader.word("deleted", &[("ignore", false), ("event", true)]) == Some(true);
    let finding = match over.node("id") {
        Some(id) if !by_content => {
            let what = "`id` in `over` says something only beside `detect: fingerprint`";
            Diagnostic::error(codes::EXCLUSIVE_KEYS, id.span, what).help("remove `id`")
        }
        None if deleted => {
            let what = "`id` is missing in `over`, and `deleted: event` needs it";
            let help = "`id`: Where the id of an item of the list stands that the poll goes over. An item is gone when the list \
                        in which it stood is read and lacks it; the id tells these lists apart.";
            Diagnostic::error(codes::MISSING_KEY, node.span, what).help(help)
        }
        Some(_) | None => return,
    };
    reader.cx.report(finding);
}

fn cursor(reader: &Reader<'_, '_>) -> Cursor {
    Cursor {
        value: reader.path("value"),
        kind: reader
            .word(
                "kind",
                &[
                    ("timestamp", CursorKind::Timestamp),
                    ("date", CursorKind::Date),
                ],
            )
            .unwrap_or(CursorKind::Timestamp),
        overlap: reader.duration("overlap"),
        initial: reader.template("initial"),
    }
}
