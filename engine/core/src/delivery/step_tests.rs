//! The promises of [`super::step`], each tried against every state.
//!
//! Long because: one promise a test, over one table of states and events.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tables of what is meant; the rest is the rest"
)]

#[path = "content_tests.rs"]
mod contents;
#[path = "decision_tests.rs"]
mod decisions;

use super::*;
use crate::delivery::{Awaited, StateKind};
use crate::identity::{CrosswalkId, DeliveryId};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn now() -> Timestamp {
    "2026-03-16T08:00:00Z".parse().unwrap()
}

fn policy(repeat: RepeatSafety) -> Policy {
    Policy {
        retry: RetryPolicy {
            first: 5 * SECOND,
            factor_thousandths: 2000,
            max: 900 * SECOND,
            full_jitter: false,
            give_up_after: 7 * 86_400 * SECOND,
        },
        repeat,
    }
}

fn look_up() -> RepeatSafety {
    RepeatSafety::LookUp {
        settle: 120 * SECOND,
        absences: 2,
        give_up_after: 86_400 * SECOND,
    }
}

fn hold(in_doubt: bool, awaits: Option<Awaited>) -> DeliveryState {
    DeliveryState::Held(Hold {
        class: Class::Value,
        why: "w".into(),
        help: "h".into(),
        since: now(),
        awaits,
        in_doubt,
    })
}

fn crosswalk() -> Awaited {
    Awaited::Crosswalk {
        table: CrosswalkId::new("customers"),
        key: "C1".into(),
    }
}

fn states() -> Vec<DeliveryState> {
    vec![
        DeliveryState::Pending { due_at: now() },
        DeliveryState::InFlight { lease_until: now() },
        DeliveryState::Uncertain {
            due_at: now(),
            since: now(),
            absences: 0,
            why: "cut".into(),
        },
        hold(false, None),
        hold(false, Some(crosswalk())),
        hold(
            false,
            Some(Awaited::Delivery {
                delivery: DeliveryId(1),
            }),
        ),
        hold(true, None),
        DeliveryState::Delivered {
            receipt: Receipt::default(),
        },
        DeliveryState::Skipped { reason: "r".into() },
        DeliveryState::Discarded { reason: "r".into() },
    ]
}

fn outcomes() -> Vec<Outcome> {
    let why = || "w".to_owned();
    vec![
        Outcome::Succeeded {
            receipt: Receipt::default(),
            result: super::super::Document::Null,
        },
        Outcome::AlreadyThere {
            receipt: Receipt::default(),
        },
        Outcome::Retry {
            after: None,
            class: Class::Lock,
            why: why(),
        },
        Outcome::Throttle {
            after: Some(9 * SECOND),
            why: why(),
        },
        Outcome::Reauthenticate { why: why() },
        Outcome::Rejected {
            class: Class::Value,
            why: why(),
            help: why(),
        },
        Outcome::Unknown { why: why() },
    ]
}

fn events() -> Vec<Event> {
    let mut all = vec![
        Event::Claimed {
            lease_until: now(),
            fingerprint: None,
            part: None,
        },
        Event::NotPrepared(Trouble::Passing {
            class: Class::Intermittent,
            why: "w".into(),
            after: None,
        }),
        Event::NotPrepared(Trouble::Lasting {
            class: Class::MissingMasterData,
            why: "w".into(),
            help: "h".into(),
            awaits: Some(crosswalk()),
        }),
        Event::Skipped { reason: "r".into() },
        Event::NotSent { why: "w".into() },
        Event::StepDone {
            name: "a".into(),
            result: super::super::Document::Null,
            due_at: now(),
        },
        Event::StepWaits { due_at: now() },
        Event::LeaseLost,
        Event::LookedUp(LookUp::Found {
            receipt: Receipt::default(),
        }),
        Event::LookedUp(LookUp::Differs { why: "w".into() }),
        Event::LookedUp(LookUp::Absent),
        Event::LookedUp(LookUp::Failed {
            why: "w".into(),
            after: None,
        }),
        Event::Released,
        Event::Routed,
    ];
    all.extend(outcomes().into_iter().map(Event::Answered));
    for decision in [
        Decision::Retry,
        Decision::Posted {
            receipt: Receipt::default(),
        },
        Decision::NotPosted,
        Decision::Discard,
    ] {
        all.push(Event::Decided {
            decision,
            reason: "r".into(),
        });
    }
    all
}

fn take(state: &DeliveryState, event: Event, repeat: RepeatSafety) -> Result<Stepped, Refused> {
    step(
        state,
        &Progress::default(),
        event,
        &policy(repeat),
        now(),
        0,
    )
}

#[test]
fn nothing_leads_back_to_sending_without_proof() {
    for repeat in [look_up(), RepeatSafety::None] {
        for state in states() {
            let doubtful = matches!(state.kind(), StateKind::InFlight | StateKind::Uncertain)
                || matches!(&state, DeliveryState::Held(hold) if hold.in_doubt);
            if !doubtful {
                continue;
            }
            for event in events() {
                let proof = match &event {
                    Event::Answered(outcome) => !matches!(outcome, Outcome::Unknown { .. }),
                    Event::NotSent { .. } | Event::StepDone { .. } | Event::StepWaits { .. } => {
                        true
                    }
                    // One absence of two is not proof yet; `absences` is 0 in this table.
                    Event::Decided { decision, .. } => *decision == Decision::NotPosted,
                    _ => false,
                };
                if let Ok(next) = take(&state, event.clone(), repeat)
                    && next.state.kind() == StateKind::Pending
                {
                    assert!(
                        proof,
                        "{state:?} + {event:?} went back to pending with {repeat:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_lost_answer_is_sent_again_only_where_the_operation_says_how() {
    let flying = DeliveryState::InFlight { lease_until: now() };
    for event in [
        Event::LeaseLost,
        Event::Answered(Outcome::Unknown { why: "cut".into() }),
    ] {
        let kind = |repeat| take(&flying, event.clone(), repeat).unwrap().state.kind();
        assert_eq!(kind(RepeatSafety::IdempotencyKey), StateKind::Pending);
        assert_eq!(kind(RepeatSafety::Natural), StateKind::Pending);
        assert_eq!(kind(look_up()), StateKind::Uncertain);
        assert_eq!(kind(RepeatSafety::None), StateKind::Held);
    }
}

#[test]
fn absence_needs_as_many_look_ups_as_declared_each_a_settle_time_apart() {
    let start = DeliveryState::Uncertain {
        due_at: now(),
        since: now(),
        absences: 0,
        why: "cut".into(),
    };
    let first = take(&start, Event::LookedUp(LookUp::Absent), look_up()).unwrap();
    let DeliveryState::Uncertain {
        due_at,
        absences: 1,
        ..
    } = first.state
    else {
        panic!("one absence is no proof: {:?}", first.state);
    };
    assert_eq!(due_at, now() + SignedDuration::from_secs(120));
    let second = take(&first.state, Event::LookedUp(LookUp::Absent), look_up()).unwrap();
    assert_eq!(second.state.kind(), StateKind::Pending);
}

#[test]
fn a_failed_look_up_proves_nothing_and_ends_with_a_person() {
    let state = DeliveryState::Uncertain {
        due_at: now(),
        since: now() - SignedDuration::from_hours(72),
        absences: 1,
        why: "cut".into(),
    };
    let failed = || {
        Event::LookedUp(LookUp::Failed {
            why: "away".into(),
            after: None,
        })
    };
    // Three days in which nothing could be asked are not held against it.
    let first = take(&state, failed(), look_up()).unwrap();
    assert!(
        matches!(first.state, DeliveryState::Uncertain { absences: 1, .. }),
        "{:?}",
        first.state
    );
    let next_day = now() + SignedDuration::from_hours(24);
    let last = step(
        &first.state,
        &first.progress,
        failed(),
        &policy(look_up()),
        next_day,
        0,
    )
    .unwrap();
    assert!(matches!(last.state, DeliveryState::Held(hold) if hold.in_doubt));
    // One that works in between begins the count anew.
    let absent = Event::LookedUp(LookUp::Absent);
    let early = DeliveryState::Uncertain {
        due_at: now(),
        since: now(),
        absences: 0,
        why: "cut".into(),
    };
    let seen = step(
        &early,
        &first.progress,
        absent,
        &policy(look_up()),
        now(),
        0,
    )
    .unwrap();
    assert_eq!(seen.progress.look_ups_fail_since, None);
}

#[test]
fn what_was_sent_with_a_key_and_never_answered_stays_in_doubt_when_it_ends() {
    let flying = DeliveryState::InFlight { lease_until: now() };
    let cut = Event::Answered(Outcome::Unknown { why: "cut".into() });
    let keyed = policy(RepeatSafety::IdempotencyKey);
    let first = step(&flying, &Progress::default(), cut.clone(), &keyed, now(), 0).unwrap();
    assert_eq!(first.state.kind(), StateKind::Pending);
    let later = now() + SignedDuration::from_hours(24 * 8);
    let end = step(&flying, &first.progress, cut, &keyed, later, 0).unwrap();
    assert!(
        matches!(&end.state, DeliveryState::Held(hold) if hold.in_doubt),
        "{:?}",
        end.state
    );
    let retry = Event::Decided {
        decision: Decision::Retry,
        reason: "r".into(),
    };
    assert!(step(&end.state, &end.progress, retry, &keyed, later, 0).is_err());
}

#[test]
fn a_claim_leaves_its_fingerprint() {
    let pending = DeliveryState::Pending { due_at: now() };
    let event = Event::Claimed {
        lease_until: now(),
        fingerprint: Some("f".into()),
        part: None,
    };
    let claimed = take(&pending, event, look_up()).unwrap();
    assert_eq!(claimed.progress.claim.as_deref(), Some("f"));
}

#[test]
fn the_raw_answer_is_not_stored_with_its_outcome() {
    let result = serde_json::json!({"name": "Jane Roe"});
    let event = Event::Answered(Outcome::Succeeded {
        receipt: Receipt::default(),
        result,
    });
    assert!(!serde_json::to_string(&event).unwrap().contains("Jane"));
}

#[test]
fn a_definition_that_no_longer_says_how_to_look_gives_the_doubt_to_a_person() {
    let state = DeliveryState::Uncertain {
        due_at: now(),
        since: now(),
        absences: 1,
        why: "cut".into(),
    };
    let next = take(&state, Event::LookedUp(LookUp::Absent), RepeatSafety::None).unwrap();
    assert!(matches!(next.state, DeliveryState::Held(hold) if hold.in_doubt));
}

#[test]
fn what_was_under_way_is_judged_by_the_definition_it_was_sent_under_as_well() {
    let ways = [
        RepeatSafety::IdempotencyKey,
        RepeatSafety::Natural,
        RepeatSafety::None,
        look_up(),
    ];
    let pending = DeliveryState::Pending { due_at: now() };
    let claim = || Event::Claimed {
        lease_until: now(),
        fingerprint: Some("print".into()),
        part: None,
    };
    for then in ways {
        let sent = take(&pending, claim(), then).unwrap();
        for at_present in ways {
            let policy = policy(at_present);
            let (state, progress) = (&sent.state, &sent.progress);
            let lost = step(state, progress, Event::LeaseLost, &policy, now(), 0).unwrap();
            let again = step(&lost.state, &lost.progress, claim(), &policy, now(), 0);
            // Whatever it was sent as, a look-up proves something; the rest only goes by what it goes by still.
            let looks = matches!(at_present, RepeatSafety::LookUp { .. });
            let safe = then == at_present && then != RepeatSafety::None;
            assert_eq!(
                again.is_ok(),
                safe && !looks,
                "{then:?}, then {at_present:?}"
            );
            assert_eq!(lost.state.kind() == StateKind::Uncertain, looks);
            let doubtful = matches!(lost.state, DeliveryState::Held(hold) if hold.in_doubt);
            assert_eq!(doubtful, !safe && !looks, "{then:?}, then {at_present:?}");
        }
    }
}

#[test]
fn what_differs_under_our_reference_is_never_taken_for_ours() {
    let state = DeliveryState::Uncertain {
        due_at: now(),
        since: now(),
        absences: 0,
        why: "cut".into(),
    };
    let next = take(
        &state,
        Event::LookedUp(LookUp::Differs {
            why: "amount".into(),
        }),
        look_up(),
    )
    .unwrap();
    assert!(
        matches!(next.state, DeliveryState::Held(hold) if hold.in_doubt && hold.why == "amount")
    );
}

#[test]
fn finished_deliveries_take_no_event_at_all() {
    for state in states()
        .into_iter()
        .filter(|state| state.kind().is_terminal())
    {
        for event in events() {
            assert!(
                take(&state, event.clone(), look_up()).is_err(),
                "{state:?} took {event:?}"
            );
        }
    }
}

#[test]
fn a_person_cannot_retry_what_may_already_be_there() {
    let doubtful = hold(true, None);
    let retry = Event::Decided {
        decision: Decision::Retry,
        reason: "r".into(),
    };
    let refused = take(&doubtful, retry, look_up()).unwrap_err();
    assert!(
        refused.to_string().contains("may already have it"),
        "{refused}"
    );
    let flying = DeliveryState::InFlight { lease_until: now() };
    for event in events()
        .into_iter()
        .filter(|event| matches!(event, Event::Decided { .. }))
    {
        assert!(
            take(&flying, event, look_up()).is_err(),
            "decided while a request is under way"
        );
    }
}

#[test]
fn only_what_awaits_something_is_released_by_itself() {
    assert!(take(&hold(false, Some(crosswalk())), Event::Released, look_up()).is_ok());
    assert!(take(&hold(false, None), Event::Released, look_up()).is_err());
    assert!(take(&hold(true, Some(crosswalk())), Event::Released, look_up()).is_err());
}

#[test]
fn a_closed_period_is_tried_again_by_itself_and_nothing_else_that_is_refused() {
    let flying = DeliveryState::InFlight { lease_until: now() };
    for class in Class::ALL {
        let refused = Event::Answered(Outcome::Rejected {
            class,
            why: "w".into(),
            help: "h".into(),
        });
        let next = take(&flying, refused.clone(), look_up()).unwrap().state;
        let until = match &next {
            DeliveryState::Held(hold) => hold.awaits.clone(),
            _ => None,
        };
        let expected = (class == Class::Period).then(|| Awaited::Until {
            due_at: now() + SignedDuration::from_hours(6),
        });
        assert_eq!(until, expected, "{class:?}");
        // Where the target may have it already, only a person lets it go.
        let maybe_sent = Progress {
            maybe_sent: true,
            ..Progress::default()
        };
        let policy = policy(RepeatSafety::IdempotencyKey);
        let next = step(&flying, &maybe_sent, refused, &policy, now(), 0).unwrap();
        if let DeliveryState::Held(hold) = next.state {
            assert_eq!((hold.awaits, hold.in_doubt), (None, true), "{class:?}");
        }
    }
    let waiting = DeliveryState::Pending { due_at: now() };
    let held = Event::NotPrepared(Trouble::Lasting {
        class: Class::Period,
        why: "w".into(),
        help: "h".into(),
        awaits: None,
    });
    let DeliveryState::Held(hold) = take(&waiting, held, look_up()).unwrap().state else {
        panic!()
    };
    assert!(hold.awaits.is_some(), "an integration's own hold rule too");
}

#[test]
fn nothing_that_was_ever_sent_is_routed_again() {
    let waiting = DeliveryState::Pending { due_at: now() };
    assert_eq!(
        take(&waiting, Event::Routed, look_up()).unwrap().state,
        waiting
    );
    let sent = Progress {
        attempts: 1,
        ..Progress::default()
    };
    let routed = step(&waiting, &sent, Event::Routed, &policy(look_up()), now(), 0);
    assert!(routed.is_err());
}

#[test]
fn every_end_releases_the_order_key_and_nothing_else_does() {
    for state in states() {
        for event in events() {
            if let Ok(next) = take(&state, event.clone(), look_up()) {
                assert_eq!(
                    next.effects.contains(&Effect::ReleaseOrderKey),
                    next.state.kind().is_terminal(),
                    "{state:?} + {event:?}"
                );
            }
        }
    }
}

#[test]
fn a_stale_session_is_mended_at_once_but_not_for_ever() {
    let flying = DeliveryState::InFlight { lease_until: now() };
    let stale = || {
        Event::Answered(Outcome::Reauthenticate {
            why: "stale".into(),
        })
    };
    let first = take(&flying, stale(), look_up()).unwrap();
    assert_eq!(first.state.due_at(), Some(now()));
    assert_eq!(first.effects, [Effect::Reauthenticate]);
    let again = step(
        &flying,
        &first.progress,
        stale(),
        &policy(look_up()),
        now(),
        0,
    )
    .unwrap();
    assert!(
        again.state.due_at() > Some(now()),
        "a session that stays stale must not spin"
    );
}

#[test]
fn retries_end_in_a_hold_that_says_so() {
    let progress = Progress {
        retries: 30,
        trying_since: Some(now() - SignedDuration::from_secs(7 * 86_400)),
        ..Progress::default()
    };
    let flying = DeliveryState::InFlight { lease_until: now() };
    let event = Event::Answered(Outcome::Retry {
        after: None,
        class: Class::Lock,
        why: "locked".into(),
    });
    let next = step(&flying, &progress, event, &policy(look_up()), now(), 0).unwrap();
    let DeliveryState::Held(hold) = next.state else {
        panic!("{:?}", next.state)
    };
    assert_eq!(hold.class, Class::Exhausted);
    assert!(!hold.in_doubt);
}

#[test]
fn claims_count_attempts_and_steps_forget_retries() {
    let pending = DeliveryState::Pending { due_at: now() };
    let claimed = take(
        &pending,
        Event::Claimed {
            lease_until: now(),
            fingerprint: None,
            part: None,
        },
        look_up(),
    )
    .unwrap();
    assert_eq!(claimed.progress.attempts, 1);
    let done = Event::StepDone {
        name: "insert".into(),
        result: serde_json::json!({"id": 1}),
        due_at: now(),
    };
    let next = step(
        &claimed.state,
        &claimed.progress,
        done,
        &policy(look_up()),
        now(),
        0,
    )
    .unwrap();
    assert_eq!((next.progress.step, next.progress.retries), (1, 0));
    assert_eq!(next.progress.results["insert"]["id"], 1);
}

#[test]
fn refused_credentials_hold_no_record() {
    let flying = DeliveryState::InFlight { lease_until: now() };
    let event = Event::Answered(Outcome::Rejected {
        class: Class::Authentication,
        why: "wrong password".into(),
        help: "set it".into(),
    });
    let next = take(&flying, event, look_up()).unwrap();
    assert_eq!(next.state.kind(), StateKind::Pending);
    assert_eq!(next.effects, [Effect::SystemTrouble]);
}

#[test]
fn an_uncertain_step_that_is_found_lets_the_sequence_go_on() {
    let uncertain = DeliveryState::Uncertain {
        due_at: now(),
        since: now(),
        absences: 1,
        why: "cut".into(),
    };
    let found = Event::StepDone {
        name: "insert".into(),
        result: serde_json::json!({"id": 1}),
        due_at: now(),
    };
    let next = take(&uncertain, found.clone(), look_up()).unwrap();
    assert_eq!(next.state, DeliveryState::Pending { due_at: now() });
    assert_eq!(next.progress.step, 1);
    assert!(take(&hold(true, None), found, look_up()).is_err());
}

#[test]
fn the_wait_a_target_asks_for_is_kept() {
    let flying = DeliveryState::InFlight { lease_until: now() };
    let event = Event::Answered(Outcome::Throttle {
        after: Some(60 * SECOND),
        why: "slow".into(),
    });
    let next = take(&flying, event, look_up()).unwrap();
    assert!(next.state.due_at().unwrap() >= now() + SignedDuration::from_secs(60));
    assert!(next.effects.contains(&Effect::SlowDown {
        after: Some(60 * SECOND)
    }));
}

proptest! {
    #[test]
    fn backoff_stays_between_the_floor_and_the_longest_wait(
        retry in 0_u32..200, jitter: u64, full_jitter: bool, floor in 0_u64..10_000,
    ) {
        let mut retry_policy = policy(look_up()).retry;
        retry_policy.full_jitter = full_jitter;
        let floor = Duration::from_millis(floor);
        let wait = backoff(&retry_policy, retry, jitter, Some(floor));
        prop_assert!(wait >= floor);
        prop_assert!(wait <= floor + retry_policy.max);
        if !full_jitter && retry > 0 {
            let before = backoff(&retry_policy, retry - 1, jitter, Some(floor));
            prop_assert!(wait >= before, "waits never shrink");
        }
    }

    #[test]
    fn states_and_events_survive_their_stored_form(index in 0_usize..10, which in 0_usize..24) {
        let state = &states()[index];
        let text = serde_json::to_string(state).unwrap();
        prop_assert_eq!(&serde_json::from_str::<DeliveryState>(&text).unwrap(), state);
        let event = &events()[which];
        let text = serde_json::to_string(event).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
