//! The queues against a naive model, over random workloads.

use super::rig::*;
use ml_connector_core::delivery::{DeliveryState, Event, StateKind};
use ml_connector_core::identity::DeliveryId;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
enum Step {
    /// Deliveries due then, each with one of a few order keys or none.
    Accept(Vec<(i64, Option<u8>)>),
    /// Reserve up to so many until then.
    Reserve(i64, usize),
    /// Give the reservation with this number back.
    Release(usize),
    /// Finish it.
    Finish(usize),
    /// Put it off until then.
    PutOff(usize, i64),
    /// Hold it.
    Hold(usize),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let made = (0..50_i64, proptest::option::of(0..4_u8));
    let step = prop_oneof![
        4 => proptest::collection::vec(made, 1..12).prop_map(Step::Accept),
        4 => (0..60_i64, 1..8_usize).prop_map(|(until, limit)| Step::Reserve(until, limit)),
        1 => (0..20_usize).prop_map(Step::Release),
        4 => (0..20_usize).prop_map(Step::Finish),
        2 => (0..20_usize, 0..60_i64).prop_map(|(at, due)| Step::PutOff(at, due)),
        1 => (0..20_usize).prop_map(Step::Hold),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

#[derive(Debug, Clone)]
struct Row {
    due: Option<i64>,
    order: Option<u8>,
    finished: bool,
}

#[derive(Debug, Default)]
struct Model {
    rows: BTreeMap<u64, Row>,
    reserved: BTreeSet<u64>,
}

impl Model {
    /// What may be reserved, oldest due first.
    fn due(&self, until: i64) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        let mut due = Vec::new();
        for (id, row) in self.rows.iter().filter(|(_, row)| !row.finished) {
            let first = row.order.is_none_or(|order| seen.insert(order));
            if let Some(at) = row.due.filter(|at| first && *at <= until)
                && !self.reserved.contains(id)
            {
                due.push((at, *id));
            }
        }
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }
}

async fn run(steps: Vec<Step>) {
    let mut rig = Rig::new();
    let mut model = Model::default();
    let mut next = 1;
    for step in steps {
        let chosen = |at: usize, model: &Model| {
            let count = model.reserved.len();
            (count > 0).then(|| *model.reserved.iter().nth(at % count).unwrap())
        };
        match step {
            Step::Accept(made) => {
                let mut events = Vec::new();
                for (due, order) in made {
                    let key = format!("k{next}");
                    let order_key = order.map(|order| format!("o{order}"));
                    events.push(event(&key, vec![pending(&key, order_key.as_deref(), due)]));
                    model.rows.insert(
                        next,
                        Row {
                            due: Some(due),
                            order,
                            finished: false,
                        },
                    );
                    next += 1;
                }
                rig.store.inbox_accept(intake(events)).await.unwrap();
            }
            Step::Reserve(until, limit) => {
                let found = reserve(&rig.store, until, limit).await;
                let found: Vec<u64> = found.into_iter().map(|delivery| delivery.id.0).collect();
                let mut expected = model.due(until);
                expected.truncate(limit);
                assert_eq!(found, expected);
                model.reserved.extend(found);
            }
            Step::Release(at) => {
                if let Some(id) = chosen(at, &model) {
                    rig.store.delivery_release(DeliveryId(id)).await;
                    model.reserved.remove(&id);
                }
            }
            Step::Finish(at) => {
                if let Some(id) = chosen(at, &model) {
                    let delivery = rig
                        .store
                        .delivery_get(DeliveryId(id))
                        .await
                        .unwrap()
                        .unwrap();
                    deliver(&rig.store, &delivery).await;
                    model.reserved.remove(&id);
                    model.rows.get_mut(&id).unwrap().finished = true;
                }
            }
            Step::PutOff(number, due) => {
                if let Some(id) = chosen(number, &model) {
                    let delivery = rig
                        .store
                        .delivery_get(DeliveryId(id))
                        .await
                        .unwrap()
                        .unwrap();
                    let state = DeliveryState::Pending { due_at: at(due) };
                    let put_off = transition(&delivery, Event::LeaseLost, state);
                    rig.store.delivery_record(put_off).await.unwrap();
                    model.reserved.remove(&id);
                    model.rows.get_mut(&id).unwrap().due = Some(due);
                }
            }
            Step::Hold(at) => {
                if let Some(id) = chosen(at, &model) {
                    let delivery = rig
                        .store
                        .delivery_get(DeliveryId(id))
                        .await
                        .unwrap()
                        .unwrap();
                    rig.store
                        .delivery_record(held(&delivery, None))
                        .await
                        .unwrap();
                    model.reserved.remove(&id);
                    model.rows.get_mut(&id).unwrap().due = None;
                }
            }
            Step::Reopen => {
                rig = rig.reopened().await;
                model.reserved.clear();
            }
        }
        let next_due = rig.store.delivery_next_due(&lane(), &[]).await.unwrap();
        let expected = model
            .due(i64::MAX)
            .first()
            .map(|id| at(model.rows[id].due.unwrap()));
        assert_eq!(next_due, expected);
    }
    let finished = model.rows.values().filter(|row| row.finished).count() as u64;
    assert_eq!(count(&rig.store, StateKind::Delivered).await, finished);
    let elsewhere = directory();
    let rebuilt = open_on(&rig.disk.after_kill(), elsewhere.path()).unwrap();
    assert_eq!(rebuilt.dump().unwrap(), rig.store.dump().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_queues_hand_out_what_a_naive_model_would(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run(steps));
    }
}
