//! Lines of a statement of an invented pairing, from what the source says to what is seen.

use super::*;
use crate::definition::site::Site;
use crate::delivery::Receipt;
use crate::plan::{Library, Plan};
use crate::source::SourceSet;
use serde_json::json;
use std::sync::OnceLock;

const PAYFAST: &str = r#"
version: 1
connector: payfast
http: { base_url: "https://payfast.example" }
triggers:
  events: { kind: poll, every: 1h, operation: list, id: $.id, schema: {} }
operations:
  get: { kind: read, input: { id: { type: string } }, request: { method: GET, path: "/s/{{ input.id }}" } }
  list:
    kind: read
    input: { since: { type: string, optional: true }, until: { type: string, optional: true } }
    request: { method: GET, path: /s, query: { since: "{{ input.since }}", until: "{{ input.until }}" } }
    result: { select: "$[*]", list: true, schema: {} }
  items:
    kind: read
    input: { statement: { type: string } }
    request: { method: GET, path: "/s/{{ input.statement }}/items" }
    result: { select: "$[*]", list: true, schema: {} }
outcomes: [{ when: "true", outcome: succeeded }]
"#;

const NETLEDGER: &str = r#"
version: 1
connector: netledger
http: { base_url: "https://netledger.example" }
operations:
  post:
    kind: write
    repeat: natural
    input: { amount: { type: number } }
    request: { method: POST, path: /, body: { json: { amount: "{{ input.amount }}" } } }
    receipt: { fees: "{{ body.fees }}" }
  find:
    kind: read
    input: { reference: { type: string } }
    request: { method: GET, path: "/r/{{ input.reference }}" }
    result: { select: "$[*]", list: true, schema: {} }
outcomes: [{ when: "true", outcome: succeeded }]
"#;

const PAYOUTS: &str = r#"
version: 1
integration: netledger-payfast/payouts
connections: { payfast: payfast, ledger: netledger }
params: { skipped: { type: string, default: draft } }
source: { connection: payfast, trigger: events }
dedup_key: "{{ event.id }}"
order_key: "{{ event.id }}"
sink: { operation: ledger.post, fields: { amount: 1 } }
reconcile:
  one: { operation: payfast.get, with: { id: "{{ id }}" } }
  list: { operation: payfast.list, with: { since: "{{ since }}", until: "{{ until }}" } }
  when: statement.status != params.skipped
  id: "{{ statement.id }}"
  fetch:
    items: { operation: payfast.items, with: { statement: "{{ statement.id }}" } }
  lines:
    payment:
      for: "{{ items }}"
      as: item
      key: "{{ item.payment }}"
      amount: "{{ item.amount | from_minor(item.currency) }}"
      currency: "{{ item.currency }}"
      date: "{{ statement.date }}"
      posted: { integration: netledger-payfast/payouts, order_key: "{{ [item.payment, item.payment ~ '-b'] }}" }
      fetch:
        entry: { crosswalk: receipts, key: "{{ item.payment }}" }
        rows: { operation: ledger.find, when: entry is not none, with: { reference: "{{ delivery.reference }}" } }
      found: { for: "{{ rows }}", as: row, amount: "{{ row.amount }}", currency: "{{ row.currency | default('GBP') }}", document: "{{ row.number }}" }
    fees:
      key: "{{ statement.id }}"
      amount: "{{ statement.fees }}"
      currency: GBP
      date: "{{ statement.date }}T10:00:00Z"
      posted: { integration: netledger-payfast/payouts, dedup_key: "{{ statement.id }}" }
      found: { amount: "{{ delivery.receipt.fees }}" }
"#;

const SITE: &str = r"
version: 1
site: test
connections: { payfast: { connector: payfast }, ledger: { connector: netledger } }
integrations: [{ use: netledger-payfast/payouts, crosswalks: { receipts: ours } }]
";

fn instance() -> &'static Instance {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let mut sources = SourceSet::new();
        sources.add("connectors/payfast/connector.yaml", PAYFAST);
        sources.add("connectors/netledger/connector.yaml", NETLEDGER);
        sources.add("mappings/netledger-payfast/payouts.yaml", PAYOUTS);
        let site = sources.add("site.yaml", SITE);
        let (library, findings) = Library::load(&sources);
        assert!(findings.is_empty(), "{findings:#?}");
        let checked = crate::check::check(&library, &sources);
        assert!(!checked.has_errors(), "{checked:#?}");
        let (site, findings) = Site::load(&sources, site);
        assert!(findings.is_empty(), "{findings:#?}");
        let (plan, findings) = Plan::bind(&library, &site.unwrap());
        assert!(findings.is_empty(), "{findings:#?}");
        plan
    });
    &plan.instances["netledger-payfast/payouts"]
}

fn reconciling() -> Reconciling<'static> {
    Reconciling::new(instance()).unwrap()
}

fn payout() -> Document {
    json!({ "id": "PO1", "status": "paid", "date": "2026-03-16", "fees": "1.20" })
}

/// Answers by the end of a question's name.
fn settle<T>(
    answers: &mut Answers,
    known: &[(&str, Document)],
    turn: impl Fn(&Answers) -> Result<Turn<T>, Trouble>,
) -> (Vec<String>, T) {
    let mut asked = Vec::new();
    loop {
        match turn(answers).unwrap() {
            Turn::Done(done) => return (asked, done),
            Turn::Ask { question, .. } => {
                let name = question.name();
                let answer = known.iter().find(|(end, _)| name.ends_with(end));
                let (_, answer) = answer.unwrap_or_else(|| panic!("nobody knows {name}"));
                answers.add(&question, answer.clone());
                asked.push(name);
            }
        }
    }
}

fn statement(items: &Document) -> Statement<'static> {
    of(&payout(), items)
}

fn of(payout: &Document, items: &Document) -> Statement<'static> {
    let mut answers = Answers::default();
    let known = [(r#"{"statement":"PO1"}"#, items.clone())];
    let turn = |answers: &Answers| reconciling().statement(payout, answers);
    settle(&mut answers, &known, turn).1
}

fn amount(text: &str) -> Amount {
    Amount {
        value: text.parse().unwrap(),
        currency: "GBP".to_owned(),
    }
}

fn found(text: &str) -> Found {
    Found {
        amount: amount(text),
        document: None,
    }
}

fn posting() -> Posting {
    Posting {
        id: "dlv_1".to_owned(),
        event_id: "EV1".to_owned(),
        dedup_key: "EV1".to_owned(),
        order_key: Some("PM1".to_owned()),
        reference: Some("PM1-A".to_owned()),
        receipt: Receipt::default(),
    }
}

#[test]
fn statements_are_asked_for_one_by_one_or_by_their_time() {
    let one = reconciling().one("PO1").unwrap();
    assert_eq!(one.name(), r#"payfast.get {"id":"PO1"}"#);
    let since = "2026-03-01T00:00:00Z".parse().unwrap();
    let open = reconciling().period(since, None).unwrap();
    assert_eq!(
        open.name(),
        r#"payfast.list {"since":"2026-03-01T00:00:00Z","until":null}"#
    );
    let closed = reconciling().period(since, Some(since)).unwrap();
    assert!(
        closed
            .name()
            .ends_with(r#""until":"2026-03-01T00:00:00Z"}"#)
    );
    assert_eq!(reconciling().id(&payout()).unwrap(), "PO1");
    assert!(reconciling().wants(&payout()).unwrap());
    assert!(!reconciling().wants(&json!({ "status": "draft" })).unwrap());
}

#[test]
fn lines_carry_exact_amounts_and_the_names_of_what_posts_them() {
    let items = json!([
        { "payment": "PM1", "amount": 4950, "currency": "GBP" },
        { "payment": "PM2", "amount": 12, "currency": "JPY" },
    ]);
    let lines = statement(&items).lines().unwrap();
    let shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let amount = &line.amount;
            format!(
                "{} {} {} {} {:?}",
                line.kind, line.key, amount.value, amount.currency, line.by
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"payment PM1 49.50 GBP OrderKeys(["PM1", "PM1-b"])"#,
            r#"payment PM2 12 JPY OrderKeys(["PM2", "PM2-b"])"#,
            r#"fees PO1 1.20 GBP DedupKey("PO1")"#,
        ]
    );
    assert_eq!(lines[0].at.to_string(), "2026-03-16T12:00:00Z");
    assert_eq!(lines[2].at.to_string(), "2026-03-16T10:00:00Z");
}

#[test]
fn what_is_no_amount_or_no_date_is_told_with_its_place() {
    let told = |payout: Document| {
        let statement = of(&payout, &json!([]));
        match statement.lines().unwrap_err() {
            Trouble::Lasting { why, .. } | Trouble::Passing { why, .. } => why,
        }
    };
    let no_amount = told(json!({ "id": "PO1", "date": "2026-03-16", "fees": "1,20" }));
    assert!(no_amount.contains("lines.fees.amount"), "{no_amount}");
    let no_date = told(json!({ "id": "PO1", "date": "16/03", "fees": 1 }));
    assert!(no_date.contains("lines.fees.date"), "{no_date}");
}

#[test]
fn what_stands_in_the_target_is_asked_for_once() {
    let items = json!([{ "payment": "PM1", "amount": 4950, "currency": "GBP" }]);
    let statement = statement(&items);
    let lines = statement.lines().unwrap();
    let mut answers = Answers::default();
    let rows = json!([{ "number": 7, "amount": 49.5 }, { "number": 8, "amount": "49.50" }]);
    let known = [
        ("ours PM1", json!({ "account": "A" })),
        (r#"{"reference":"PM1-A"}"#, rows),
    ];
    let turn = |answers: &Answers| statement.found(&lines[0], &posting(), answers);
    let (asked, first) = settle(&mut answers, &known, turn);
    assert_eq!(asked, ["ours PM1", r#"ledger.find {"reference":"PM1-A"}"#]);
    let values: Vec<String> = first
        .iter()
        .map(|one| one.amount.value.to_string())
        .collect();
    assert_eq!(values, ["49.5", "49.50"]);
    assert_eq!(first[1].document.as_deref(), Some("8"));
    let (again, second) = settle(&mut answers, &known, turn);
    assert!(again.is_empty());
    assert_eq!(first, second);

    // Nothing to look by: it is not asked, and nothing is found.
    let mut answers = Answers::default();
    let known = [("ours PM1", Document::Null)];
    let (_, none) = settle(&mut answers, &known, turn);
    assert!(none.is_empty());
}

#[test]
fn a_line_matches_differs_is_missing_doubled_or_in_doubt() {
    let items = json!([{ "payment": "PM1", "amount": 4950, "currency": "GBP" }]);
    let line = statement(&items).lines().unwrap().remove(0);
    let seen = |standing: Standing| -> Vec<(LineState, Option<String>)> {
        compare(&line, standing)
            .iter()
            .map(|line| (line.state, line.difference().map(|one| one.to_string())))
            .collect()
    };
    let difference = |text: &str| Some(text.to_owned());
    let posted = |texts: &[&str]| Standing::Posted(texts.iter().map(|text| found(text)).collect());
    assert_eq!(
        seen(posted(&["49.5"])),
        [(LineState::Matched, difference("0.00"))]
    );
    assert_eq!(
        seen(posted(&["49.49"])),
        [(LineState::AmountDiffers, difference("-0.01"))]
    );
    assert_eq!(
        seen(posted(&[])),
        [(LineState::Missing, difference("-49.50"))]
    );
    assert_eq!(
        seen(posted(&["50.00", "49.50"])),
        [
            (LineState::Matched, difference("0.00")),
            (LineState::Extra, difference("50.00"))
        ]
    );
    assert_eq!(
        seen(Standing::Nothing("it was skipped".to_owned()))[0].0,
        LineState::Missing
    );
    assert_eq!(
        seen(Standing::Open("it is held".to_owned()))[0].0,
        LineState::InDoubt
    );
    let euros = Found {
        amount: Amount {
            currency: "EUR".to_owned(),
            ..amount("49.50")
        },
        document: None,
    };
    assert_eq!(
        seen(Standing::Posted(vec![euros])),
        [(LineState::AmountDiffers, None)]
    );
}

#[test]
fn a_payment_collected_twice_is_posted_by_the_delivery_of_its_time() {
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let (march, april) = (at("2026-03-16T12:00:00Z"), at("2026-04-02T12:00:00Z"));
    let deliveries = [
        (0, at("2026-03-15T09:00:00Z")),
        (2, at("2026-04-02T11:00:00Z")),
        (0, at("2026-04-01T09:00:00Z")),
    ];
    // The one that was skipped posts nothing, however near it is.
    assert_eq!(assign(&[april], &deliveries), [Some(2)]);
    assert_eq!(assign(&[april, march], &deliveries), [Some(2), Some(0)]);
    assert_eq!(
        assign(&[march, march, march, march], &deliveries),
        [Some(0), Some(2), Some(1), None]
    );
    assert_eq!(assign(&[march], &[]), [None]);
}
