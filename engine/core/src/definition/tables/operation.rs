//! Operations: what can be asked of a system or told to it, and what its answers mean.

use super::connector::ANSWER;
use super::content::CONTENT;
use super::integration::RETRY;
use super::scopes;
use crate::definition::table::{
    Field, Keys, Rule, Shape, Table, Tagged, default, optional, required,
};

pub(crate) static OPERATION: Tagged = Tagged {
    name: "Operation",
    doc: "Something that can be asked of the system or told to it.",
    tag: "kind",
    tag_doc: "`read`: changes nothing and may be repeated at will. `write`: changes the system, and says how it may be \
              repeated. `session`: logs on or off, and may use secrets.",
    variants: &[("read", &READ), ("write", &WRITE), ("session", &SESSION)],
};

const fn count(min: u64, max: u64) -> Shape {
    Shape::Count { min, max }
}

static COMMON: &[Field] = &[
    default(
        "input",
        Shape::Properties,
        "{}",
        "Its input, as JSON Schema properties. One without `default` and not `optional: true` is required; an optional \
         one that is not given is null.",
    ),
    default(
        "documents",
        Shape::Map(Keys::Identifier, &Shape::Object(&CONTENT)),
        "{}",
        "Named texts, made in order. Later ones, `when` of variants and requests insert them as `documents.<name>`.",
    ),
    optional(
        "request",
        Shape::Object(&REQUEST),
        "The one request that performs it.",
    ),
    optional(
        "variants",
        Shape::List(&Shape::Object(&VARIANT)),
        "Several ways to perform it; the first whose `when` holds is taken.",
    ),
    default("result", Shape::Object(&RESULT), "{}", "What comes back."),
    default(
        "outcomes",
        Shape::List(&Shape::Object(&OUTCOME)),
        "[]",
        "What answers mean, before the connector's rules; the first that holds decides.",
    ),
];

static AUTH: &[Field] = &[optional(
    "auth",
    Shape::Word(&["none"]),
    "`none`: its requests carry no credentials and need no session.",
)];

static READ: Table = Table {
    name: "Read",
    doc: "Changes nothing; may be repeated at will.",
    rows: &[
        COMMON,
        AUTH,
        &[optional(
            "paginate",
            Shape::Tagged(&PAGINATE),
            "How further pages are asked for.",
        )],
    ],
    rules: &[Rule::ExactlyOne(&["request", "variants"])],
};

static SESSION: Table = Table {
    name: "SessionCall",
    doc: "Logs on or off. Its request may insert `secrets`.",
    rows: &[COMMON],
    rules: &[Rule::ExactlyOne(&["request", "variants"])],
};

static WRITE: Table = Table {
    name: "Write",
    doc: "Changes the system. Every write says how it may be repeated, because answers get lost.",
    rows: &[
        COMMON,
        AUTH,
        &[
            optional(
                "steps",
                Shape::List(&Shape::Object(&STEP)),
                "Several operations that make one write; each is durable, so a restart goes on where it stopped.",
            ),
            required(
                "repeat",
                Shape::ScalarOr {
                    scalar: &Shape::Word(&["natural", "none"]),
                    other: &Shape::Object(&REPEAT),
                },
                "How it may be repeated. `natural`: a second time changes nothing. `none`: a second time does it twice, so \
                 a person decides. Else a key or a look-up.",
            ),
            optional(
                "reference",
                Shape::Object(&REFERENCE),
                "What our reference must fit.",
            ),
            default(
                "receipt",
                Shape::Map(Keys::Identifier, &Shape::Template(scopes::RECEIPT)),
                "{}",
                "Names and values of what the system made.",
            ),
        ],
    ],
    rules: &[Rule::ExactlyOne(&["request", "steps", "variants"])],
};

static VARIANT: Table = Table {
    name: "Variant",
    doc: "One way to perform an operation.",
    rows: &[&[
        required("name", Shape::Identifier, "Its name, for people."),
        optional(
            "when",
            Shape::Expression(scopes::VARIANT),
            "Whether to take it. None: always.",
        ),
        optional("request", Shape::Object(&REQUEST), "The request."),
        optional(
            "steps",
            Shape::List(&Shape::Object(&STEP)),
            "The steps; only in writes.",
        ),
    ]],
    rules: &[Rule::ExactlyOne(&["request", "steps"])],
};

static REQUEST: Table = Table {
    name: "Request",
    doc: "One HTTP request. `secrets` can be inserted only in operations of kind `session`.",
    rows: &[&[
        required(
            "method",
            Shape::Word(&["GET", "POST", "PUT", "PATCH", "DELETE"]),
            "The method.",
        ),
        optional(
            "base_url",
            Shape::Template(scopes::SETTINGS),
            "Another root than `http.base_url`: a second service of the same system, which takes the same credentials.",
        ),
        required(
            "path",
            Shape::Template(scopes::REQUEST),
            "Appended to `base_url`; what is inserted is percent-encoded.",
        ),
        default(
            "query",
            Shape::Map(Keys::Text, &Shape::Template(scopes::REQUEST)),
            "{}",
            "Query parameters; one whose value is null is left out.",
        ),
        default(
            "headers",
            Shape::Map(Keys::Text, &Shape::Template(scopes::REQUEST)),
            "{}",
            "Header fields beside the connector's; one whose value is null is left out.",
        ),
        optional("body", Shape::Object(&CONTENT), "The body."),
        optional(
            "timeout",
            Shape::DurationTemplate(scopes::SETTINGS),
            "How long it may take. Default: `http.timeout`.",
        ),
    ]],
    rules: &[],
};

static STEP: Table = Table {
    name: "Step",
    doc: "One durable step of a write.",
    rows: &[&[
        required(
            "name",
            Shape::Identifier,
            "Its name; later steps read its result as `steps.<name>`.",
        ),
        required(
            "operation",
            Shape::Identifier,
            "An operation of this connector.",
        ),
        default(
            "with",
            Shape::Map(Keys::Identifier, &Shape::Template(scopes::STEP_INPUT)),
            "{}",
            "Its input.",
        ),
        optional(
            "until",
            Shape::Expression(scopes::STEP),
            "For a read: asked again until this holds.",
        ),
        optional(
            "wait",
            Shape::Object(&RETRY),
            "How asking again is spaced, and when it ends.",
        ),
        default(
            "outcomes",
            Shape::List(&Shape::Object(&OUTCOME)),
            "[]",
            "What the step's result means where it is not success; sees what `until` sees.",
        ),
    ]],
    rules: &[Rule::OnlyWith {
        keys: &["wait"],
        with: &["until"],
    }],
};

static REPEAT: Table = Table {
    name: "Repeat",
    doc: "What makes it safe to send a write again.",
    rows: &[&[
        optional(
            "idempotency_key",
            Shape::Object(&IDEMPOTENCY_KEY),
            "The system recognises a key.",
        ),
        optional(
            "look_up",
            Shape::Object(&LOOK_UP),
            "The system can be asked for our reference.",
        ),
    ]],
    rules: &[Rule::ExactlyOne(&["idempotency_key", "look_up"])],
};

static IDEMPOTENCY_KEY: Table = Table {
    name: "IdempotencyKey",
    doc: "The key is derived from integration and dedup key, so it is the same after a restart and in a replay.",
    rows: &[&[
        required("header", Shape::Text, "The header field that carries it."),
        default(
            "length_max",
            count(16, 1024),
            "128",
            "The most characters it may have.",
        ),
    ]],
    rules: &[],
};

static COMPARE: &[Field] = &[
    required(
        "found",
        Shape::Expression(scopes::LOOK_UP),
        "Whether it is there.",
    ),
    optional(
        "same",
        Shape::Expression(scopes::LOOK_UP),
        "Whether what is there says the same as we would. None: it does.",
    ),
    default(
        "receipt",
        Shape::Map(Keys::Identifier, &Shape::Template(scopes::LOOK_UP)),
        "{}",
        "Names and values of what is there.",
    ),
];

static LOOK_UP: Table = Table {
    name: "LookUp",
    doc: "How the system is asked whether it has our reference, after a write whose answer was lost.",
    rows: &[
        &[
            required(
                "operation",
                Shape::Identifier,
                "A read operation of this connector.",
            ),
            required(
                "with",
                Shape::Map(Keys::Identifier, &Shape::Template(scopes::LOOK_UP_INPUT)),
                "Its input.",
            ),
        ],
        COMPARE,
        &[
            default(
                "settle",
                Shape::DurationTemplate(scopes::SETTINGS),
                "30s",
                "How long the system may go on working on a request whose answer was lost.",
            ),
            default(
                "absences",
                count(1, 20),
                "2",
                "Look-ups in a row, a settle time apart, that prove that it is not there.",
            ),
            default(
                "give_up_after",
                Shape::Duration,
                "1d",
                "After this long without a result a person decides.",
            ),
        ],
    ],
    rules: &[],
};

static ADOPT: Table = Table {
    name: "Adopt",
    doc: "How what is there already is compared with what we meant.",
    rows: &[
        &[
            required(
                "operation",
                Shape::Identifier,
                "A read operation of this connector.",
            ),
            required(
                "with",
                Shape::Map(Keys::Identifier, &Shape::Template(scopes::ADOPT_INPUT)),
                "Its input.",
            ),
        ],
        COMPARE,
    ],
    rules: &[],
};

static REFERENCE: Table = Table {
    name: "Reference",
    doc: "What our reference must fit; checked before anything is sent.",
    rows: &[&[
        required(
            "length_max",
            count(1, 10_000),
            "The most bytes, in `encoding`.",
        ),
        default(
            "encoding",
            Shape::Word(&["utf-8", "windows-1252"]),
            "utf-8",
            "The system's character set.",
        ),
    ]],
    rules: &[],
};

static RESULT: Table = Table {
    name: "Result",
    doc: "What comes back.",
    rows: &[&[
        optional(
            "answer",
            Shape::Object(&ANSWER),
            "How the body is read, where not as `http.answer` says.",
        ),
        optional(
            "select",
            Shape::JsonPath,
            "Selects the result out of the body. None: the whole body.",
        ),
        default(
            "list",
            Shape::Flag,
            "false",
            "Whether the result is every node selected. Else it is the one; more than one is an error.",
        ),
        default(
            "schema",
            Shape::Schema,
            "{}",
            "What the result looks like; for a list, one element of it.",
        ),
    ]],
    rules: &[Rule::OnlyWith {
        keys: &["list"],
        with: &["select"],
    }],
};

static PAGINATE: Tagged = Tagged {
    name: "Paginate",
    doc: "How further pages are asked for.",
    tag: "kind",
    tag_doc: "Which way.",
    variants: &[
        ("cursor", &PAGE_CURSOR),
        ("offset", &PAGE_OFFSET),
        ("page", &PAGE_NUMBER),
        ("link_header", &PAGE_LINK),
        ("next_link", &PAGE_NEXT),
    ],
};

static PAGES: &[Field] = &[default(
    "pages_max",
    count(1, 1_000_000),
    "1000",
    "No more pages than this; reaching it is an error, never a silent end.",
)];

static PAGE_CURSOR: Table = Table {
    name: "PaginateCursor",
    doc: "The answer names the next cursor.",
    rows: &[
        &[
            required(
                "next",
                Shape::JsonPath,
                "Where it stands in the body, whatever it is. Null, empty or missing ends.",
            ),
            optional("parameter", Shape::Text, "The query parameter, if any."),
            optional(
                "more",
                Shape::JsonPath,
                "Where it stands in the body whether there is more. False, null, missing, empty, `false`, `N` and `0` end.",
            ),
        ],
        PAGES,
    ],
    rules: &[],
};

static PAGE_OFFSET: Table = Table {
    name: "PaginateOffset",
    doc: "How many to leave out grows by the number of items that came.",
    rows: &[
        &[
            optional(
                "parameter",
                Shape::Text,
                "The query parameter. None: the request inserts `page.offset` itself.",
            ),
            required("size", count(1, 100_000), "Items on a full page."),
            optional(
                "total",
                Shape::JsonPath,
                "Where it stands in the body how many items there are in all; reaching it ends.",
            ),
            default(
                "ends",
                Shape::Word(&["short", "empty"]),
                "short",
                "Where `total` does not say: a page with fewer items than `size` is the last, or, for systems that give \
                 fewer than asked for, only one without items.",
            ),
        ],
        PAGES,
    ],
    rules: &[],
};

static PAGE_NUMBER: Table = Table {
    name: "PaginatePage",
    doc: "A query parameter grows by one until fewer than `size` items come.",
    rows: &[
        &[
            required("parameter", Shape::Text, "The query parameter."),
            default("first", count(0, 1), "1", "The first page's number."),
            required("size", count(1, 100_000), "Items on a full page."),
        ],
        PAGES,
    ],
    rules: &[],
};

static PAGE_LINK: Table = Table {
    name: "PaginateLinkHeader",
    doc: "The answer's `Link` field names the next page as `rel=\"next\"` (RFC 8288).",
    rows: &[PAGES],
    rules: &[],
};

static PAGE_NEXT: Table = Table {
    name: "PaginateNextLink",
    doc: "The body holds the next page's URL.",
    rows: &[
        &[required(
            "next",
            Shape::JsonPath,
            "Where it stands in the body. Null, empty or missing ends.",
        )],
        PAGES,
    ],
    rules: &[],
};

pub(crate) static OUTCOME: Table = Table {
    name: "Outcome",
    doc: "One rule about what an answer means. A status alone proves little: a 200 can be a failure.",
    rows: &[&[
        required(
            "when",
            Shape::Expression(scopes::ANSWER),
            "Whether the rule applies.",
        ),
        required(
            "outcome",
            Shape::Word(OUTCOME_WORDS),
            "What the answer means. `succeeded`: done. `already_there`: was done before. `not_found`: a read found nothing. \
             `retry`: certainly not done, may work later. `throttle`: slow down. `reauthenticate`: log on again. `rejected`: \
             certainly not done, and will not be as it stands. `unknown`: may be done or not.",
        ),
        optional(
            "class",
            Shape::Word(CLASS_WORDS),
            "What kind of trouble it is. Default: by `outcome`.",
        ),
        optional(
            "why",
            Shape::Template(scopes::ANSWER),
            "What the system said, without personal data.",
        ),
        optional("help", Shape::Text, "The next step in plain words."),
        optional(
            "wait",
            Shape::Template(scopes::ANSWER),
            "The wait it asks for: seconds, a length of time, or a date. Null: none.",
        ),
        default(
            "receipt",
            Shape::Map(Keys::Identifier, &Shape::Template(scopes::ANSWER)),
            "{}",
            "For `already_there`: names and values of what is there.",
        ),
        optional(
            "adopt",
            Shape::Object(&ADOPT),
            "For `already_there`: a read whose result is compared with what we meant.",
        ),
    ]],
    rules: &[Rule::AtMostOne(&["receipt", "adopt"])],
};

/// The closed list of what an answer can mean.
pub(crate) const OUTCOME_WORDS: &[&str] = &[
    "succeeded",
    "already_there",
    "not_found",
    "retry",
    "throttle",
    "reauthenticate",
    "rejected",
    "unknown",
];

/// The words of [`crate::delivery::Class`], in its order; a test compares them.
pub(crate) const CLASS_WORDS: &[&str] = &[
    "value",
    "missing_master_data",
    "duplicate",
    "period",
    "lock",
    "permission",
    "authentication",
    "capacity",
    "intermittent",
    "configuration",
    "in_doubt",
    "exhausted",
];

#[cfg(test)]
mod tests {
    use crate::delivery::Class;

    #[test]
    fn classes_are_those_of_deliveries() {
        let words: Vec<_> = Class::ALL.iter().map(|class| class.as_str()).collect();
        assert_eq!(words, super::CLASS_WORDS);
    }
}
