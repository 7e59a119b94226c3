//! Reconciliation over the operator API: what the source says against what stands in the target, whoever has been there.

use super::api::Served;
use super::systems::Fault;
use super::world::Changes;
use ml_connector_core::delivery::Decision;
use ml_connector_core::http::HttpResponse;
use ml_connector_store::tokens::Role;
use serde_json::{Value as Document, json};

const PATH: &str = "/api/v1/reconciliations";

const RECONCILING: Changes<'static> = &[
    (
        "  get_payment:\n",
        r#"  list_payouts:
    kind: read
    input: { since: { type: string }, until: { type: string, optional: true } }
    request: { method: GET, path: /payouts, query: { since: "{{ input.since }}", until: "{{ input.until }}" } }
    result: { select: "$[*]", list: true, schema: { type: object } }
  get_payout:
    kind: read
    input: { id: { type: string } }
    request: { method: GET, path: "/payouts/{{ input.id }}" }
    result: { schema: { type: object } }
  get_payment:
"#,
    ),
    (
        "remember:\n",
        r#"reconcile:
  one: { operation: payfast.get_payout, with: { id: "{{ id }}" } }
  list: { operation: payfast.list_payouts, with: { since: "{{ since }}", until: "{{ until }}" } }
  id: "{{ statement.id }}"
  lines:
    payment:
      for: "{{ statement.payments }}"
      as: item
      key: "{{ item.id }}"
      amount: "{{ item.amount | from_minor('GBP') }}"
      currency: GBP
      date: "{{ statement.date }}"
      posted: { integration: payfast-netledger/receipts, order_key: "{{ item.id }}" }
      fetch:
        rows: { operation: netledger.find_receipts, with: { reference: "{{ delivery.reference }}" } }
      found: { for: "{{ rows }}", as: row, amount: "{{ row.amount }}", document: "{{ row.number }}" }
remember:
"#,
    ),
];

fn answer(status: u16, body: &Document) -> HttpResponse {
    HttpResponse {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into(),
    }
}

/// A payout of these payments, each of so many minor units.
fn pay_out(served: &Served, payments: &[(&str, u32)]) {
    let items = payments.iter();
    let items: Vec<Document> = items
        .map(|(id, amount)| json!({ "id": id, "amount": amount }))
        .collect();
    let payout = json!({ "id": "PO1", "date": "2026-03-17", "payments": items });
    let net = &served.world.net;
    net.route("http://payfast.test/payouts", move |request| {
        if request.url.ends_with("/payouts/PO1") {
            answer(200, &payout)
        } else if request.url.contains("/payouts?") {
            answer(200, &json!([payout]))
        } else {
            answer(404, &json!({}))
        }
    });
}

async fn reconciled(served: &Served) -> Document {
    served
        .post(PATH, &json!({ "statement": "PO1" }))
        .await
        .fine()
}

/// State, key, expected, found and difference of every line.
fn lines(reconciliation: &Document) -> Vec<String> {
    let lines = reconciliation["lines"].as_array().unwrap();
    let text = |value: &Document| value.as_str().unwrap_or("-").to_owned();
    lines
        .iter()
        .map(|line| {
            ["state", "key", "expected", "found", "difference"]
                .map(|name| text(&line[name]))
                .join(" ")
        })
        .collect()
}

#[tokio::test]
async fn every_line_is_matched_missing_extra_different_or_in_doubt() {
    let served = Served::with(RECONCILING).await;
    let world = &served.world;
    for (payment, amount) in [("PM1", 100), ("PM2", 250), ("PM3", 399), ("PM4", 450)] {
        world.collect(payment, amount).await;
        world.until_state(payment, "delivered").await;
    }
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    world.collect("PM5", 500).await;
    world.until_state("PM5", "uncertain").await;
    served.refused("PM6").await;
    served.refused("PM7").await;
    assert_eq!(world.resolve("PM7", Decision::Discard).await, None);
    pay_out(
        &served,
        &[
            ("PM1", 100),
            ("PM2", 250),
            ("PM3", 400),
            ("PM4", 450),
            ("PM5", 500),
            ("PM6", 100),
            ("PM7", 100),
            ("PM8", 800),
        ],
    );
    {
        // Somebody takes one receipt out and enters another one twice.
        let mut state = world.ledger.state();
        state.receipts.retain(|one| one["reference"] != "PM2");
        let again = state.receipts.iter().find(|one| one["reference"] == "PM4");
        let again = again.unwrap().clone();
        state.receipts.push(again);
    }
    let seen = reconciled(&served).await;
    assert_eq!(
        lines(&seen),
        [
            "matched PM1 1.00 1.00 0.00",
            "missing PM2 2.50 - -2.50",
            "amount_differs PM3 4.00 3.99 -0.01",
            "matched PM4 4.50 4.50 0.00",
            "extra PM4 - 4.50 4.50",
            "in_doubt PM5 5.00 - -5.00",
            "in_doubt PM6 1.00 - -1.00",
            "missing PM7 1.00 - -1.00",
            "missing PM8 8.00 - -8.00",
        ]
    );
    assert_eq!(
        seen["states"],
        json!({ "matched": 2, "missing": 3, "extra": 1, "amount_differs": 1, "in_doubt": 2 })
    );
    assert_eq!(seen["statements"], json!(["PO1"]));
    let sum = &seen["sums"][0];
    assert_eq!(
        (&sum["expected"], &sum["found"], &sum["difference"]),
        (&json!("27.00"), &json!("13.99"), &json!("-13.01"))
    );
    let why = |key: &str| {
        let lines = seen["lines"].as_array().unwrap();
        let line = lines.iter().rev().find(|line| line["key"] == key).unwrap();
        line["why"].as_str().unwrap().to_owned()
    };
    assert!(why("PM2").contains("does not have it"));
    assert!(why("PM4").contains("more than once"));
    assert!(why("PM5").contains("uncertain"));
    assert!(why("PM6").contains("held: value"));
    assert!(why("PM7").contains("discarded"));
    assert!(why("PM8").contains("has had no event of it"));
    // The same by its time.
    let time = json!({ "since": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z" });
    let by_time = served.post(PATH, &time).await.fine();
    assert_eq!(lines(&by_time), lines(&seen));
    served.world.stop().await;
}

#[tokio::test]
async fn what_a_person_had_posted_a_second_time_is_extra() {
    let served = Served::with(RECONCILING).await;
    let world = &served.world;
    world.collect("PM1", 100).await;
    let id = world.until_state("PM1", "delivered").await.id;
    pay_out(&served, &[("PM1", 100)]);
    assert_eq!(
        lines(&reconciled(&served).await),
        ["matched PM1 1.00 1.00 0.00"]
    );
    let path = format!("/api/v1/deliveries/{id}/replay");
    let force = json!({ "force": true, "reason": "reversed by hand" });
    served
        .ask(Some(Role::Admin), "POST", &path, Some(&force))
        .await
        .fine();
    world
        .until_true("it is posted again", async || {
            world.ledger.posted().len() == 2
        })
        .await;
    world.until_state("PM1", "delivered").await;
    assert_eq!(
        lines(&reconciled(&served).await),
        ["matched PM1 1.00 1.00 0.00", "extra PM1 - 1.00 1.00"]
    );
    served.world.stop().await;
}

#[tokio::test]
async fn what_cannot_be_reconciled_is_said_and_nothing_is_half_compared() {
    let served = Served::with(RECONCILING).await;
    let world = &served.world;
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    pay_out(&served, &[("PM1", 100)]);
    let refused =
        async |body: Document, status: u16| served.post(PATH, &body).await.problem(status);
    assert!(refused(json!({}), 400).await.contains("statement"));
    let both = json!({ "statement": "PO1", "since": "2026-03-01T00:00:00Z" });
    refused(both, 400).await;
    refused(json!({ "since": "yesterday" }), 400).await;
    let unknown = json!({ "statement": "PO9" });
    assert!(refused(unknown, 404).await.contains("PO9"));
    let other = json!({ "statement": "PO1", "integration": "nobody" });
    assert!(refused(other, 404).await.contains("nobody"));
    // The target does not answer.
    world
        .ledger
        .fail("GET /receipts", &[Fault::NotSent, Fault::NotSent]);
    let away = refused(json!({ "statement": "PO1" }), 503).await;
    assert!(
        away.contains("cannot read `find_receipts` of `ledger`"),
        "{away}"
    );
    served.world.stop().await;

    let without = Served::new().await;
    let nothing = without.post(PATH, &json!({ "statement": "PO1" })).await;
    assert!(nothing.problem(400).contains("nothing is to be reconciled"));
    without.world.stop().await;
}
