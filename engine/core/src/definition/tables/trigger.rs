//! Triggers: where a connector's events come from.

use super::scopes;
use crate::definition::table::{
    Field, Keys, Rule, Shape, Table, Tagged, default, optional, required,
};

pub(crate) static TRIGGER: Tagged = Tagged {
    name: "Trigger",
    doc: "A source of events.",
    tag: "kind",
    tag_doc: "`webhook`: the system calls us. `poll`: we ask the system.",
    variants: &[("webhook", &WEBHOOK), ("poll", &POLL)],
};

const EVENT_ID: &str =
    "Where an event's id stands in the event; of several places the values are joined with `-`.";

static COMMON: &[Field] = &[
    optional(
        "feeds",
        Shape::Identifier,
        "The trigger whose stream its events belong to, so that both share one space of event ids. Default: itself.",
    ),
    required("schema", Shape::Schema, "What one event looks like."),
];

static WEBHOOK: Table = Table {
    name: "Webhook",
    doc: "The system calls us. Nothing is parsed before it is known to be genuine, and nothing is acknowledged before it is \
          stored.",
    rows: &[
        &[
            required(
                "verify",
                Shape::Tagged(&VERIFY),
                "How a call proves who made it.",
            ),
            default(
                "each",
                Shape::JsonPath,
                "$",
                "Where the events stand in the body.",
            ),
        ],
        &[
            optional("id", Shape::OneOrMore(&Shape::JsonPath), EVENT_ID),
            optional(
                "same_within",
                Shape::Duration,
                "Where events have no id: the same content within this time is the same event, later it is another.",
            ),
        ],
        COMMON,
        &[
            default(
                "body_bytes_max",
                Shape::Size,
                "4MiB",
                "The longest body that is taken.",
            ),
            default(
                "events_max",
                Shape::Count {
                    min: 1,
                    max: 100_000,
                },
                "1000",
                "The most events in one body.",
            ),
            default(
                "accepted",
                Shape::Count { min: 200, max: 299 },
                "202",
                "The status when everything is stored.",
            ),
            default(
                "refused",
                Shape::Count { min: 400, max: 499 },
                "401",
                "The status when a call is not genuine.",
            ),
            default(
                "content_types",
                Shape::List(&Shape::Text),
                "[application/json]",
                "The media types that are taken; `*` stands for any characters, as in `application/*+json`.",
            ),
            default(
                "wakes",
                Shape::List(&Shape::Identifier),
                "[]",
                "Polls of this connector that a genuine call makes run at once: for notifications that only say that \
                 something has changed.",
            ),
        ],
    ],
    rules: &[Rule::ExactlyOne(&["id", "same_within"])],
};

static VERIFY: Tagged = Tagged {
    name: "Verify",
    doc: "How a webhook proves who sent it. There is no way to take one unproven.",
    tag: "scheme",
    tag_doc: "Which way.",
    variants: &[
        ("hmac-sha256", &VERIFY_HMAC),
        ("shared-secret", &VERIFY_SHARED),
        ("basic", &VERIFY_BASIC),
    ],
};

static VERIFY_HMAC: Table = Table {
    name: "VerifyHmacSha256",
    doc: "A keyed hash over the raw body.",
    rows: &[&[
        required("header", Shape::Text, "The header field that carries it."),
        default(
            "encoding",
            Shape::Word(&["hex", "base64"]),
            "hex",
            "How it is written there.",
        ),
        optional(
            "prefix",
            Shape::Text,
            "What stands before it, e.g. `sha256=`.",
        ),
        required(
            "secret",
            Shape::Identifier,
            "The secret it is keyed with; every live value is tried.",
        ),
    ]],
    rules: &[],
};

static VERIFY_SHARED: Table = Table {
    name: "VerifySharedSecret",
    doc: "A shared secret in a header field.",
    rows: &[&[
        required("header", Shape::Text, "The header field that carries it."),
        required(
            "secret",
            Shape::Identifier,
            "The secret; every live value is tried.",
        ),
    ]],
    rules: &[],
};

static VERIFY_BASIC: Table = Table {
    name: "VerifyBasic",
    doc: "`Authorization: Basic`.",
    rows: &[&[required(
        "secret",
        Shape::Identifier,
        "The secret that holds `user:password`.",
    )]],
    rules: &[],
};

static POLL: Table = Table {
    name: "Poll",
    doc: "We ask the system. The items that come back are the events; the cursor moves in the commit that stores them.",
    rows: &[
        &[
            required(
                "operation",
                Shape::Identifier,
                "A read operation of this connector whose result is a list.",
            ),
            default(
                "with",
                Shape::Map(Keys::Identifier, &Shape::Template(scopes::POLL)),
                "{}",
                "Its input. `now` is when the poll began, in RFC 3339.",
            ),
            optional(
                "every",
                Shape::Duration,
                "How often. A site may override it.",
            ),
            optional(
                "at",
                Shape::Object(&AT),
                "At which times. What was missed while the engine stood still is made up for once, at its start. A site may \
                 override it.",
            ),
            optional(
                "cursor",
                Shape::Object(&CURSOR),
                "How the poll goes on from where it stopped.",
            ),
            default(
                "detect",
                Shape::Word(&["new", "fingerprint"]),
                "new",
                "Which items are events: those whose id is new, or (`fingerprint`) those whose content has changed: the whole \
                 list is read, and an event is `{ change, id, number, item, before }`, where `before` is what the item was; `id` \
                 and `schema` are those of the item.",
            ),
            optional(
                "fingerprint",
                Shape::Object(&FINGERPRINT),
                "What of an item counts for `detect: fingerprint`. Default: all of it.",
            ),
            default(
                "deleted",
                Shape::Word(&["ignore", "event"]),
                "ignore",
                "For `detect: fingerprint`: whether an item that is gone after the whole list was read is an event.",
            ),
            default(
                "deleted_share_max",
                Shape::Count { min: 1, max: 100 },
                "10",
                "Where more than so many percent of the known items of the lists that were read are gone at once, and more than \
                 one, or nothing is listed at all, nothing is taken for deleted, and the poll fails.",
            ),
            optional(
                "over",
                Shape::Object(&OVER),
                "A list for each of whose items the poll is made; `with` reads the item as `over`.",
            ),
        ],
        &[required("id", Shape::OneOrMore(&Shape::JsonPath), EVENT_ID)],
        COMMON,
    ],
    rules: &[
        Rule::ExactlyOne(&["every", "at"]),
        Rule::AtMostOne(&["cursor", "over"]),
        Rule::AtMostOne(&["cursor", "fingerprint"]),
        Rule::OnlyWith {
            keys: &["fingerprint", "deleted", "deleted_share_max"],
            with: &["detect"],
        },
    ],
};

/// Times by the calendar.
pub(super) static AT: Table = Table {
    name: "At",
    doc: "Times by the calendar. Where `cron` states its hours, a time in the hour that is left out when clocks go on comes \
          when they have gone on, and one in the hour that is there twice when they go back comes the first time. For every \
          hour (`*`) it follows the clock on the wall.",
    rows: &[TIMES],
    rules: &[],
};

/// What says a time by the calendar.
pub(super) static TIMES: &[Field] = &[
    required(
        "cron",
        Shape::Cron,
        "The times, as a cron expression of five fields: minute, hour, day of the month, month, weekday. `\"0 6 * * 1-5\"` is \
         six o'clock from Monday to Friday.",
    ),
    default(
        "zone",
        Shape::Zone,
        "UTC",
        "The time zone of `cron`, e.g. `Europe/London`.",
    ),
];

static FINGERPRINT: Table = Table {
    name: "Fingerprint",
    doc: "What of an item counts.",
    rows: &[&[
        default(
            "of",
            Shape::List(&Shape::JsonPath),
            "[]",
            "Only what stands at these places.",
        ),
        default(
            "ignore",
            Shape::List(&Shape::JsonPath),
            "[]",
            "All but what stands at these places.",
        ),
    ]],
    rules: &[Rule::AtMostOne(&["of", "ignore"])],
};

static OVER: Table = Table {
    name: "Over",
    doc: "A list for each of whose items a poll is made.",
    rows: &[&[
        required(
            "operation",
            Shape::Identifier,
            "A read operation of this connector whose result is a list.",
        ),
        default(
            "with",
            Shape::Map(Keys::Identifier, &Shape::Template(scopes::OVER_INPUT)),
            "{}",
            "Its input.",
        ),
        optional(
            "when",
            Shape::Expression(scopes::OVER),
            "For which of its items. None: all.",
        ),
        optional(
            "id",
            Shape::JsonPath,
            "Where the id of such an item stands. `deleted: event` needs it: what is gone is gone from a list that was read, \
             and a list that is not read any more says nothing about its items.",
        ),
    ]],
    rules: &[],
};

static CURSOR: Table = Table {
    name: "Cursor",
    doc: "How a poll goes on from where it stopped: at the greatest value seen, less an overlap.",
    rows: &[&[
        required(
            "value",
            Shape::JsonPath,
            "Where the value stands in an item.",
        ),
        required(
            "kind",
            Shape::Word(&["timestamp", "date"]),
            "What it is: a UTC timestamp or a date.",
        ),
        default(
            "overlap",
            Shape::Duration,
            "0s",
            "How far each poll reaches back behind the cursor; items that were seen are recognised by their id.",
        ),
        required(
            "initial",
            Shape::DurationTemplate(scopes::SETTINGS),
            "How far the first poll reaches back.",
        ),
    ]],
    rules: &[],
};
