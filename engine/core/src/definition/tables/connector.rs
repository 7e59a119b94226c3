//! The connector file: everything about one system, nothing about any pairing.

use super::auth::AUTH;
use super::operation::{OPERATION, OUTCOME};
use super::scopes;
use super::trigger::TRIGGER;
use crate::definition::table::{Keys, Shape, Table, default, optional, required};

pub(crate) static CONNECTOR: Table = Table {
    name: "Connector",
    doc: "Everything about one system: how it is reached, what it sends, what can be asked of it. \
          File `connectors/<name>/connector.yaml`.",
    rows: &[&[
        required(
            "version",
            Shape::Version,
            "The version of the definition language: `1`. The first key.",
        ),
        required(
            "connector",
            Shape::Name,
            "Its name, the name of its folder.",
        ),
        optional(
            "title",
            Shape::Text,
            "Its name for people. Default: `connector`.",
        ),
        default(
            "settings",
            Shape::Properties,
            "{}",
            "What a connection must supply, as JSON Schema properties. One without `default` and not `optional: true` is \
             required; one with `required_when` where the others that it names have one of the values it names, as in \
             `required_when: { mode: [file, queue] }`, or in one of a list of such maps.",
        ),
        default(
            "secrets",
            Shape::Map(Keys::Identifier, &Shape::Object(&SECRET)),
            "{}",
            "Secrets a connection refers to; their values live in the vault only.",
        ),
        required("http", Shape::Object(&HTTP), "How the system is reached."),
        optional(
            "health",
            Shape::Object(&HEALTH),
            "The harmless read that `ping` calls first and that closes an open circuit.",
        ),
        default(
            "ping",
            Shape::List(&Shape::Object(&HEALTH)),
            "[]",
            "What `ping` reads after `health`, to prove that log-on, rights and look-ups work. A circuit never calls these.",
        ),
        default(
            "triggers",
            Shape::Map(Keys::Identifier, &Shape::Tagged(&TRIGGER)),
            "{}",
            "Sources of events.",
        ),
        required(
            "operations",
            Shape::Map(Keys::Identifier, &Shape::Tagged(&OPERATION)),
            "What can be asked of the system or told to it.",
        ),
        default(
            "answers",
            Shape::Map(Keys::Identifier, &Shape::Template(scopes::ANSWERS)),
            "{}",
            "Values made of every answer, in order, and read by name in `outcomes` and `receipt`: what an answer complains \
             of, wherever the system puts that.",
        ),
        required(
            "outcomes",
            Shape::List(&Shape::Object(&OUTCOME)),
            "What answers mean, after an operation's own rules; the first that holds decides. An answer for which none \
             holds counts as unknown.",
        ),
    ]],
    rules: &[],
};

static SECRET: Table = Table {
    name: "Secret",
    doc: "A secret that a connection refers to. `{}` says all that is needed.",
    rows: &[&[
        optional(
            "description",
            Shape::Text,
            "What it is and where one gets it.",
        ),
        default(
            "optional",
            Shape::Flag,
            "false",
            "Whether a connection may do without it.",
        ),
        default(
            "several",
            Shape::Flag,
            "false",
            "Whether several values may be live at once while it is being changed.",
        ),
        optional(
            "required_when",
            Shape::Anything,
            "Where an optional one is needed all the same: settings with the value, or a list of the values, of which each must \
             have one, as in `{ auth: [basic, token] }`; or a list of such maps, of which one must hold.",
        ),
    ]],
    rules: &[],
};

static HEALTH: Table = Table {
    name: "Health",
    doc: "A harmless read that shows whether a connection works.",
    rows: &[&[
        required(
            "operation",
            Shape::Identifier,
            "A read operation of this connector.",
        ),
        default(
            "with",
            Shape::Map(Keys::Identifier, &Shape::Template(scopes::SETTINGS)),
            "{}",
            "Its input.",
        ),
        optional(
            "show",
            Shape::Template(scopes::HEALTH),
            "One line about what was read, for people.",
        ),
    ]],
    rules: &[],
};

static HTTP: Table = Table {
    name: "Http",
    doc: "How the system is reached.",
    rows: &[&[
        required(
            "base_url",
            Shape::Template(scopes::SETTINGS),
            "What every request's path is appended to.",
        ),
        default(
            "headers",
            Shape::Map(Keys::Text, &Shape::Template(scopes::SETTINGS)),
            "{}",
            "Header fields of every request.",
        ),
        default(
            "auth",
            Shape::Tagged(&AUTH),
            "{ kind: none }",
            "How requests are authenticated.",
        ),
        optional(
            "rate_limit",
            Shape::Object(&RATE_LIMIT),
            "The request budget. None: no limit of our own.",
        ),
        default(
            "concurrency",
            Shape::CountTemplate(scopes::SETTINGS),
            "4",
            "Requests under way at once, per connection.",
        ),
        default(
            "timeout",
            Shape::DurationTemplate(scopes::SETTINGS),
            "30s",
            "How long a request may take, to the end of its answer.",
        ),
        default(
            "answer_bytes_max",
            Shape::Size,
            "16MiB",
            "The longest answer that is read.",
        ),
        default(
            "answer",
            Shape::Object(&ANSWER),
            "{}",
            "How answers are read.",
        ),
        default(
            "circuit",
            Shape::Object(&CIRCUIT),
            "{}",
            "When attempts stop because the system is down.",
        ),
    ]],
    rules: &[],
};

static CIRCUIT: Table = Table {
    name: "Circuit",
    doc: "When attempts stop because the system is down, and when it is asked again. Waiting deliveries do not use up \
          their attempts.",
    rows: &[&[
        default(
            "failures",
            Shape::Count { min: 1, max: 1000 },
            "5",
            "Troubles in a row that open it.",
        ),
        default(
            "first",
            Shape::Duration,
            "5s",
            "The wait before the first health call.",
        ),
        default(
            "max",
            Shape::Duration,
            "5m",
            "The longest wait between health calls.",
        ),
    ]],
    rules: &[],
};

static RATE_LIMIT: Table = Table {
    name: "RateLimit",
    doc: "A connection's request budget.",
    rows: &[&[
        required(
            "requests",
            Shape::Count {
                min: 1,
                max: 1_000_000,
            },
            "Requests allowed in each window.",
        ),
        required("per", Shape::Duration, "The window."),
        optional(
            "follow",
            Shape::Object(&RATE_HEADERS),
            "Header fields of answers that say how much is left.",
        ),
    ]],
    rules: &[],
};

static RATE_HEADERS: Table = Table {
    name: "RateHeaders",
    doc: "Header fields that say how a request budget stands.",
    rows: &[&[
        required(
            "remaining",
            Shape::Text,
            "The field that says how many requests are left.",
        ),
        required(
            "reset",
            Shape::Text,
            "The field that says when the window ends.",
        ),
        default(
            "reset_format",
            Shape::Word(&["seconds", "http-date", "epoch"]),
            "seconds",
            "How that is written: seconds from now, a date, or seconds since 1970.",
        ),
    ]],
    rules: &[],
};

pub(crate) static ANSWER: Table = Table {
    name: "Answer",
    doc: "How an answer's body is read. What an operation's `answer` does not say is as `http.answer` says.",
    rows: &[&[
        default(
            "body",
            Shape::Word(&[
                "json",
                "xml",
                "text",
                "json_or_text",
                "xml_or_text",
                "any",
                "none",
            ]),
            "json",
            "What it is. `…_or_text` looks at how it starts; `any` is JSON or XML if it is one, else text.",
        ),
        default(
            "encoding",
            Shape::Word(&["utf-8", "windows-1252", "auto"]),
            "utf-8",
            "How its bytes become text. `auto`: UTF-8 if that is valid, else Windows-1252.",
        ),
        default(
            "unquote",
            Shape::Flag,
            "false",
            "Whether a body that is one JSON string is taken as that string's content.",
        ),
        default(
            "nulls",
            Shape::List(&Shape::Word(&["nil", "empty", "word"])),
            "[]",
            "What becomes null: `nil` a map with a true `@nil`, `empty` an empty text, `word` the text `null`.",
        ),
        default(
            "lists",
            Shape::List(&Shape::Text),
            "[]",
            "Members that are lists also with one item, and empty ones with null; `*` at either end stands for any \
             characters.",
        ),
        default(
            "drop_attributes",
            Shape::Flag,
            "false",
            "Whether members whose names begin with `@` are left out.",
        ),
        default(
            "xml",
            Shape::Object(&XML_RULES),
            "{}",
            "How XML becomes a document.",
        ),
        default(
            "embedded",
            Shape::List(&Shape::Object(&EMBEDDED)),
            "[]",
            "Members whose text is itself a document, which takes the text's place.",
        ),
    ]],
    rules: &[],
};

static EMBEDDED: Table = Table {
    name: "Embedded",
    doc: "A member, anywhere in an answer, whose text is itself a document. Empty text becomes null; text that is no \
          document makes the answer unreadable.",
    rows: &[&[
        required("name", Shape::Text, "The member's name."),
        default(
            "as",
            Shape::Word(&["json", "xml", "json_or_xml"]),
            "json_or_xml",
            "What its text is. `json_or_xml` looks at how it starts. XML keeps its attributes.",
        ),
        default(
            "base64",
            Shape::Flag,
            "false",
            "Whether the text is base64 first.",
        ),
    ]],
    rules: &[],
};

static XML_RULES: Table = Table {
    name: "XmlRules",
    doc: "How XML becomes a document: an element with children is a map, one with text only a text, attributes are \
          `@name`, text beside them `#text`, a repeated element a list.",
    rows: &[&[
        default(
            "lowercase_names",
            Shape::Flag,
            "false",
            "Whether element names are made lower-case.",
        ),
        default(
            "lists",
            Shape::List(&Shape::Text),
            "[]",
            "Elements that are lists even where only one stands.",
        ),
        default(
            "trim",
            Shape::Flag,
            "false",
            "Whether text loses its spaces at both ends.",
        ),
        default(
            "unwrap",
            Shape::List(&Shape::Text),
            "[]",
            "Wrapper elements (in any case) whose text is itself the document.",
        ),
        default(
            "unwrap_base64",
            Shape::Flag,
            "false",
            "Whether a wrapper inside a SOAP envelope holds it in base64; a text that is none, such as a fault's, stays as it is.",
        ),
        default(
            "references",
            Shape::Flag,
            "false",
            "Whether an element with `href=\"#id\"` is read as the element that has this `id`, as SOAP encodes values.",
        ),
    ]],
    rules: &[],
};
