//! Reconciliation of payouts: what GoCardless says against the receipts, also after people have been there.

use super::super::reconciled::{differences, line, since};
use super::{BEGIN, Cast, INVOICES, PEOPLE, RECEIPTS, REVERSALS, reach};
use jiff::SignedDuration;
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::gocardless::Kind;
use ml_connector_simulators::oracle_ebs::Switches;
use ml_connector_simulators::serve::lock;
use rust_decimal::Decimal;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_out_is_found_to_the_cent_and_what_people_changed_is_named() {
    let cast = Cast::new(Switches::default());
    let story = cast.script("package").start().await;
    let amounts = ["250", "79.9", "60", "45", "1234.56", "99"];
    for (at, amount) in amounts.iter().enumerate() {
        cast.invoice(PEOPLE[at % 2].0, &format!("INV-{at}"), amount, story.now());
    }
    reach(&story, INVOICES, StateKind::Delivered, 6).await;
    let payments = cast.collect(&story);
    cast.announce(&story);
    // The imports take their time: nobody can say yet.
    story.pass(SignedDuration::from_mins(1)).await;
    let early = since(&story, BEGIN).await;
    assert_eq!(early.states["in_doubt"], 6, "{:#?}", early.lines);
    reach(&story, RECEIPTS, StateKind::Delivered, 6).await;
    let fine = since(&story, BEGIN).await;
    assert!(fine.agrees(), "{:#?}", fine.lines);
    assert_eq!(fine.lines.len(), 6);

    // One fails late, one is given back whole, and of one a part, which is a person's.
    let (whole, part) = {
        let mut collector = lock(&cast.collector);
        let now = story.now();
        collector.fail(&payments[0], "refer_to_payer", now).unwrap();
        let amount = collector.resource(Kind::Payments, &payments[2]).unwrap();
        let amount = amount["amount"].as_i64().unwrap();
        let whole = collector.refund(&payments[2], amount, now).unwrap();
        collector.pay_refund(&whole, now).unwrap();
        let part = collector.refund(&payments[3], 100, now).unwrap();
        collector.pay_refund(&part, now).unwrap();
        (whole, part)
    };
    cast.announce(&story);
    reach(&story, REVERSALS, StateKind::Delivered, 2).await;
    reach(&story, REVERSALS, StateKind::Held, 1).await;
    for number in 0..3 {
        cast.invoice(PEOPLE[0].0, &format!("INV-L{number}"), "500", story.now());
    }
    reach(&story, INVOICES, StateKind::Delivered, 9).await;
    cast.collect(&story);
    cast.announce(&story);
    reach(&story, RECEIPTS, StateKind::Delivered, 9).await;
    let seen = since(&story, BEGIN).await;
    assert_eq!(differences(&seen), [format!("in_doubt refund {part} 1.00")]);
    for (kind, key) in [("failure", &payments[0]), ("refund", &whole)] {
        let line = line(&seen, kind, key);
        assert_eq!(line.state, "matched", "{line:?}");
        assert!(line.found.as_deref().unwrap().starts_with('-'), "{line:?}");
    }

    // At the screen: one receipt is deleted, one changed by a penny, one entered a second time.
    let reference = |payment: &str| line(&seen, "payment", payment).reference.clone().unwrap();
    let amount = |payment: &str| line(&seen, "payment", payment).expected.clone().unwrap();
    {
        let mut erp = lock(&cast.erp);
        assert_eq!(erp.remove_receipt(&reference(&payments[1])), 1);
        erp.correct_receipt(&reference(&payments[4]), Decimal::new(-1, 2));
        erp.repeat_receipt(&reference(&payments[5]));
    }
    let mut wanted = vec![
        format!("missing payment {} -{}", payments[1], amount(&payments[1])),
        format!("amount_differs payment {} -0.01", payments[4]),
        format!("extra payment {} {}", payments[5], amount(&payments[5])),
        format!("in_doubt refund {part} 1.00"),
    ];
    wanted.sort();
    assert_eq!(differences(&since(&story, BEGIN).await), wanted);
}
