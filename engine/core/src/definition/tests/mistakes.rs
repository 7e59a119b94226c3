//! Mistakes one by one: each is one finding, and nothing else is said.

use super::super::json_schema;
use super::super::tables::DefinitionKind;
use super::findings::sorted;
use super::*;
use crate::yaml;

const CONNECTOR: &str = "connectors/netledger/connector.yaml";
const PAYFAST: &str = "connectors/payfast/connector.yaml";
const FLOW: &str = "mappings/netledger-payfast/bills.yaml";

/// Everywhere else: what is replaced, by what, and the only finding: its code, the text it points at, a piece of its message.
#[test]
fn each_mistake_is_one_finding() {
    let mut wrong = Vec::new();
    for (file, from, to, code, covered, message) in MISTAKES {
        let sources = with(file, from, to);
        let all = sorted(&sources);
        let as_expected = match &all[..] {
            [one] => {
                let span = one.primary.span;
                one.code.as_str() == *code
                    && sources.name(span.file) == *file
                    && sources.text(span) == *covered
                    && one.message.contains(message)
            }
            _ => false,
        };
        if !as_expected {
            let text = all
                .first()
                .map_or("", |one| sources.text(one.primary.span))
                .to_owned();
            wrong.push(format!(
                "{to}: not {code} `{covered}` {message}\n{}covers `{text}`\n\n",
                show(&sources, all)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

/// What is wrong by a table is wrong in an editor too: both come from the same rows.
#[test]
fn editors_refuse_what_the_structural_check_refuses() {
    let by_table = [
        "E0110", "E0111", "E0112", "E0113", "E0114", "E0115", "E0116",
    ];
    for (file, from, to, code, ..) in MISTAKES.iter().filter(|one| by_table.contains(&one.3)) {
        let sources = with(file, from, to);
        let id = sources.by_name(file).unwrap();
        let node = yaml::load(&sources, id, &mut Findings::new()).unwrap();
        let kind = match *file {
            FLOW => DefinitionKind::Integration,
            _ => DefinitionKind::Connector,
        };
        let validator = jsonschema::validator_for(&json_schema::schema(kind)).unwrap();
        assert!(!validator.is_valid(&node.to_document()), "{code} {to}");
    }
}

type Mistake = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const MISTAKES: &[Mistake] = &[
    // What a file is.
    (
        CONNECTOR,
        "version: 1\n",
        "",
        "E0121",
        "connector",
        "the version of the language is missing",
    ),
    (
        CONNECTOR,
        "version: 1\n",
        "version: 2\n",
        "E0121",
        "2",
        "version `2` of the language is not known",
    ),
    (
        CONNECTOR,
        "version: 1\n",
        "version: '1'\n",
        "E0121",
        "'1'",
        "",
    ),
    (
        CONNECTOR,
        "version: 1\nconnector: netledger\n",
        "connector: netledger\nversion: 1\n",
        "E0121",
        "version",
        "must be the first key",
    ),
    (
        CONNECTOR,
        "connector: netledger",
        "conector: netledger",
        "E0110",
        "conector",
        "unknown key",
    ),
    (
        CONNECTOR,
        "connector: netledger",
        "connector: ledger",
        "E0122",
        "ledger",
        "`ledger` stands in the place of `netledger`",
    ),
    (
        CONNECTOR,
        "connector: netledger",
        "connector: net ledger",
        "E0122",
        "net ledger",
        "",
    ),
    (
        CONNECTOR,
        "connector: netledger",
        "connector:",
        "E0112",
        "connector",
        "`connector` is empty",
    ),
    (
        CONNECTOR,
        "settings:\n",
        "settings:\n\tx: 1\n",
        "E0101",
        "",
        "",
    ),
    (
        PAYFAST,
        "connector: payfast",
        "connector: netledger",
        "E0122",
        "netledger",
        "",
    ),
    (
        FLOW,
        "integration: netledger-payfast/bills\ntitle",
        "site: x\ntitle",
        "E0122",
        "x",
        "this defines a site, in the place of an integration",
    ),
    // Triggers.
    (
        CONNECTOR,
        "    kind: webhook\n    verify: { scheme: hmac",
        "    verify: { scheme: hmac",
        "E0111",
        "hooks",
        "`kind` is missing in `triggers.hooks`",
    ),
    (
        CONNECTOR,
        "    kind: webhook\n    verify: { scheme: hmac",
        "    kidn: webhook\n    verify: { scheme: hmac",
        "E0110",
        "kidn",
        "",
    ),
    (
        CONNECTOR,
        "scheme: basic, secret: hook",
        "scheme: none",
        "E0113",
        "none",
        "triggers.plain.verify.scheme",
    ),
    (
        CONNECTOR,
        "header: X-Key, secret: hook",
        "header: X-Key",
        "E0111",
        "verify",
        "`secret` is missing in `triggers.shared.verify`",
    ),
    (
        CONNECTOR,
        "content_types: [application/json, application/x-events]",
        "content_types: application/json",
        "E0112",
        "application/json",
        "must be a list",
    ),
    (
        CONNECTOR,
        "cursor: { value: $.changed, kind: date, overlap: 1d, initial: 7d }",
        "cursor: [a]",
        "E0112",
        "cursor",
        "must be a map",
    ),
    // Operations.
    (
        CONNECTOR,
        "repeat: natural",
        "repeat: sometimes",
        "E0113",
        "sometimes",
        "",
    ),
    (
        CONNECTOR,
        "repeat: natural",
        "repeat: [natural]",
        "E0112",
        "repeat",
        "one of `natural`, `none`, or a map",
    ),
    (
        CONNECTOR,
        "    repeat: natural\n",
        "",
        "E0111",
        "import_bills",
        "`repeat` is missing in `operations.import_bills`",
    ),
    (
        CONNECTOR,
        "repeat: { idempotency_key: { header: X-Key, length_max: 64 } }",
        "repeat: {}",
        "E0114",
        "repeat",
        "needs one of",
    ),
    (
        CONNECTOR,
        "header: X-Key, length_max: 64 } }",
        "header: X-Key, length_max: 8 } }",
        "E0116",
        "8",
        "",
    ),
    (
        CONNECTOR,
        "    request: { method: PUT, path: /x }\n",
        "",
        "E0114",
        "by_key",
        "`operations.by_key` needs one of `request`, `steps`, `variants`",
    ),
    (
        CONNECTOR,
        "    request: { method: PUT, path: /x }\n",
        "    requst: { method: PUT, path: /x }\n",
        "E0110",
        "requst",
        "",
    ),
    (
        CONNECTOR,
        "    request: { method: PUT, path: /x }\n",
        "    request: { method: PUT, path: /x }\n    steps: []\n",
        "E0114",
        "steps",
        "`request` and `steps` exclude each other",
    ),
    (
        CONNECTOR,
        "method: PUT, path: /x",
        "method: put, path: /x",
        "E0113",
        "put",
        "",
    ),
    (
        CONNECTOR,
        "method: PUT, path: /x",
        "method: PUT, path: \"/{{ input.x | lowr }}\"",
        "E0301",
        "l",
        "there is no filter `lowr`",
    ),
    (
        CONNECTOR,
        "method: PUT, path: /x",
        "method: PUT, path: {{ input.x }}",
        "E0105",
        "{ input.x }",
        "has to be quoted",
    ),
    (
        CONNECTOR,
        "path: /b }",
        "path: /b, body: { json: {}, text: x } }",
        "E0114",
        "text",
        "",
    ),
    (
        CONNECTOR,
        "path: /b }",
        "path: /b, body: { content_type: x } }",
        "E0114",
        "body",
        "needs one of",
    ),
    (
        CONNECTOR,
        "path: /b }",
        "path: /b, body: { json: {}, encoding: utf-8 } }",
        "E0114",
        "encoding",
        "only beside `xml`",
    ),
    (
        CONNECTOR,
        "path: /b }",
        "path: /b, body: { json: { a: } } }",
        "E0112",
        "a",
        "is empty",
    ),
    (
        CONNECTOR,
        "path: /b }",
        "path: /b, body: { json: { a: 10.10 } } }",
        "E0106",
        "10.10",
        "has to be quoted",
    ),
    (
        CONNECTOR,
        "path: /b }",
        "path: /b, body: { json: { for: \"{{ x }}\", as: y } } }",
        "E0111",
        "json",
        "`each` is missing",
    ),
    (
        CONNECTOR,
        "path: /b }",
        "path: /b, body: { json: { if: \"{{ x }}\", then: y, els: z } } }",
        "E0110",
        "els",
        "",
    ),
    (
        CONNECTOR,
        "kind: offset, parameter: skip, size: 100",
        "kind: offset, parameter: skip, size: ten",
        "E0112",
        "ten",
        "a whole number",
    ),
    (
        CONNECTOR,
        "kind: link_header",
        "kind: link_header, next: $.x",
        "E0110",
        "next",
        "",
    ),
    (
        CONNECTOR,
        "auth: none\n    input: { verbose",
        "auth: nothing\n    input: { verbose",
        "E0113",
        "nothing",
        "",
    ),
    (
        CONNECTOR,
        "outcome: unknown }",
        "outcome: unkown }",
        "E0113",
        "unkown",
        "",
    ),
    (
        CONNECTOR,
        "outcome: unknown }",
        "outcome: unknown, class: bad }",
        "E0113",
        "bad",
        "",
    ),
    (
        CONNECTOR,
        "status == 208, outcome: already_there, receipt",
        "status == 208, outcome: already_there, adopt: { operation: find_bill, with: {}, found: \"true\" }, receipt",
        "E0114",
        "receipt",
        "",
    ),
    (
        CONNECTOR,
        "  find_bill:\n",
        "  find-bill:\n",
        "E0122",
        "find-bill",
        "cannot be a name in `operations`",
    ),
    (CONNECTOR, "  find_bill:\n", "  not:\n", "E0122", "not", ""),
    (
        CONNECTOR,
        "factor: \"1.5\"",
        "factor: 0.5",
        "E0115",
        "0.5",
        "",
    ),
    (
        CONNECTOR,
        "factor: \"1.5\"",
        "factor: [2]",
        "E0112",
        "factor",
        "",
    ),
    // Integrations.
    (
        FLOW,
        "bank: payfast",
        "bank: payfats",
        "E0202",
        "payfats",
        "there is no connector `payfats`",
    ),
    (
        FLOW,
        "integration: netledger-payfast/bills\ntitle",
        "integration: netledger-payfast/bill\ntitle",
        "E0122",
        "netledger-payfast/bill",
        "",
    ),
    (
        FLOW,
        "operation: ledger.find_bill",
        "operation: find_bill",
        "E0122",
        "find_bill",
        "",
    ),
    (
        FLOW,
        "operation: ledger.find_bill, with: { reference: \"{{ event.id }}\" }, when",
        "with: { reference: \"{{ event.id }}\" }, when",
        "E0114",
        "bill",
        "needs one of `operation`, `crosswalk`",
    ),
    (
        FLOW,
        "crosswalk: customers, key: \"{{ bill.customer }}\", ",
        "crosswalk: customers, ",
        "E0114",
        "customer",
        "needs one of `operation`, `key`, `keys`",
    ),
    (FLOW, "missing: null", "missing: nul", "E0113", "nul", ""),
    (
        FLOW,
        "dedup_key: \"{{ event.id }}\"\n",
        "",
        "E0111",
        "version",
        "`dedup_key` is missing in this file",
    ),
    (
        FLOW,
        "dedup_key: \"{{ event.id }}\"\n",
        "dedup_key: \"{{ event.id\"\n",
        "E0301",
        "",
        "",
    ),
    (
        FLOW,
        "reason: \"nothing to pay for {{ bill.id }}\"",
        "reason: [x]",
        "E0112",
        "reason",
        "",
    ),
    (
        FLOW,
        "dedup_key: \"{{ event.opening }}\", ",
        "",
        "E0114",
        "opening",
        "",
    ),
    (
        FLOW,
        "retry: { first: 10s",
        "retry: { first: ten",
        "E0115",
        "ten",
        "",
    ),
    (FLOW, "'EUR'", "'EUR' + 1.5", "E0301", "1", ""),
    // Names.
    (
        FLOW,
        "fetch:\n",
        "fetch:\n  event: { crosswalk: x, key: a }\n",
        "E0122",
        "event",
        "the name `event` is taken",
    ),
    (
        FLOW,
        "fetch:\n",
        "fetch:\n  opening: { crosswalk: x, key: a }\n",
        "E0201",
        "opening",
        "stands for two things",
    ),
    (
        CONNECTOR,
        "  complaint: ",
        "  body: ",
        "E0122",
        "body",
        "the name `body` is taken",
    ),
    (
        CONNECTOR,
        "as: line",
        "as: input",
        "E0122",
        "input",
        "the name `input` is taken",
    ),
    (
        CONNECTOR,
        "name: graph",
        "name: soap",
        "E0201",
        "soap",
        "stands for two things",
    ),
    (
        CONNECTOR,
        "- name: wait",
        "- name: submit",
        "E0201",
        "submit",
        "stands for two things",
    ),
];
