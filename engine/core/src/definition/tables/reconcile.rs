//! The section `reconcile` of an integration: what the source lists, and how it is found among what was posted.

use super::integration::reads;
use super::scopes;
use crate::definition::table::{Keys, Rule, Shape, Table, default, optional, required};

pub(super) static RECONCILE: Table = Table {
    name: "Reconcile",
    doc: "How `ml-connector reconcile` compares statements of the source (payouts, settlements) with what was posted: line by \
          line, to the last digit.",
    rows: &[&[
        required(
            "one",
            Shape::Object(&ONE_STATEMENT),
            "Reads one statement, by its `id`.",
        ),
        required(
            "list",
            Shape::Object(&STATEMENTS),
            "Lists the statements of a period.",
        ),
        optional(
            "when",
            Shape::Expression(scopes::STATEMENT),
            "Which statements. None: all.",
        ),
        required(
            "id",
            Shape::Template(scopes::STATEMENT),
            "What a statement is called; what `one` takes.",
        ),
        default(
            "reach",
            Shape::Duration,
            "60d",
            "How long before a line's date the deliveries that post it may have been accepted; older ones are not looked at \
             where they are named by their order key.",
        ),
        default(
            "fetch",
            Shape::Map(Keys::Identifier, &Shape::Object(&STATEMENT_READ)),
            "{}",
            "What is read for a statement, in order. What is not there is null.",
        ),
        required(
            "lines",
            Shape::Map(Keys::Identifier, &Shape::Object(&LINE)),
            "The kinds of lines that a statement has, by name.",
        ),
    ]],
    rules: &[],
};

static ONE_STATEMENT: Table = Table {
    name: "OneStatement",
    doc: "Reads one statement.",
    rows: &[&[
        required(
            "operation",
            Shape::OperationName,
            "The read, as `connection.operation`.",
        ),
        required(
            "with",
            Shape::Map(Keys::Identifier, &Shape::Template(scopes::STATEMENT_ID)),
            "Its input.",
        ),
    ]],
    rules: &[],
};

static STATEMENTS: Table = Table {
    name: "Statements",
    doc: "Lists the statements of a period: `since` and `until` are UTC timestamps, `until` may be null.",
    rows: &[&[
        required(
            "operation",
            Shape::OperationName,
            "The read, as `connection.operation`; its result is a list.",
        ),
        required(
            "with",
            Shape::Map(Keys::Identifier, &Shape::Template(scopes::STATEMENT_PERIOD)),
            "Its input.",
        ),
    ]],
    rules: &[],
};

static STATEMENT_READ: Table = Table {
    name: "StatementRead",
    doc: "Something read for a statement: a read operation's result, or an entry of a matching table.",
    rows: &[&reads(
        scopes::STATEMENT_READS,
        &Shape::Template(scopes::STATEMENT_READS),
    )],
    rules: READ_RULES,
};

const READ_RULES: &[Rule] = &[
    Rule::ExactlyOne(&["operation", "crosswalk"]),
    Rule::ExactlyOne(&["operation", "key"]),
    Rule::OnlyWith {
        keys: &["with"],
        with: &["operation"],
    },
    Rule::OnlyWith {
        keys: &["key"],
        with: &["crosswalk"],
    },
];

static LINE: Table = Table {
    name: "Line",
    doc: "One kind of lines: what the source says, which of our deliveries post it, and what stands in the target.",
    rows: &[&[
        optional(
            "for",
            Shape::Braced(scopes::LINES),
            "A list; there is a line for each element. None: one line for the statement.",
        ),
        optional(
            "as",
            Shape::Identifier,
            "The name under which the element is read.",
        ),
        required(
            "key",
            Shape::Template(scopes::LINE),
            "What the line is about, e.g. the payment's id.",
        ),
        required(
            "amount",
            Shape::Template(scopes::LINE),
            "Its amount in major units, with the sign it has in the target.",
        ),
        required("currency", Shape::Template(scopes::LINE), "ISO 4217 code."),
        required(
            "date",
            Shape::Template(scopes::LINE),
            "Its date, or a timestamp.",
        ),
        required(
            "posted",
            Shape::Object(&POSTED),
            "Which of our deliveries post it.",
        ),
        default(
            "fetch",
            Shape::Map(Keys::Identifier, &Shape::Object(&POSTED_READ)),
            "{}",
            "What is read of what was posted, for each delivery that was delivered, in order. What is not there is null.",
        ),
        required(
            "found",
            Shape::Object(&FOUND),
            "What stands in the target for it.",
        ),
    ]],
    rules: PAIRED,
};

const PAIRED: &[Rule] = &[
    Rule::Needs {
        key: "for",
        needs: "as",
    },
    Rule::Needs {
        key: "as",
        needs: "for",
    },
];

static POSTED: Table = Table {
    name: "Posted",
    doc: "Which deliveries post a line.",
    rows: &[&[
        required(
            "integration",
            Shape::PathName,
            "The integration that makes them.",
        ),
        optional(
            "order_key",
            Shape::Template(scopes::LINE),
            "Their order key, or a list of those they may have.",
        ),
        optional(
            "dedup_key",
            Shape::Template(scopes::LINE),
            "Their dedup key.",
        ),
        optional(
            "reference",
            Shape::Template(scopes::LINE),
            "Our reference in the target's document.",
        ),
    ]],
    rules: &[Rule::ExactlyOne(&["order_key", "dedup_key", "reference"])],
};

static POSTED_READ: Table = Table {
    name: "PostedRead",
    doc: "Something read of what was posted: a read operation's result, most often by our reference, or an entry of a \
          matching table.",
    rows: &[&reads(
        scopes::POSTED_READS,
        &Shape::Template(scopes::POSTED_READS),
    )],
    rules: READ_RULES,
};

static FOUND: Table = Table {
    name: "Found",
    doc: "What stands in the target for a line. One document says the same as the line; any further one is extra.",
    rows: &[&[
        optional(
            "for",
            Shape::Braced(scopes::FOUND_LIST),
            "A list; each element is a document of the target. None: there is one.",
        ),
        optional(
            "as",
            Shape::Identifier,
            "The name under which the element is read.",
        ),
        required(
            "amount",
            Shape::Template(scopes::FOUND),
            "Its amount, as the line's.",
        ),
        optional(
            "currency",
            Shape::Template(scopes::FOUND),
            "ISO 4217 code. Default: the line's.",
        ),
        optional(
            "document",
            Shape::Template(scopes::FOUND),
            "What the target calls it, for people.",
        ),
    ]],
    rules: PAIRED,
};
