//! From an event to what is written, tried with an invented pairing.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test may take the short way: what it does not expect, it shows"
)]

use super::*;
use crate::definition::site::Site;
use crate::delivery::Receipt;
use crate::identity::{CrosswalkId, DeliveryId};
use crate::plan::Library;
use crate::source::SourceSet;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::OnceLock;

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let mut sources = SourceSet::new();
        for (name, text) in [
            (
                "connectors/payfast/connector.yaml",
                include_str!("../../protocol/tests/payfast.yaml"),
            ),
            (
                "connectors/netledger/connector.yaml",
                include_str!("../../protocol/tests/netledger.yaml"),
            ),
            (
                "mappings/netledger-payfast/receipts.yaml",
                include_str!("receipts.yaml"),
            ),
            (
                "mappings/netledger-payfast/accounts.yaml",
                include_str!("accounts.yaml"),
            ),
        ] {
            sources.add(name, text);
        }
        let site = sources.add("site.yaml", include_str!("site.yaml"));
        let show = |findings: crate::diagnostic::Findings| {
            let findings = findings.sorted(&sources).into_iter();
            let shown =
                findings.map(|one| format!("{} {}", sources.show(one.primary.span), one.message));
            let shown: Vec<_> = shown.collect();
            assert!(shown.is_empty(), "{shown:#?}");
        };
        let (library, findings) = Library::load(&sources);
        show(findings);
        let (site, findings) = Site::load(&sources, site);
        show(findings);
        let (plan, findings) = Plan::bind(&library, &site.unwrap());
        show(findings);
        plan
    })
}

fn instance(name: &str) -> &'static Instance {
    &plan().instances[name]
}

fn event() -> Document {
    json!({ "id": "EV1", "kind": "payments", "action": "paid", "links": { "payment": "PM1", "payer": "CU1" } })
}

fn payment() -> Document {
    json!({ "id": "PM1", "amount": 4950, "currency": "GBP", "payer": "CU1" })
}

fn customer() -> Document {
    json!({ "code": "0000417", "currency": "GBP" })
}

/// Runs a preparation with these answers by name of need; gives what was asked and the end.
fn prepare(event: &Document, supplies: &[Supply]) -> (Vec<String>, Next) {
    let mut preparation = Preparation::new(instance("north"), event);
    let mut asked = Vec::new();
    for supply in supplies {
        match preparation.next() {
            Next::Read {
                connection,
                operation,
                input,
            } => {
                asked.push(format!("{connection}.{operation} {input}"));
            }
            Next::Crosswalk { table, key } => asked.push(format!("{table}[{key}]")),
            Next::Delivery { integration, by } => asked.push(format!("{integration} {by:?}")),
            end => return (asked, end),
        }
        assert!(preparation.needs().is_some());
        preparation.supply(supply.clone());
    }
    let end = preparation.next();
    assert_eq!(preparation.next(), end, "an end stays");
    (asked, end)
}

fn found(document: Document) -> Supply {
    Supply::Found(document)
}

fn missing(why: &str) -> Supply {
    Supply::Missing {
        awaits: None,
        why: why.to_owned(),
    }
}

fn lasting(next: &Next) -> (Class, &str, &str, Option<&Awaited>) {
    match next {
        Next::Trouble(Trouble::Lasting {
            class,
            why,
            help,
            awaits,
        }) => (*class, why, help, awaits.as_ref()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_are_routed_by_their_own_words() {
    let north = instance("north");
    assert_eq!(
        route(north, "EV1", &event()),
        Route::Mine {
            dedup_key: DedupKey::new("EV1"),
            order_key: Some(OrderKey::new("PM1")),
            joins: None,
        }
    );
    let mut other = event();
    other["action"] = "failed".into();
    assert_eq!(route(north, "EV1", &other), Route::NotMine);
    let mut bare = event();
    bare["links"] = json!({});
    assert!(matches!(
        route(north, "EV1", &bare),
        Route::Mine {
            order_key: None,
            ..
        }
    ));
    let routing_event = event();
    let routing = Routing::new("EV1", &routing_event);
    assert_eq!(routing.route(instance("north-accounts")), Route::NotMine);
}

#[test]
fn an_event_that_cannot_be_told_is_kept_and_held() {
    for broken in [
        json!({}),
        json!(null),
        json!([1]),
        json!({ "kind": "payments" }),
        json!({ "kind": 3 }),
    ] {
        let Route::Failed { dedup_key, trouble } = route(instance("north"), "EV9", &broken) else {
            panic!("{broken}")
        };
        assert_eq!(dedup_key.as_str(), "unrouted event EV9");
        assert!(matches!(
            trouble,
            Trouble::Lasting {
                class: Class::Value,
                ..
            }
        ));
    }
    let mut empty = event();
    empty["id"] = "".into();
    assert!(matches!(
        route(instance("north"), "EV9", &empty),
        Route::Failed { .. }
    ));
}

#[test]
fn a_record_asks_for_what_it_needs_and_is_mapped() {
    let event = event();
    let (asked, end) = prepare(
        &event,
        &[missing("none"), found(payment()), found(customer())],
    );
    assert_eq!(
        asked,
        [
            "netledger-payfast/accounts DedupKey(DedupKey(\"CU1\"))",
            "pay_north.get {\"id\":\"PM1\"}",
            "customers_north[CU1]"
        ]
    );
    let Next::Ready(prepared) = end else {
        panic!("{end:?}")
    };
    assert_eq!(prepared.connection.as_str(), "ledger_north");
    assert_eq!(prepared.operation, "post");
    assert_eq!(prepared.reference.unwrap().as_str(), "PM1");
    assert_eq!(
        prepared.input.to_string(),
        r#"{"customer":"0000417","amount":49.50,"lines":[]}"#
    );
}

#[test]
fn a_read_may_depend_on_another() {
    let event = event();
    let mut payment = payment();
    payment["extra"] = "PM2".into();
    let before = [missing("none"), found(payment), found(customer())];
    let (asked, end) = prepare(
        &event,
        &[&before[..], &[found(json!({ "text": "hello" }))]].concat(),
    );
    assert_eq!(asked.last().unwrap(), "pay_north.get {\"id\":\"PM2\"}");
    let Next::Ready(prepared) = end else {
        panic!("{end:?}")
    };
    assert_eq!(
        prepared.input["lines"],
        json!([{ "no": 1, "text": "hello" }])
    );
    let (_, end) = prepare(&event, &[&before[..], &[missing("gone")]].concat());
    assert_eq!(
        end,
        Next::Skip {
            reason: "`extra`: gone".to_owned()
        }
    );
}

#[test]
fn rules_are_asked_as_soon_as_they_can_be() {
    let mut test = event();
    test["test"] = true.into();
    assert_eq!(
        prepare(&test, &[]),
        (
            Vec::new(),
            Next::Skip {
                reason: "a test from EV1".to_owned()
            }
        )
    );
    let event = event();
    let mut nothing = payment();
    nothing["amount"] = 0.into();
    let (asked, end) = prepare(&event, &[missing("none"), found(nothing)]);
    assert_eq!(asked.len(), 2, "the crosswalk is not asked");
    assert_eq!(
        end,
        Next::Skip {
            reason: "nothing was collected".to_owned()
        }
    );
    let euro = json!({ "code": "1", "currency": "EUR" });
    let (_, end) = prepare(&event, &[missing("none"), found(payment()), found(euro)]);
    assert_eq!(
        lasting(&end),
        (
            Class::Value,
            "the payment is in GBP",
            "correct the crosswalk",
            None
        )
    );
}

#[test]
fn several_entries_are_read_key_by_key_and_each_is_waited_for() {
    let event = json!({ "id": "CU1", "kind": "payers", "action": "made" });
    let mut preparation = Preparation::new(instance("north-accounts"), &event);
    let asked = |key: &str| Next::Crosswalk {
        table: CrosswalkId::new("customers"),
        key: key.to_owned(),
    };
    assert_eq!(preparation.next(), asked("CU1"));
    preparation.supply(found(json!({ "code": "1" })));
    assert_eq!(preparation.next(), asked("CU2"));
    let mut complete = Preparation::new(instance("north-accounts"), &event);
    complete.next();
    complete.supply(found(json!({ "code": "1" })));
    complete.next();
    complete.supply(found(json!({ "code": "2" })));
    let Next::Ready(ready) = complete.next() else {
        panic!("not ready");
    };
    assert_eq!(ready.input["customer"], "12");

    preparation.supply(missing("`customers` has no entry for `CU2`"));
    let end = preparation.next();
    let (class, why, help, awaits) = lasting(&end);
    assert_eq!(class, Class::MissingMasterData);
    assert_eq!(why, "`owners`: `customers` has no entry for `CU2`");
    assert_eq!(help, "ml-connector crosswalk set customers CU2 code=…");
    let entry = Awaited::Crosswalk {
        table: CrosswalkId::new("customers"),
        key: "CU2".to_owned(),
    };
    assert_eq!(awaits, Some(&entry));
}

#[test]
fn what_is_missing_says_what_would_release_it() {
    let event = event();
    let (_, end) = prepare(&event, &[missing("none"), missing("no such payment")]);
    let (class, why, help, awaits) = lasting(&end);
    assert_eq!(class, Class::MissingMasterData);
    assert_eq!(why, "`payment`: no such payment");
    assert_eq!(help, "look for it in `payfast`, then retry it");
    assert_eq!(awaits, None);
    let (table, key) = (CrosswalkId::new("customers_north"), "CU1".to_owned());
    let column = |column: &str| Awaited::Column {
        table: table.clone(),
        key: key.clone(),
        column: column.to_owned(),
    };
    let entry = Awaited::Crosswalk {
        table: table.clone(),
        key: key.clone(),
    };
    for (customer, why, awaited) in [
        (
            missing("`customers_north` has no entry for `CU1`"),
            "`customer`: `customers_north` has no entry for `CU1`",
            entry,
        ),
        (
            found(json!({ "code": "1" })),
            "`customer`: `customer` has no `currency`",
            column("currency"),
        ),
        (
            found(json!({ "code": "", "currency": "GBP" })),
            "`customer`: `customer` has no `code`",
            column("code"),
        ),
    ] {
        let (_, end) = prepare(&event, &[missing("none"), found(payment()), customer]);
        let (_, said, help, awaits) = lasting(&end);
        assert_eq!(said, why);
        assert_eq!(
            help,
            "ml-connector crosswalk set customers_north CU1 code=… currency=…"
        );
        assert_eq!(awaits, Some(&awaited));
    }
    let mut odd = payment();
    odd["payer"] = "it's $HOME".into();
    let (_, end) = prepare(&event, &[missing("none"), found(odd), missing("no")]);
    assert!(
        lasting(&end)
            .2
            .contains(r"customers_north 'it'\''s $HOME' code=…")
    );
}

#[test]
fn what_is_not_finished_is_waited_for() {
    let event = event();
    let awaits = Awaited::Delivery {
        delivery: DeliveryId(7),
    };
    let not_yet = Supply::NotYet {
        awaits: awaits.clone(),
        why: "dlv_7 waits".to_owned(),
    };
    let (_, end) = prepare(&event, &[not_yet]);
    assert_eq!(lasting(&end).3, Some(&awaits));
    let passing = Trouble::Passing {
        class: Class::Intermittent,
        why: "away".to_owned(),
        after: None,
    };
    let (_, end) = prepare(&event, &[Supply::Failed(passing.clone())]);
    assert_eq!(end, Next::Trouble(passing));
}

#[test]
fn nothing_unfit_is_ready() {
    let event = event();
    let end = |payment: Document, customer: Document| {
        let (_, end) = prepare(&event, &[missing("none"), found(payment), found(customer)]);
        lasting(&end).1.to_owned()
    };
    let with = |name: &str, value: Document| {
        let mut payment = payment();
        payment[name] = value;
        payment
    };
    let long = json!({ "code": "12345678901234567890", "currency": "GBP" });
    assert_eq!(
        end(payment(), long),
        "input of `post`: `customer` is longer than 15 characters"
    );
    assert_eq!(
        end(with("id", "PM123456789".into()), customer()),
        "sink.reference: it is longer than 10 bytes"
    );
    assert_eq!(
        end(with("id", "Łódź".into()), customer()),
        "sink.reference: it has characters that windows-1252 lacks"
    );
    assert_eq!(
        end(with("id", " PM1".into()), customer()),
        "sink.reference: it is empty or has white space at its ends"
    );
    assert!(
        end(with("amount", json!("4950")), customer())
            .starts_with("skip.when: `payment.amount == 0`: a number is compared")
    );
    assert_eq!(
        end(
            with("currency", "GPB".into()),
            json!({ "code": "1", "currency": "GPB" })
        ),
        "sink.fields.amount: `{{ payment.amount | from_minor(payment.currency) }}`: `GPB` is not an ISO 4217 currency code"
    );
    let (_, end) = prepare(&event, &[missing("none"), found(json!({ "id": "PM1" }))]);
    assert_eq!(
        lasting(&end).1,
        "skip.when: `payment.amount == 0`: `payment` has no `amount`"
    );
}

#[test]
fn success_is_remembered() {
    let event = event();
    let mut preparation = Preparation::new(instance("north"), &event);
    for supply in [
        found(json!({ "account": "A1" })),
        found(payment()),
        found(customer()),
    ] {
        preparation.next();
        preparation.supply(supply);
    }
    assert!(matches!(preparation.next(), Next::Ready(_)));
    let receipt = Receipt(BTreeMap::from([("journal".to_owned(), json!("512"))]));
    assert_eq!(
        preparation.remember(&receipt).unwrap(),
        [(
            CrosswalkId::new("receipts"),
            "PM1".to_owned(),
            json!({ "journal": "512", "opened": "A1" })
        )]
    );
    assert!(preparation.remember(&Receipt::default()).is_err());
}

#[test]
fn customers_of_one_site_stay_apart() {
    let accounts = IntegrationId::new("netledger-payfast/accounts");
    let found = instances_of(plan(), instance("north"), &accounts);
    assert_eq!(found, [InstanceId::new("north-accounts")]);
    let key = required_key(
        &instance("north").integration.requires[0].by,
        "CU1".to_owned(),
    );
    assert_eq!(key, RequiredKey::DedupKey(DedupKey::new("CU1")));
}

#[test]
fn idempotency_keys_do_not_change() {
    let key = |instance: &str, dedup: &str, length| {
        idempotency_key(&InstanceId::new(instance), &DedupKey::new(dedup), length)
    };
    // Stored requests depend on it: if this changes, a retry after an upgrade posts twice.
    assert_eq!(
        key("north", "EV1", 128),
        "9460af27a3dd93d43f1b0784cf2ceb00b4227f7fee8bd6cb4c0df08e54cb6302"
    );
    assert_eq!(key("north", "EV1", 20), "9460af27a3dd93d43f1b");
    assert_ne!(key("north", "EV1", 64), key("northE", "V1", 64));
}

proptest! {
    #[test]
    fn keys_are_distinct_and_fit(a in "\\PC{0,12}", b in "\\PC{0,12}", c in "\\PC{0,12}", d in "\\PC{0,12}", length in 16_u32..200) {
        let one = idempotency_key(&InstanceId::new(&a), &DedupKey::new(&b), length);
        let other = idempotency_key(&InstanceId::new(&c), &DedupKey::new(&d), length);
        prop_assert_eq!(one == other, (a, b) == (c, d));
        prop_assert!(one.len() <= length as usize && one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn odd_events_never_panic(id in "\\PC{0,8}", n in any::<i64>(), s in "\\PC{0,8}") {
        for event in [json!({ "kind": "payments", "action": "paid", "id": s, "links": n }), json!({ "kind": n }), json!(n), json!([s])] {
            drop(route(instance("north"), &id, &event));
            let mut preparation = Preparation::new(instance("north"), &event);
            for _ in 0..6 {
                preparation.next();
                preparation.supply(Supply::Found(json!({ "id": s, "amount": n })));
            }
        }
    }
}
