//! `reconcile`, asked of a running engine and of the store alone.

use super::operating::{Engine, events, until};
use super::{Ran, Sealed, assert_conforms};
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use ml_connector_simulators::serve::{Server, lock};
use ml_connector_simulators::{Reply, Simulated, Ticket};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// The invented collector and the invented ledger behind one address.
#[derive(Debug, Default)]
struct Systems {
    bills: Vec<Value>,
    calls: u64,
}

impl Systems {
    fn answer(&mut self, request: &HttpRequest) -> (u16, Value) {
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match (request.method, path.split_once('/')) {
            (Method::Post, None) => {
                let mut bill: Value = serde_json::from_slice(&request.body).unwrap();
                let number = self.bills.len() + 1;
                bill["number"] = number.into();
                self.bills.push(bill);
                (201, json!({ "number": number }))
            }
            (_, Some(("payments", id))) => {
                let amount = 1000 + id.trim_start_matches("PM").parse::<u64>().unwrap();
                let payment = json!({ "id": id, "amount": amount, "currency": "GBP", "iban": "x" });
                (200, json!({ "payment": payment }))
            }
            (_, Some(("statements", "PO1"))) => (200, statement("PO1", &[1000, 1001, 1005, 4000])),
            (_, Some(("statements", "PO2"))) => (200, statement("PO2", &[1000, 1001])),
            (_, Some(_)) => (404, json!({})),
            (_, None) if path == "statements" => {
                let of = query
                    .contains("2026-03-01")
                    .then(|| statement("PO2", &[1000]));
                (200, of.into_iter().collect())
            }
            (_, None) => {
                let bills = self.bills.iter();
                let wanted =
                    bills.filter(|bill| query.ends_with(bill["reference"].as_str().unwrap()));
                (200, wanted.cloned().collect())
            }
        }
    }
}

/// A statement over the first payments, of so many minor units.
fn statement(id: &str, amounts: &[u64]) -> Value {
    let payments = amounts.iter().enumerate();
    let payments: Vec<Value> = payments
        .map(|(at, amount)| json!({ "id": format!("PM{at}"), "amount": amount }))
        .collect();
    json!({ "id": id, "date": "2026-03-16", "payments": payments })
}

impl Simulated for Systems {
    fn handle(&mut self, request: &HttpRequest, _now: Timestamp) -> Reply {
        self.calls += 1;
        let (status, body) = self.answer(request);
        Reply::Answer(HttpResponse {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into(),
        })
    }

    fn collect(&mut self, _ticket: Ticket, _now: Timestamp) -> Reply {
        Reply::Drop
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}

/// What the fixture lacks: statements, looking bills up, and what is compared.
const STATEMENTS: &str = r#"  get_statement:
    kind: read
    input: { id: { type: string } }
    request: { method: GET, path: "/statements/{{ input.id }}" }
    result: { schema: { type: object } }
  list_statements:
    kind: read
    input: { since: { type: string }, until: { type: string, optional: true } }
    request: { method: GET, path: /statements, query: { since: "{{ input.since }}", until: "{{ input.until }}" } }
    result: { select: "$[*]", list: true, schema: { type: object } }
outcomes:
"#;
const BILLS: &str = r#"  find_bills:
    kind: read
    input: { reference: { type: string } }
    request: { method: GET, path: /bills, query: { reference: "{{ input.reference }}" } }
    result: { select: "$[*]", list: true, schema: { type: object } }
    outcomes:
      - { when: status == 200, outcome: succeeded }
outcomes:
"#;
const RECONCILE: &str = r#"reconcile:
  one: { operation: payfast.get_statement, with: { id: "{{ id }}" } }
  list: { operation: payfast.list_statements, with: { since: "{{ since }}", until: "{{ until }}" } }
  id: "{{ statement.id }}"
  lines:
    payment:
      for: "{{ statement.payments }}"
      as: item
      key: "{{ item.id }}"
      amount: "{{ item.amount | from_minor('GBP') }}"
      currency: GBP
      date: "{{ statement.date }}"
      posted: { integration: netledger-payfast/bills, reference: "{{ item.id }}" }
      fetch:
        rows: { operation: netledger.find_bills, with: { reference: "{{ delivery.reference }}" } }
      found: { for: "{{ rows }}", as: row, amount: "{{ row.amount }}", document: "bill {{ row.number }}" }
sink:
"#;

/// An installation between the two systems, which really listen.
struct Cast {
    sealed: Sealed,
    systems: Arc<Mutex<Systems>>,
    _server: Server,
    _runtime: Runtime,
}

impl Cast {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let systems = Arc::new(Mutex::new(Systems::default()));
        let server = runtime
            .block_on(Server::start(Arc::clone(&systems)))
            .unwrap();
        let sealed = Sealed::with_vault();
        sealed
            .change("ml-connector.yaml", "http://127.0.0.1:9", &server.url())
            .change(
                "connectors/payfast/connector.yaml",
                "outcomes:\n",
                STATEMENTS,
            )
            .change(
                "connectors/netledger/connector.yaml",
                "\noutcomes:\n",
                &format!("\n{BILLS}"),
            )
            .change(
                "mappings/netledger-payfast/bills.yaml",
                "sink:\n",
                RECONCILE,
            );
        let set = ["crosswalk", "set", "customers", "CU1", "account=0000417"];
        sealed.run(&set).fine();
        Self {
            sealed,
            systems,
            _server: server,
            _runtime: runtime,
        }
    }

    fn reconcile(&self, arguments: &[&str]) -> Ran {
        self.sealed.run(&[&["reconcile"], arguments].concat())
    }
}

/// State, key, expected, found and document of every line.
fn lines(ran: &Ran) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let members = ["state", "key", "expected", "found", "document"];
    let lines = ran.json()["lines"].as_array().unwrap().clone();
    let shown = lines
        .iter()
        .map(|line| members.map(|name| text(&line[name])).join(" "));
    shown.collect()
}

#[test]
fn a_statement_is_compared_with_and_without_a_running_engine() {
    let cast = Cast::new();
    let engine = Engine::start(&cast.sealed);
    assert_eq!(
        engine.receive(&events(&["CU1", "CU1", "CU1"]), "hook-77c1"),
        202
    );
    let delivered = [
        "deliveries",
        "list",
        "--state",
        "delivered",
        "--format",
        "json",
    ];
    until(&cast.sealed, &delivered, |ran| {
        ran.json()["deliveries"].as_array().unwrap().len() == 3
    });
    // Somebody enters one a second time.
    let again = lock(&cast.systems).bills[1].clone();
    lock(&cast.systems).bills.push(again);
    let wanted = [
        "matched PM0 10.00 10.00 bill 1",
        "matched PM1 10.01 10.01 bill 2",
        "extra PM1 - 10.01 bill 2",
        "amount_differs PM2 10.05 10.02 bill 3",
        "missing PM3 40.00 - -",
    ];
    let asked = ["--statement", "PO1", "--format", "json"];
    let beside = cast.reconcile(&asked);
    assert_eq!(lines(&beside), wanted);
    let (code, log) = engine.stop();
    assert_eq!(code, 0, "{log}");

    let alone = cast.reconcile(&asked);
    for ran in [&beside, &alone] {
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_conforms(&cast.sealed, "reconciliation", &ran.json());
    }
    assert_eq!(alone.json()["lines"], beside.json()["lines"]);
    assert_eq!(alone.json()["states"], beside.json()["states"]);
    let different = cast.reconcile(&["--statement", "PO1", "--format", "json", "--differences"]);
    assert_eq!(different.code, 1);
    assert_eq!(lines(&different), wanted[2..]);
    assert_eq!(
        different.json()["states"],
        alone.json()["states"],
        "counts are of all"
    );

    let table = cast.reconcile(&["netledger-payfast/bills", "--statement", "PO1"]);
    assert_eq!(table.code, 1);
    insta::assert_snapshot!("reconcile_text", table.out);
    let csv = cast.reconcile(&["--statement", "PO1", "--format", "csv"]);
    assert_eq!(csv.code, 1);
    insta::assert_snapshot!("reconcile_csv", csv.out.replace("\r\n", "\n"));
    assert_eq!(
        csv.out.matches("\r\n").count(),
        1 + wanted.len(),
        "RFC 4180"
    );

    lock(&cast.systems).bills.pop();
    let fine = cast.reconcile(&["--since", "2026-03-01", "--until", "2026-04-01"]);
    assert_eq!(fine.code, 0, "{fine:?}");
    assert!(fine.out.ends_with("1 statement: 1 matched\n"), "{fine:?}");
    let none = cast
        .reconcile(&["--since", "2026-03-02", "--format", "csv"])
        .fine();
    assert_eq!(none.lines().count(), 1, "only the names of the columns");
}

#[test]
fn what_cannot_be_reconciled_is_told_with_the_next_step() {
    let cast = Cast::new();
    let told = |arguments: &[&str], code: i32, parts: &[&str]| {
        let said = cast.reconcile(arguments).ends(code);
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {said}");
        }
    };
    told(&[], 2, &["--statement", "--since"]);
    told(
        &["--statement", "PO1", "--since", "7d"],
        2,
        &["cannot be used with"],
    );
    // Without saying so, the time would have been of no account.
    told(
        &["--statement", "PO1", "--until", "2026-04-01"],
        2,
        &["--until", "cannot be used with"],
    );
    told(&["--since", "yesteryear"], 2, &["yesteryear", "--since"]);
    told(
        &["--statement", "PO1", "--format", "xml"],
        2,
        &["xml", "csv"],
    );
    told(
        &["--statement", "PO9"],
        3,
        &["the source has no `PO9`", "help: "],
    );
    told(
        &["nobody/flow", "--statement", "PO1"],
        3,
        &["no integration `nobody/flow`", "help: "],
    );
    // The target is not there: half a reconciliation would look like findings.
    let server = cast.sealed.text("ml-connector.yaml");
    let url = server.split("base_url: \"").nth(1).unwrap();
    let url = url.split('"').next().unwrap();
    cast.sealed
        .change("ml-connector.yaml", url, "http://127.0.0.1:9");
    told(
        &["--statement", "PO1"],
        3,
        &["cannot read `get_statement` of `payfast`", "help: "],
    );

    let without = Sealed::with_vault();
    let set = ["crosswalk", "set", "customers", "CU1", "account=7"];
    without.run(&set).fine();
    let said = without.run(&["reconcile", "--statement", "PO1"]).ends(3);
    assert!(said.contains("nothing is to be reconciled"), "{said}");
}
