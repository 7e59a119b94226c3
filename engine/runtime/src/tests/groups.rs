//! Several events that make one delivery.

use super::systems::Fault;
use super::world::{Changes, World, event};
use ml_connector_core::delivery::{DeliveryState, StateKind};
use ml_connector_store::Delivery;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Everything that is collected for a day makes one receipt.
const BY_DAY: Changes<'static> = &[
    ("order_key: \"{{ event.payment }}\"", "AGGREGATE"),
    (
        "AGGREGATE\nfetch:",
        "aggregate:\n  key: \"{{ event.at[:10] }}\"\n  quiet: 10m\n  max: 2h\n  \
         events_max: 3\nfetch:",
    ),
    (
        "with: { id: \"{{ event.payment }}\" }",
        "with: { id: \"{{ events[0].payment }}\" }",
    ),
    (
        "reference: \"{{ payment.id }}\"",
        "reference: \"{{ group.key }}-{{ group.number }}\"",
    ),
    (
        "note: \"for {{ payment.customer }}\"",
        "note: \"{{ group.count }} of {{ group.total }}\"",
    ),
];

async fn of_day(world: &World) -> Vec<Delivery> {
    let mut all = world.deliveries().await;
    all.retain(|one| one.state.kind() != StateKind::Joined);
    all
}

async fn until_posted(world: &World, references: &[&str]) {
    world
        .while_time_passes("they are posted", MINUTE, async || {
            (world.ledger.posted() == references).then_some(())
        })
        .await;
    world
        .until_true("they are delivered", async || {
            let all = of_day(world).await;
            all.iter()
                .all(|one| one.state.kind() == StateKind::Delivered)
        })
        .await;
}

#[tokio::test]
async fn events_of_a_group_make_one_delivery_and_late_ones_another() {
    let world = World::with(BY_DAY).await;
    for id in ["PM1", "PM2"] {
        world.collect(id, 4950).await;
    }
    let all = world.deliveries().await;
    let first = all.first().unwrap().id;
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].state, DeliveryState::Joined { into: first });
    assert!(world.ledger.posted().is_empty(), "it waits for more");
    let day = &world.now().to_string()[..10];
    let (one, two) = (format!("{day}-1"), format!("{day}-2"));
    until_posted(&world, &[&one]).await;
    world.webhook(&[event("EV-PM2", "PM2")]).await;
    world.collect("PM3", 4950).await;
    until_posted(&world, &[&one, &two]).await;
    let counts = world.store().counts().await.unwrap();
    let counts = &counts.first().unwrap().1;
    assert_eq!(counts.received, 3);
    assert_eq!(counts.states.iter().sum::<u64>(), 3);
    world.stop().await;
}

#[tokio::test]
async fn a_full_group_is_followed_by_the_next_and_none_is_lost_by_a_crash() {
    let mut world = World::with(BY_DAY).await;
    world.ledger.fail("POST /receipts", &[Fault::CutAfter]);
    for id in ["PM1", "PM2", "PM3", "PM4"] {
        world.collect(id, 4950).await;
        world.crash_and_restart().await;
    }
    let day = &world.now().to_string()[..10];
    let (one, two) = (format!("{day}-1"), format!("{day}-2"));
    until_posted(&world, &[&one, &two]).await;
    let all = world.deliveries().await;
    let joined = all
        .iter()
        .filter(|one| one.state.kind() == StateKind::Joined);
    assert_eq!(joined.count(), 2);
    world.stop().await;
}

#[tokio::test]
async fn a_group_that_a_system_does_not_call_complete_waits_until_its_end() {
    let complete = "events_max: 3\n  complete: { operation: payfast.get_payment, with: { id: \"{{ 'PM' ~ group.count \
                    }}\" }, when: \"result.amount == 2\" }\nfetch:";
    let mut changes = BY_DAY.to_vec();
    changes.push(("events_max: 3\nfetch:", complete));
    let world = World::with(&changes).await;
    world.collect("PM1", 1).await;
    for _ in 0..30 {
        world.advance(MINUTE).await;
        tokio::task::yield_now().await;
    }
    assert!(
        world.ledger.posted().is_empty(),
        "one of two is not complete"
    );
    world.collect("PM2", 2).await;
    let day = &world.now().to_string()[..10];
    until_posted(&world, &[&format!("{day}-1")]).await;
    world.collect("PM3", 1).await;
    let began = world.now();
    until_posted(&world, &[&format!("{day}-1"), &format!("{day}-2")]).await;
    assert!(world.now().duration_since(began).as_mins() >= 10);
    world.stop().await;
}
