//! Triggers.

use super::super::reader::Reader;
use crate::plan::{
    Cursor, CursorKind, EventId, Poll, SignatureEncoding, Trigger, TriggerKind, Verify, Webhook,
};

pub(super) fn lower(name: String, kind: &str, reader: &Reader<'_, '_>) -> Trigger {
    let within = (kind == "webhook")
        .then(|| reader.opt_duration("same_within"))
        .flatten();
    let kind = if kind == "webhook" {
        TriggerKind::Webhook(webhook(reader))
    } else {
        TriggerKind::Poll(poll(reader))
    };
    Trigger {
        stream: reader.opt_text("feeds").unwrap_or_else(|| name.clone()),
        name,
        kind,
        id: match within {
            Some(within) => EventId::Content(within),
            None => EventId::At(reader.paths("id")),
        },
        schema: reader.schema("schema"),
    }
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
    reader.word("detect", &[("new", ()), ("fingerprint", ())]);
    Poll {
        operation: reader.text("operation"),
        with: reader.templates("with").collect(),
        every: reader.duration("every"),
        cursor: reader.opt_object("cursor").map(|one| cursor(&one)),
    }
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
