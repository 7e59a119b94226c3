//! Reconciliation of payouts: what GoCardless says against what SYSPRO has, also after people have been there.

use super::super::reconciled::{differences, reconcile, since};
use super::{Cast, FAILURES, PAYOUTS, RECEIPTS, REFUNDS, Story};
use jiff::SignedDuration;
use ml_connector_runtime::operator::{Command, Period, Reconciliation, Reply};
use ml_connector_simulators::serve::lock;
use rust_decimal::Decimal;
use serde_json::Value;

/// Everything since the story began.
async fn all(story: &Story) -> Reconciliation {
    since(story, super::BEGIN).await
}

/// Money comes in and is paid out; then one payment fails late and a part of another is given back, and what is left is
/// paid out too. Gives the payments and how many deliveries that makes.
fn pay_out(cast: &Cast, story: &Story) -> (Vec<String>, usize) {
    let payments = cast.collect(story, 2);
    {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(5);
        for currency in ["GBP", "EUR", "SEK"] {
            collector.pay_out(currency, now).unwrap();
        }
        let later = now + SignedDuration::from_millis(5);
        collector
            .fail(&payments[0], "refer_to_payer", later)
            .unwrap();
        let refund = collector.refund(&payments[3], 400, later).unwrap();
        collector.pay_refund(&refund, later).unwrap();
    }
    let more = cast.collect(story, 2);
    {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(20);
        collector.pay_out("GBP", now).unwrap();
    }
    cast.announce(story);
    let made = cast.events(&[
        ("payments", "confirmed"),
        ("payments", "failed"),
        ("refunds", "paid"),
        ("payouts", "paid"),
    ]);
    (payments.into_iter().chain(more).collect(), made)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_out_is_found_to_the_cent_and_what_people_changed_is_named() {
    let cast = Cast::new();
    let story = cast
        .script_without_books(&[RECEIPTS, FAILURES, REFUNDS, PAYOUTS])
        .start()
        .await;
    let (payments, made) = pay_out(&cast, &story);
    story.all_delivered(made).await;

    let fine = all(&story).await;
    assert!(fine.agrees(), "{:#?}", differences(&fine));
    assert_eq!(fine.statements.len(), 4);
    let kinds = |kind: &str| fine.lines.iter().filter(|line| line.kind == kind).count();
    assert_eq!(
        (kinds("payment"), kinds("failure"), kinds("refund")),
        (8, 1, 1)
    );
    assert_eq!(
        (kinds("withdrawal"), kinds("deposit"), kinds("fees")),
        (4, 4, 4)
    );
    let refund = fine
        .lines
        .iter()
        .find(|line| line.kind == "refund")
        .unwrap();
    assert_eq!(refund.found.as_deref(), Some("-4.00"), "{refund:?}");
    for sum in &fine.sums {
        let difference: Decimal = sum.difference.parse().unwrap();
        assert!(difference.is_zero(), "{sum:?}");
    }
    // One of them, by its id.
    let one = reconcile(&story, Period::Statement(fine.statements[0].clone())).await;
    assert!(one.agrees());
    assert_eq!(one.statements, fine.statements[..1]);

    // At the screen: one receipt is deleted, one corrected by a penny, one entered a second time.
    let reference = |payment: &str| {
        let line = fine.lines.iter().find(|line| line.key == payment).unwrap();
        line.reference.clone().unwrap()
    };
    {
        let mut erp = lock(&cast.erp);
        let company = erp.company_mut("EDU1").unwrap();
        assert_eq!(company.remove_receipt(&reference(&payments[1])), 1);
        company.correct_receipt(&reference(&payments[2]), Decimal::new(1, 2));
        company.repeat_receipt(&reference(&payments[4]));
    }
    let changed = all(&story).await;
    assert!(!changed.agrees());
    let mut wanted = vec![
        format!("missing payment {} -10.01", payments[1]),
        format!("amount_differs payment {} 0.01", payments[2]),
        format!("extra payment {} 10.38", payments[4]),
    ];
    wanted.sort();
    assert_eq!(differences(&changed), wanted);
    let missing = changed.lines.iter().find(|line| line.state == "missing");
    assert!(
        missing
            .unwrap()
            .why
            .as_deref()
            .unwrap()
            .contains("does not have it")
    );
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_been_posted_yet_is_in_doubt_and_what_nobody_posts_is_missing() {
    let cast = Cast::new();
    let story = cast
        .script_without_books(&[RECEIPTS, PAYOUTS])
        .start()
        .await;
    // Nobody has matched the first payer: the receipt is held.
    let (customer, mandate) = cast.ids[0].clone();
    story.set_entry("customers", &customer, Value::Null).await;
    let payment = {
        let mut collector = lock(&cast.collector);
        let now = story.now();
        let asked = now - SignedDuration::from_hours(24 * 7);
        let payment = collector.collect_payment(&mandate, 4950, &[], asked);
        let payment = payment.unwrap();
        collector.confirm(&payment, now).unwrap();
        let later = now + SignedDuration::from_millis(5);
        collector.pay_out("GBP", later).unwrap();
        let after = later + SignedDuration::from_millis(5);
        collector.fail(&payment, "refer_to_payer", after).unwrap();
        payment
    };
    cast.collect(&story, 1);
    {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(20);
        collector.pay_out("EUR", now).unwrap();
    }
    cast.announce(&story);
    let made = cast.events(&[("payments", "confirmed"), ("payouts", "paid")]);
    story.settle(made).await;
    let seen = all(&story).await;
    assert_eq!(
        differences(&seen),
        [format!("in_doubt payment {payment} -49.50")]
    );
    let line = seen
        .lines
        .iter()
        .find(|line| line.state == "in_doubt")
        .unwrap();
    let why = line.why.as_deref().unwrap();
    assert!(why.contains("held: missing_master_data"), "{why}");
    assert!(line.delivery.as_deref().unwrap().starts_with("dlv_"));

    // The failed payment is taken back in a payout, and nothing here posts that.
    {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(40);
        for _ in 0..6 {
            let more = collector.collect_payment(
                &mandate,
                9900,
                &[],
                now - SignedDuration::from_hours(24 * 7),
            );
            collector.confirm(&more.unwrap(), now).unwrap();
        }
        collector.pay_out("GBP", now).unwrap();
    }
    cast.announce(&story);
    let made = cast.events(&[("payments", "confirmed"), ("payouts", "paid")]);
    story.settle(made).await;
    let seen = all(&story).await;
    let missing = seen
        .lines
        .iter()
        .find(|line| line.kind == "failure")
        .unwrap();
    assert_eq!(
        (missing.state.as_str(), missing.key.as_str()),
        ("missing", payment.as_str())
    );
    let why = missing.why.as_deref().unwrap();
    assert!(
        why.contains("does not run `syspro-gocardless/failures`"),
        "{why}"
    );
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchanged_payout_is_compared_in_both_currencies_once_its_rate_is_known() {
    let cast = Cast::new();
    lock(&cast.collector).settings.fx_payout_currency = Some("GBP");
    let story = cast
        .script_without_books(&[RECEIPTS, PAYOUTS])
        .start()
        .await;
    cast.collect(&story, 2);
    let payout = {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(5);
        collector.pay_out("EUR", now).unwrap()
    };
    cast.announce(&story);
    let made = cast.events(&[("payments", "confirmed"), ("payouts", "paid")]);
    story.settle(made).await;
    assert!(all(&story).await.lines.is_empty(), "its rate is not known");
    let early = Command::Reconcile {
        integration: None,
        period: Period::Statement(payout.clone()),
    };
    let refused = story.engine().execute(early).await;
    let Reply::Refused { error, .. } = refused else {
        panic!("{refused:?}")
    };
    assert!(error.contains("not reconciled as it stands"), "{error}");

    {
        let mut collector = lock(&cast.collector);
        let now = story.now() + SignedDuration::from_millis(20);
        let rate = Decimal::new(8571, 4);
        collector.confirm_fx(&payout, rate, now).unwrap();
    }
    cast.announce(&story);
    story.settle(made + 1).await;
    let seen = reconcile(&story, Period::Statement(payout.clone())).await;
    assert!(seen.agrees(), "{:#?}", seen.lines);
    let of = |kind: &str| {
        let line = seen.lines.iter().find(|line| line.kind == kind).unwrap();
        (line.currency.clone(), line.found.clone().unwrap())
    };
    let (out, away) = of("withdrawal");
    let (into, arrived) = of("deposit");
    assert_eq!((out.as_str(), into.as_str()), ("EUR", "GBP"));
    let exchanged = away.parse::<Decimal>().unwrap() * Decimal::new(8571, 4);
    assert_eq!(arrived.parse::<Decimal>().unwrap(), exchanged.round_dp(2));
    story.end().await;
}
