//! What comes after a journal was made: late, changed, undone and reprinted checks.

use super::{Cast, SITE, money};
use jiff::SignedDuration;
use ml_connector_core::delivery::StateKind;
use ml_connector_simulators::paychex::{self, PeriodStatus, ReversalSign};
use ml_connector_simulators::serve::lock;
use rust_decimal::Decimal;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reversed_period_is_undone_after_it_was_posted() {
    for reversal in [ReversalSign::Negative, ReversalSign::Positive] {
        let switches = paychex::Switches {
            reversal,
            ..paychex::Switches::default()
        };
        let cast = Cast::with(switches);
        let story = cast.mapped(SITE).start().await;
        let period = cast.pay(4, story.now());
        cast.posted(&story, 4, 1).await;
        lock(&cast.payroll)
            .reverse(&period, &[], story.now())
            .unwrap();
        cast.posted(&story, 8, 2).await;
        story.pass(SignedDuration::from_hours(2)).await;
        cast.posted(&story, 8, 2).await;
        story.end().await;
    }
}

/// Ten more for the worker, of which two are withheld.
fn raise(check: &mut paychex::Check) {
    check.earnings[0].amount += money("10");
    check.taxes[0].amount += money("2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_changed_after_it_was_posted_is_noticed() {
    let cast = Cast::new();
    let site = SITE.replace("      changes: post\n", "");
    let story = cast.mapped(&site).start().await;
    let period = cast.pay(4, story.now());
    cast.posted(&story, 4, 1).await;
    let id = lock(&cast.payroll).checks(&period)[1].id.clone();
    lock(&cast.payroll).amend_check(&id, raise);
    let held = story.settle(5).await;
    assert_eq!(cast.journals(), 1);
    assert_eq!(held[4].state.kind(), StateKind::Held);
    let holds = story.holds().await;
    assert_eq!(
        holds[0].why,
        "a check says something else than what was posted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_changed_and_undone_checks_make_their_own_corrections() {
    let cast = Cast::new();
    let story = cast.mapped(SITE).start().await;
    let period = cast.pay(6, story.now());
    cast.posted(&story, 6, 1).await;
    let ids: Vec<String> = lock(&cast.payroll)
        .checks(&period)
        .iter()
        .map(|own| own.id.clone())
        .collect();
    // Changed, and changed again before the correction is made: one correction of the difference.
    lock(&cast.payroll).amend_check(&ids[1], raise);
    cast.posted(&story, 7, 2).await;
    lock(&cast.payroll).amend_check(&ids[1], raise);
    lock(&cast.payroll).amend_check(&ids[2], raise);
    cast.posted(&story, 9, 3).await;
    let smallest = {
        let erp = lock(&cast.erp);
        erp.company("EDU1").unwrap().gl_journals()[1].lines.clone()
    };
    let amounts: Vec<Decimal> = smallest.iter().map(|line| line.amount).collect();
    assert_eq!(amounts, [money("-8"), money("-2"), money("10")]);
    // One that comes late.
    let late = cast.lines(77);
    lock(&cast.payroll).add_check(&period, &cast.workers[20], late);
    cast.posted(&story, 10, 4).await;
    // One that is undone: its opposite stands in a period of its own.
    lock(&cast.payroll)
        .reverse(&period, &[&ids[0]], story.now())
        .unwrap();
    cast.posted(&story, 11, 5).await;
    // Other numbers are printed on them, and nothing else: the ledger has nothing to say about that.
    lock(&cast.payroll).reissue(&period, story.now());
    story.pass(SignedDuration::from_hours(5)).await;
    cast.posted(&story, 11, 5).await;
    lock(&cast.payroll).complete(&period, PeriodStatus::Reversed, story.now());
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_vanishes_from_a_posted_period_is_noticed_and_taken_back() {
    let cast = Cast::new();
    let since = "periods_since: \"2026-01-01\"";
    let site = SITE.replace(since, &format!("{since}, window_days: 35"));
    let story = cast.mapped(&site).start().await;
    let period = cast.pay(6, story.now());
    cast.posted(&story, 6, 1).await;
    let id = lock(&cast.payroll).checks(&period)[2].id.clone();
    let check = lock(&cast.payroll).remove_check(&id).unwrap();
    cast.posted(&story, 7, 2).await;
    // It is there again, and gone for good.
    lock(&cast.payroll).put_back(check);
    cast.posted(&story, 8, 3).await;
    lock(&cast.payroll).remove_check(&id).unwrap();
    cast.posted(&story, 9, 4).await;
    // What is too old to be read is not gone: days later the period is in no list any more.
    story.pass(SignedDuration::from_hours(24 * 8)).await;
    cast.posted(&story, 9, 4).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_vanishes_is_held_until_somebody_has_looked() {
    let cast = Cast::new();
    let site = SITE.replace("      changes: post\n", "");
    let story = cast.mapped(&site).start().await;
    let period = cast.pay(4, story.now());
    cast.posted(&story, 4, 1).await;
    let id = lock(&cast.payroll).checks(&period)[1].id.clone();
    lock(&cast.payroll).remove_check(&id).unwrap();
    let all = story.settle(5).await;
    assert_eq!((all[4].state.kind(), cast.journals()), (StateKind::Held, 1));
    assert_eq!(
        story.holds().await[0].why,
        "a check that was posted is not in its pay period any more"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_has_no_more_lines_than_the_ledger_takes() {
    let cast = Cast::new();
    let story = cast.mapped(SITE).start().await;
    let period = cast.enter(0);
    for worker in &cast.workers[..3] {
        let mut lines = cast.lines(1);
        // Split over thousands of assignments, as nobody does.
        let line = lines.earnings[0].clone();
        lines.earnings = vec![line; 3400];
        lock(&cast.payroll)
            .enter_check(&period, worker, lines)
            .unwrap();
    }
    lock(&cast.payroll).complete(&period, PeriodStatus::Completed, story.now());
    cast.posted(&story, 3, 2).await;
    story.end().await;
}
