//! The integration file: one flow, which events, what is read, what is written.

use super::operation::CLASS_WORDS;
use super::reconcile::RECONCILE;
use super::scopes;
use super::trigger::TIMES;
use crate::definition::table::{
    Field, Keys, Rule, Sees, Shape, Table, default, optional, required,
};

pub(crate) static INTEGRATION: Table = Table {
    name: "Integration",
    doc: "One flow: which events, what is read, what is written. File `mappings/<pairing>/<flow>.yaml`.",
    rows: &[&[
        required(
            "version",
            Shape::Version,
            "The version of the definition language: `1`. The first key.",
        ),
        required(
            "integration",
            Shape::PathName,
            "Its name, `<pairing>/<flow>`.",
        ),
        optional(
            "title",
            Shape::Text,
            "Its name for people. Default: `integration`.",
        ),
        required(
            "connections",
            Shape::Map(Keys::Identifier, &Shape::Name),
            "The names used below, and the connector each must have.",
        ),
        default(
            "params",
            Shape::Properties,
            "{}",
            "What a site decides, as JSON Schema properties. One without `default` and not `optional: true` is required; one with \
             `required_when` where the others that it names have one of the values it names.",
        ),
        required("source", Shape::Object(&SOURCE), "Where events come from."),
        required(
            "dedup_key",
            Shape::Template(scopes::EVENT),
            "Which of its events it has had: a second event with the same key does nothing. Kept for years.",
        ),
        optional(
            "order_key",
            Shape::Template(scopes::EVENT),
            "Deliveries with the same key go one after another. It is fixed when an event is accepted, before anything is read: what \
             must be read to know what belongs together is ordered by what it writes to, in the steps of the write.",
        ),
        default(
            "requires",
            Shape::Map(Keys::Identifier, &Shape::Object(&REQUIRE)),
            "{}",
            "Deliveries of other integrations that come first; their receipts are read under these names.",
        ),
        default(
            "fetch",
            Shape::Map(Keys::Identifier, &Shape::Object(&FETCH)),
            "{}",
            "What is read before mapping, in order; each sees the earlier ones.",
        ),
        default(
            "skip",
            Shape::List(&Shape::Object(&SKIP)),
            "[]",
            "Reasons to do nothing. Each is asked as soon as what it reads is there.",
        ),
        default(
            "hold",
            Shape::List(&Shape::Object(&HOLD)),
            "[]",
            "Reasons to wait for a person, asked after `skip`.",
        ),
        required("sink", Shape::Object(&SINK), "What is written."),
        default(
            "remember",
            Shape::List(&Shape::Object(&REMEMBER)),
            "[]",
            "Entries of matching tables, written in the commit that records the delivery.",
        ),
        default(
            "retry",
            Shape::Object(&RETRY),
            "{}",
            "How retries are spaced and when they end.",
        ),
        optional(
            "schedule",
            Shape::Object(&SCHEDULE),
            "When deliveries may be made. None: at any time. A site may override it.",
        ),
        optional(
            "aggregate",
            Shape::Object(&AGGREGATE),
            "Makes one delivery of several events. Everything from `requires` on then reads `events`, the list of them, and \
             `group` (`key`, `number`, `count`, `total`) in place of `event`.",
        ),
        optional(
            "reconcile",
            Shape::Object(&RECONCILE),
            "How what the source says it has done is compared with what was posted. One integration of a pairing has it.",
        ),
    ]],
    rules: &[Rule::AtMostOne(&["aggregate", "order_key"])],
};

static SOURCE: Table = Table {
    name: "Source",
    doc: "Where events come from.",
    rows: &[&[
        required("connection", Shape::Identifier, "One of `connections`."),
        required("trigger", Shape::Identifier, "A trigger of its connector."),
        optional(
            "when",
            Shape::Expression(scopes::EVENT),
            "Which of its events. None: all.",
        ),
    ]],
    rules: &[],
};

static REQUIRE: Table = Table {
    name: "Require",
    doc: "A delivery of another integration that comes first.",
    rows: &[&[
        required(
            "integration",
            Shape::PathName,
            "The integration that makes it.",
        ),
        optional(
            "dedup_key",
            Shape::Template(scopes::EVENT),
            "Its dedup key.",
        ),
        optional(
            "reference",
            Shape::Template(scopes::EVENT),
            "Our reference in its document.",
        ),
        default(
            "missing",
            Shape::Word(MISSING),
            "hold",
            "What happens when there is none: wait for it, skip, or go on with null.",
        ),
    ]],
    rules: &[Rule::ExactlyOne(&["dedup_key", "reference"])],
};

const MISSING: &[&str] = &["hold", "skip", "null"];

/// What every read of a system or of a matching table says. `input` is what each part of its input is.
pub(super) const fn reads(sees: Sees, input: &'static Shape) -> [Field; 5] {
    [
        optional(
            "when",
            Shape::Expression(sees),
            "Whether it is read at all; what is not read is null.",
        ),
        optional(
            "operation",
            Shape::OperationName,
            "The read, as `connection.operation`.",
        ),
        default(
            "with",
            Shape::Map(Keys::Identifier, input),
            "{}",
            "Its input.",
        ),
        optional("crosswalk", Shape::Identifier, "The matching table."),
        optional("key", Shape::Template(sees), "The key looked for in it."),
    ]
}

static FETCH: Table = Table {
    name: "Fetch",
    doc: "Something read before mapping: a read operation's result, an entry of a matching table, or a value made of what \
          was read before.",
    rows: &[
        &reads(scopes::FETCHED, &Shape::Template(scopes::FETCHED)),
        &[
            optional(
                "keys",
                Shape::Template(scopes::FETCHED),
                "A list of keys. What is read is then a map of key to entry, and `missing` is about each of them.",
            ),
            optional(
                "value",
                Shape::Tree(scopes::FETCHED),
                "A value made of what was read before; what is left out at its root is null.",
            ),
            default(
                "columns",
                Shape::List(&Shape::Identifier),
                "[]",
                "The columns an entry must have.",
            ),
            default(
                "missing",
                Shape::Word(MISSING),
                "hold",
                "What happens when it is not there: wait until it appears, skip, or go on with null.",
            ),
        ],
    ],
    rules: &[
        Rule::ExactlyOne(&["operation", "crosswalk", "value"]),
        Rule::ExactlyOne(&["operation", "key", "keys", "value"]),
        Rule::OnlyWith {
            keys: &["with"],
            with: &["operation"],
        },
        Rule::OnlyWith {
            keys: &["key", "keys", "columns"],
            with: &["crosswalk"],
        },
    ],
};

static SKIP: Table = Table {
    name: "Skip",
    doc: "A reason to do nothing.",
    rows: &[&[
        required(
            "when",
            Shape::Expression(scopes::FIELDS),
            "Whether it applies.",
        ),
        required(
            "reason",
            Shape::Template(scopes::FIELDS),
            "The reason, for people.",
        ),
    ]],
    rules: &[],
};

static HOLD: Table = Table {
    name: "Hold",
    doc: "A reason to wait for a person.",
    rows: &[&[
        required(
            "when",
            Shape::Expression(scopes::FIELDS),
            "Whether it applies.",
        ),
        default(
            "class",
            Shape::Word(CLASS_WORDS),
            "value",
            "What kind of trouble it is.",
        ),
        required(
            "reason",
            Shape::Template(scopes::FIELDS),
            "The reason, without personal data.",
        ),
        required("help", Shape::Text, "The next step in plain words."),
    ]],
    rules: &[],
};

static SINK: Table = Table {
    name: "Sink",
    doc: "What is written.",
    rows: &[&[
        required(
            "operation",
            Shape::OperationName,
            "The write, as `connection.operation`.",
        ),
        optional(
            "reference",
            Shape::Template(scopes::FIELDS),
            "Our reference in the target's document; what a look-up finds it by.",
        ),
        required(
            "fields",
            Shape::Map(Keys::Identifier, &Shape::Tree(scopes::FIELDS)),
            "The operation's input.",
        ),
    ]],
    rules: &[],
};

static REMEMBER: Table = Table {
    name: "Remember",
    doc: "An entry of a matching table, written in the commit that records the delivery.",
    rows: &[&[
        required("crosswalk", Shape::Identifier, "The matching table."),
        required("key", Shape::Template(scopes::REMEMBER), "The entry's key."),
        required(
            "values",
            Shape::Map(Keys::Identifier, &Shape::Template(scopes::REMEMBER)),
            "The entry's columns.",
        ),
    ]],
    rules: &[],
};

pub(crate) static RETRY: Table = Table {
    name: "Retry",
    doc: "How tries are spaced and when they end.",
    rows: &[&[
        default(
            "first",
            Shape::Duration,
            "5s",
            "The wait before the first retry.",
        ),
        default(
            "factor",
            Shape::Factor,
            "2",
            "What each further wait is multiplied by, from 1 to 100.",
        ),
        default("max", Shape::Duration, "15m", "No wait is longer."),
        default(
            "jitter",
            Shape::Word(&["full", "none"]),
            "full",
            "`full`: each wait is drawn evenly between zero and its full length.",
        ),
        default(
            "give_up_after",
            Shape::Duration,
            "7d",
            "Retries end this long after the first try.",
        ),
    ]],
    rules: &[],
};

pub(super) static SCHEDULE: Table = Table {
    name: "Schedule",
    doc: "When deliveries may be made: windows that open by the calendar. What is under way when one closes is finished; \
          further steps, retries and look-ups wait for the next.",
    rows: &[
        TIMES,
        &[required(
            "lasts",
            Shape::Duration,
            "How long a window stays open.",
        )],
    ],
    rules: &[],
};

static AGGREGATE: Table = Table {
    name: "Aggregate",
    doc: "Makes one delivery of several events. Each event keeps a delivery of its own in the ledger, which joins that of \
          the first; an event that comes when the delivery is complete begins the next one of its key. Deliveries of one \
          key go one after another.",
    rows: &[&[
        required(
            "key",
            Shape::Template(scopes::EVENT),
            "Events with the same key go into one delivery.",
        ),
        required(
            "quiet",
            Shape::DurationTemplate(scopes::PARAMS),
            "It is complete when no further event came for so long.",
        ),
        optional(
            "max",
            Shape::DurationTemplate(scopes::PARAMS),
            "It is complete at the latest this long after its first event, whatever `complete` says.",
        ),
        default(
            "events_max",
            Shape::Count {
                min: 1,
                max: 100_000,
            },
            "1000",
            "The most events in one delivery; further ones begin the next.",
        ),
        optional(
            "complete",
            Shape::Object(&COMPLETE),
            "What else must hold before it is complete; asked again after every `quiet`.",
        ),
        optional(
            "split",
            Shape::Object(&SPLIT),
            "How much one delivery may hold, where the target limits the lines of a document.",
        ),
    ]],
    rules: &[],
};

static COMPLETE: Table = Table {
    name: "Complete",
    doc: "Asks a system whether all events of a group have come.",
    rows: &[&[
        required(
            "operation",
            Shape::OperationName,
            "The read, as `connection.operation`.",
        ),
        default(
            "with",
            Shape::Map(Keys::Identifier, &Shape::Template(scopes::GROUP)),
            "{}",
            "Its input.",
        ),
        required(
            "when",
            Shape::Expression(scopes::COMPLETE),
            "Whether it is complete. Not found is not complete.",
        ),
    ]],
    rules: &[],
};

static SPLIT: Table = Table {
    name: "Split",
    doc: "Cuts the events of a key into several deliveries, each of whole events, in the order in which they came. Where \
          every event is balanced, so is every delivery.",
    rows: &[&[
        required(
            "weigh",
            Shape::Template(scopes::EVENT),
            "What an event weighs, a whole number: the most lines that it makes.",
        ),
        required(
            "max",
            Shape::Count {
                min: 1,
                max: 1_000_000,
            },
            "The most that the events of one delivery weigh together. One that alone weighs more has a delivery of its own.",
        ),
    ]],
    rules: &[],
};
