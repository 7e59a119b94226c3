//! Polls and deliveries by the calendar. The tests begin on Monday 16 March 2026 at 08:00 in London, where clocks go on
//! on Sunday 29 March.

use super::world::World;
use crate::operator::view::CountsView;
use crate::operator::{Command, Reply};
use ml_connector_core::delivery::StateKind;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Weekdays at six, in London.
const BY_CALENDAR: (&str, &str) = (
    "every: 10m",
    "at: { cron: \"0 6 * * 1-5\", zone: Europe/London }",
);
/// The same for the site alone.
const HERE: (&str, &str) = (
    "    connector: payfast\n",
    "    connector: payfast\n    poll: { sweep: { at: { cron: \"0 6 * * 1-5\", zone: Europe/London } } }\n",
);
/// Deliveries from eight to ten in the evening.
const EVENINGS: (&str, &str) = (
    "retry: { first: 5s,",
    "schedule: { cron: \"0 20 * * *\", zone: Europe/London, lasts: 2h }\nretry: { first: 5s,",
);

async fn polled(world: &World, times: u64) {
    world
        .until_true("it has polled", async || {
            world.engine().counters().polls >= times
        })
        .await;
    assert_eq!(world.engine().counters().polls, times);
}

/// No other poll is made.
async fn quiet(world: &World, times: u64) {
    world.idle().await;
    assert_eq!(world.engine().counters().polls, times);
}

#[tokio::test]
async fn a_poll_by_the_calendar_asks_at_its_times_only() {
    for change in [BY_CALENDAR, HERE] {
        let world = World::with(&[change]).await;
        polled(&world, 1).await;
        // The first one was made at once, at eight. The next is due tomorrow at six.
        world.advance((22 * HOUR).saturating_sub(SECOND)).await;
        quiet(&world, 1).await;
        world.advance(SECOND).await;
        polled(&world, 2).await;
        // From Friday on, nothing before Monday.
        for n in 3..=5 {
            world.advance(DAY).await;
            polled(&world, n).await;
        }
        world.advance(2 * DAY).await;
        quiet(&world, 5).await;
        world.advance(DAY).await;
        polled(&world, 6).await;
        // On 30 March six o'clock in London is five o'clock in Greenwich: an hour earlier than the Monday before.
        for _ in 0..4 {
            let next = world.engine().counters().polls + 1;
            world.advance(DAY).await;
            polled(&world, next).await;
        }
        world.advance((3 * DAY).saturating_sub(HOUR + SECOND)).await;
        quiet(&world, 10).await;
        world.advance(SECOND).await;
        polled(&world, 11).await;
        world.stop().await;
    }
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_once_and_nothing_else_is_polled_at_a_start() {
    let mut world = World::with(&[BY_CALENDAR]).await;
    quiet(&world, 1).await;
    // Back in the afternoon of the same day: nothing was missed.
    world.away_for(6 * HOUR).await;
    quiet(&world, 0).await;
    // Four mornings were missed.
    world.away_for(4 * DAY).await;
    polled(&world, 1).await;
    quiet(&world, 1).await;
    // Friday, two in the afternoon: the next is due on Monday.
    world.advance(2 * DAY + 15 * HOUR).await;
    quiet(&world, 1).await;
    world.advance(HOUR).await;
    polled(&world, 2).await;
    world.stop().await;
}

#[tokio::test]
async fn a_poll_by_the_calendar_that_fails_is_tried_again_until_it_is_made() {
    let world = World::with(&[BY_CALENDAR]).await;
    polled(&world, 1).await;
    let away = vec![super::systems::Fault::Status(503, None); 2];
    world.payments.fail("GET /events", &away);
    world.advance(22 * HOUR).await;
    world
        .while_time_passes("it is made up for", SECOND, async || {
            (world.engine().counters().polls == 2).then_some(())
        })
        .await;
    assert!(world.engine().counters().polls_failed >= 1);
    world.stop().await;
}

/// Moves on by more than the ten minutes between two polls, and waits for the poll that came due.
async fn move_on(world: &World, by: Duration) {
    let polls = world.engine().counters().polls;
    world.advance(by).await;
    polled(world, polls + 1).await;
}

/// When the window opens for which deliveries wait, as the status says it.
async fn opens_at(world: &World) -> Option<String> {
    let Reply::Status(status) = world.engine().execute(Command::Status).await else {
        panic!("not a status");
    };
    let view = CountsView::of_status(&status.instances[0]);
    view.opens_at.map(|at| at.to_string())
}

#[tokio::test]
async fn deliveries_are_made_while_a_window_is_open_and_wait_for_the_next() {
    let world = World::with(&[EVENINGS]).await;
    world.collect("PM1", 100).await;
    move_on(&world, (12 * HOUR).saturating_sub(SECOND)).await;
    assert_eq!(world.state("PM1").await.kind(), StateKind::Pending);
    assert!(
        world.ledger.posted().is_empty(),
        "nothing is sent before eight"
    );
    assert_eq!(world.delivery("PM1").await.progress.attempts, 0);
    assert_eq!(
        opens_at(&world).await.as_deref(),
        Some("2026-03-16T20:00:00Z"),
        "the status says for what it waits"
    );
    world.advance(SECOND).await;
    world.until_state("PM1", "delivered").await;
    assert_eq!(opens_at(&world).await, None, "while it is open");
    // An hour later it is still open.
    move_on(&world, HOUR).await;
    world.collect("PM2", 100).await;
    world.until_state("PM2", "delivered").await;
    // At ten it closes.
    move_on(&world, HOUR).await;
    world.collect("PM3", 100).await;
    quiet(&world, world.engine().counters().polls).await;
    assert_eq!(world.state("PM3").await.kind(), StateKind::Pending);
    move_on(&world, 22 * HOUR).await;
    world.until_state("PM3", "delivered").await;
    assert_eq!(world.ledger.posted().len(), 3);
    world.stop().await;
}

#[tokio::test]
async fn a_site_opens_other_windows_or_all_of_the_day() {
    let always = (
        "use: payfast-netledger/receipts",
        "use: payfast-netledger/receipts\n    schedule: none",
    );
    let world = World::with(&[EVENINGS, always]).await;
    world.collect("PM1", 100).await;
    world.until_state("PM1", "delivered").await;
    world.stop().await;
    let mornings = (
        "use: payfast-netledger/receipts",
        "use: payfast-netledger/receipts\n    schedule: { cron: \"30 8 * * *\", zone: Europe/London, lasts: 1h }",
    );
    let world = World::with(&[EVENINGS, mornings]).await;
    world.collect("PM1", 100).await;
    move_on(&world, (HOUR / 2).saturating_sub(SECOND)).await;
    assert!(world.ledger.posted().is_empty());
    world.advance(SECOND).await;
    world.until_state("PM1", "delivered").await;
    world.stop().await;
}
