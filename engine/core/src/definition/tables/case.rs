//! The case file: an event or a statement, what the reads answer, and what must come of it.

use super::operation::CLASS_WORDS;
use crate::definition::table::{Keys, Rule, Shape, Table, default, optional, required};

pub(crate) static CASE: Table = Table {
    name: "Case",
    doc: "A test of an integration: an event, what the reads answer, and the exact request or the reason for none; or a \
          statement, what was posted of it, and what reconciling it shows. File `mappings/<pairing>/cases/*.yaml`.",
    rows: &[&[
        required(
            "version",
            Shape::Version,
            "The version of the definition language: `1`. The first key.",
        ),
        required("case", Shape::Text, "What it shows, in a sentence."),
        required("integration", Shape::PathName, "The integration it tests."),
        default(
            "settings",
            Shape::Map(
                Keys::Identifier,
                &Shape::Map(Keys::Identifier, &Shape::Anything),
            ),
            "{}",
            "The settings of each connection, by the integration's name for it.",
        ),
        default(
            "params",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "{}",
            "The integration's parameters.",
        ),
        optional("event", Shape::Anything, "The event."),
        optional(
            "event_file",
            Shape::Text,
            "A JSON file that holds the event, from this file's folder.",
        ),
        optional(
            "events",
            Shape::List(&Shape::Anything),
            "The events of one delivery, where the integration has `aggregate`.",
        ),
        optional(
            "statement",
            Shape::Anything,
            "A statement of the source, where it is tested what `reconcile` shows.",
        ),
        optional(
            "posted",
            Shape::List(&Shape::Object(&CASE_POSTED)),
            "The deliveries that post its lines, and what is read for each. Each posts one line of a kind, the first that \
             names it.",
        ),
        optional(
            "group",
            Shape::Object(&CASE_GROUP),
            "What is known of their group beside its key, which is computed.",
        ),
        default(
            "requires",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "{}",
            "The receipt of each required delivery, by its name. Null or absent: there is none.",
        ),
        default(
            "fetch",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "{}",
            "What each read gives, by its name: its result; null or `{}` for \"not there\"; or `{ response: { status, \
             headers, body } }` for a raw answer.",
        ),
        default(
            "crosswalks",
            Shape::Map(Keys::Identifier, &Shape::Map(Keys::Text, &Shape::Anything)),
            "{}",
            "Matching tables, by name: key to columns. Read where `fetch` does not say what an entry is.",
        ),
        optional(
            "answer",
            Shape::Object(&RAW_ANSWER),
            "What the target answers, to check the verdict.",
        ),
        required("expect", Shape::Object(&EXPECT), "What must come of it."),
    ]],
    rules: &[
        Rule::ExactlyOne(&["event", "event_file", "events", "statement"]),
        Rule::OnlyWith {
            keys: &["posted"],
            with: &["statement"],
        },
        Rule::OnlyWith {
            keys: &["group"],
            with: &["events"],
        },
    ],
};

/// What a delivery whose line is reconciled has come to.
pub(crate) const POSTED_STATES: &[&str] = &[
    "delivered",
    "held",
    "uncertain",
    "pending",
    "skipped",
    "discarded",
];

static CASE_POSTED: Table = Table {
    name: "CasePosted",
    doc: "A delivery that posts lines of a statement, and what is read for it.",
    rows: &[&[
        required(
            "integration",
            Shape::PathName,
            "The integration that made it.",
        ),
        default(
            "state",
            Shape::Word(POSTED_STATES),
            "delivered",
            "What it has come to.",
        ),
        optional("event_id", Shape::Text, "Its event's id in the source."),
        optional("dedup_key", Shape::Text, "Its dedup key."),
        optional("order_key", Shape::Text, "Its order key."),
        optional("reference", Shape::Text, "Our reference."),
        default(
            "receipt",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "{}",
            "What the target called it.",
        ),
        default(
            "fetch",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "{}",
            "What each read of a line gives for it, by its name: its result; null or `{}` for \"not there\".",
        ),
    ]],
    rules: &[],
};

static CASE_GROUP: Table = Table {
    name: "CaseGroup",
    doc: "What is known of a group of events beside its key.",
    rows: &[&[
        default(
            "number",
            Shape::Count {
                min: 1,
                max: 1_000_000,
            },
            "1",
            "Which delivery of its key it is.",
        ),
        optional(
            "total",
            Shape::Count {
                min: 1,
                max: 1_000_000,
            },
            "How many events came under its key in all. Default: just these.",
        ),
    ]],
    rules: &[],
};

/// Also stands under `response` in `fetch`.
pub(crate) static RAW_ANSWER: Table = Table {
    name: "RawAnswer",
    doc: "An HTTP answer.",
    rows: &[&[
        default(
            "status",
            Shape::Count { min: 100, max: 599 },
            "200",
            "Its status.",
        ),
        default(
            "headers",
            Shape::Map(Keys::Text, &Shape::Text),
            "{}",
            "Its header fields.",
        ),
        optional(
            "body",
            Shape::Anything,
            "Its body: text as it is, anything else as JSON.",
        ),
    ]],
    rules: &[],
};

static EXPECT: Table = Table {
    name: "Expect",
    doc: "What must come of the event or the statement.",
    rows: &[&[
        optional(
            "deliver",
            Shape::Object(&EXPECT_DELIVER),
            "It is written. What is not stated is not compared.",
        ),
        optional("skipped", Shape::Text, "Nothing is done, for this reason."),
        optional(
            "held",
            Shape::Object(&EXPECT_HELD),
            "It waits for a person or for what is missing.",
        ),
        optional(
            "not_routed",
            Shape::Flag,
            "It is none of the integration's events: `true`.",
        ),
        optional(
            "reconciled",
            Shape::List(&Shape::Object(&EXPECT_LINE)),
            "What reconciling the statement shows: all of its lines, in the order of the definition, each followed by what \
             is extra beside it. What is not stated of a line is not compared.",
        ),
        optional(
            "not_reconciled",
            Shape::Flag,
            "The statement is none of those that are reconciled: `true`.",
        ),
    ]],
    rules: &[Rule::ExactlyOne(&[
        "deliver",
        "skipped",
        "held",
        "not_routed",
        "reconciled",
        "not_reconciled",
    ])],
};

static EXPECT_LINE: Table = Table {
    name: "ExpectLine",
    doc: "A line of a reconciliation, as `ml-connector reconcile` prints it. What is not stated is not compared.",
    rows: &[&[
        optional("kind", Shape::Text, "Its kind."),
        optional("key", Shape::Text, "What it is about."),
        optional(
            "state",
            Shape::Word(&["matched", "missing", "extra", "amount_differs", "in_doubt"]),
            "What comparing it shows.",
        ),
        optional("date", Shape::Text, "Its date, as the source writes it."),
        optional("currency", Shape::Text, "ISO 4217 code."),
        optional(
            "expected",
            Shape::Text,
            "What the source says, in major units.",
        ),
        optional("found", Shape::Text, "What stands in the target."),
        optional(
            "found_currency",
            Shape::Text,
            "The currency of `found`, where it is another.",
        ),
        optional("difference", Shape::Text, "`found` less `expected`."),
        optional("document", Shape::Text, "What the target calls it."),
        optional("why", Shape::Text, "Why it is so, where that is not plain."),
    ]],
    rules: &[],
};

static EXPECT_DELIVER: Table = Table {
    name: "ExpectDeliver",
    doc: "What is written. What is not stated is not compared.",
    rows: &[&[
        optional("dedup_key", Shape::Text, "The dedup key."),
        optional("order_key", Shape::Text, "The order key."),
        optional("reference", Shape::Text, "Our reference."),
        optional(
            "operation",
            Shape::OperationName,
            "The write, as `connection.operation`.",
        ),
        optional("input", Shape::Anything, "The write's input, exactly."),
        optional(
            "request",
            Shape::Object(&EXPECT_REQUEST),
            "The request that is sent.",
        ),
        optional(
            "outcome",
            Shape::Object(&EXPECT_OUTCOME),
            "What `answer` means.",
        ),
        optional(
            "remember",
            Shape::List(&Shape::Object(&EXPECT_REMEMBER)),
            "Entries of matching tables that are written when `outcome` is a success, all of them.",
        ),
    ]],
    rules: &[],
};

static EXPECT_REQUEST: Table = Table {
    name: "ExpectRequest",
    doc: "The request, exactly. Secrets stand as `[secret]`, the session token as `[session]`. What is not stated is not \
          compared.",
    rows: &[&[
        optional(
            "method",
            Shape::Word(&["GET", "POST", "PUT", "PATCH", "DELETE"]),
            "The method.",
        ),
        optional("url", Shape::Text, "The URL without its query."),
        optional(
            "query",
            Shape::Map(Keys::Text, &Shape::Anything),
            "The query parameters, all of them, decoded; a list where one stands several times.",
        ),
        optional(
            "headers",
            Shape::Map(Keys::Text, &Shape::Text),
            "Header fields; others may be there.",
        ),
        optional(
            "body",
            Shape::Anything,
            "The body: text as it is, anything else as JSON.",
        ),
    ]],
    rules: &[],
};

static EXPECT_OUTCOME: Table = Table {
    name: "ExpectOutcome",
    doc: "What the answer means; one of the closed list.",
    rows: &[&[
        optional(
            "succeeded",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "Done, with this receipt.",
        ),
        optional(
            "already_there",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "Was done before, with this receipt.",
        ),
        optional(
            "retry",
            Shape::Object(&EXPECT_TROUBLE),
            "Certainly not done; may work later.",
        ),
        optional("throttle", Shape::Object(&EXPECT_TROUBLE), "Slow down."),
        optional(
            "reauthenticate",
            Shape::Object(&EXPECT_TROUBLE),
            "Log on again.",
        ),
        optional(
            "rejected",
            Shape::Object(&EXPECT_TROUBLE),
            "Certainly not done.",
        ),
        optional(
            "unknown",
            Shape::Object(&EXPECT_TROUBLE),
            "May be done or not.",
        ),
    ]],
    rules: &[Rule::ExactlyOne(&[
        "succeeded",
        "already_there",
        "retry",
        "throttle",
        "reauthenticate",
        "rejected",
        "unknown",
    ])],
};

static EXPECT_TROUBLE: Table = Table {
    name: "ExpectTrouble",
    doc: "What is said about an answer that is no success. What is not stated is not compared; `{}` says nothing.",
    rows: &[&[
        optional("class", Shape::Word(CLASS_WORDS), "What kind of trouble."),
        optional("why", Shape::Text, "What the system said."),
        optional("help", Shape::Text, "The next step."),
        optional("after", Shape::Duration, "The wait it asks for."),
    ]],
    rules: &[],
};

static EXPECT_HELD: Table = Table {
    name: "ExpectHeld",
    doc: "Why it waits. What is not stated is not compared.",
    rows: &[&[
        optional("class", Shape::Word(CLASS_WORDS), "What kind of trouble."),
        optional("why", Shape::Text, "What happened."),
        optional("help", Shape::Text, "The next step."),
        optional(
            "awaits",
            Shape::Object(&EXPECT_AWAITS),
            "What would release it.",
        ),
    ]],
    rules: &[],
};

static EXPECT_AWAITS: Table = Table {
    name: "ExpectAwaits",
    doc: "A missing entry of a matching table.",
    rows: &[&[
        required("crosswalk", Shape::Identifier, "The matching table."),
        required("key", Shape::Text, "The missing key."),
    ]],
    rules: &[],
};

static EXPECT_REMEMBER: Table = Table {
    name: "ExpectRemember",
    doc: "An entry of a matching table that is written.",
    rows: &[&[
        required("crosswalk", Shape::Identifier, "The matching table."),
        required("key", Shape::Text, "The entry's key."),
        required(
            "values",
            Shape::Map(Keys::Identifier, &Shape::Anything),
            "The entry's columns.",
        ),
    ]],
    rules: &[],
};

#[cfg(test)]
mod tests {
    use super::super::operation::OUTCOME_WORDS;
    use super::EXPECT_OUTCOME;

    /// A write is never `not_found`.
    #[test]
    fn every_outcome_of_a_write_can_be_expected() {
        for word in OUTCOME_WORDS.iter().filter(|word| **word != "not_found") {
            assert!(EXPECT_OUTCOME.field(word).is_some(), "{word}");
        }
    }
}
