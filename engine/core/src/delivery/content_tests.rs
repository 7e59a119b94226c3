//! What goes on as it was prepared, and what is prepared anew.

use super::*;
use crate::delivery::{Content, Decision};

/// Takes one event after the other.
fn walk(repeat: RepeatSafety, events: &[Event]) -> Stepped {
    let mut at = Stepped {
        state: DeliveryState::Pending { due_at: now() },
        progress: Progress::default(),
        effects: Vec::new(),
    };
    for event in events {
        at = step(
            &at.state,
            &at.progress,
            event.clone(),
            &policy(repeat),
            now(),
            0,
        )
        .unwrap_or_else(|refused| panic!("{event:?}: {refused}"));
    }
    at
}

fn claim() -> Event {
    Event::Claimed {
        lease_until: now(),
        fingerprint: Some("print".into()),
        part: None,
    }
}

fn unknown() -> Event {
    let why = "cut".into();
    Event::Answered(Outcome::Unknown { why })
}

fn rejected() -> Event {
    Event::Answered(Outcome::Rejected {
        class: Class::Value,
        why: "no".into(),
        help: String::new(),
    })
}

fn step_done() -> Event {
    Event::StepDone {
        name: "insert".into(),
        result: serde_json::json!({ "number": 1 }),
        due_at: now(),
    }
}

fn decided(decision: Decision) -> Event {
    let reason = "looked".into();
    Event::Decided { decision, reason }
}

fn trouble() -> Event {
    Event::NotPrepared(Trouble::Lasting {
        class: Class::Configuration,
        why: "no connection".into(),
        help: String::new(),
        awaits: Some(crosswalk()),
    })
}

#[test]
fn what_certainly_did_nothing_is_prepared_anew() {
    let why = || "w".to_owned();
    let nothing = [
        Event::NotSent { why: why() },
        rejected(),
        Event::Answered(Outcome::Reauthenticate { why: why() }),
        Event::Answered(Outcome::Throttle {
            after: None,
            why: why(),
        }),
        Event::Answered(Outcome::Retry {
            after: None,
            class: Class::Lock,
            why: why(),
        }),
    ];
    for event in nothing {
        let claimed = walk(look_up(), &[claim()]);
        assert_eq!(claimed.progress.content, Content::Claimed);
        let after = walk(look_up(), &[claim(), event.clone()]);
        assert_eq!(after.progress.content, Content::Open, "{event:?}");
    }
}

#[test]
fn what_may_have_been_done_goes_on_as_it_was_prepared() {
    let repeats = [
        look_up(),
        RepeatSafety::IdempotencyKey,
        RepeatSafety::Natural,
        RepeatSafety::None,
    ];
    for repeat in repeats {
        for lost in [unknown(), Event::LeaseLost] {
            let after = walk(repeat, &[claim(), lost]);
            assert_eq!(after.progress.content, Content::Fixed, "{repeat:?}");
        }
    }
    // Nor does what happens to a later try of it change that.
    let not_sent = Event::NotSent { why: "away".into() };
    let later = [claim(), unknown(), claim(), not_sent];
    let refused = [claim(), unknown(), claim(), rejected()];
    for repeat in [RepeatSafety::IdempotencyKey, RepeatSafety::Natural] {
        assert_eq!(walk(repeat, &later).progress.content, Content::Fixed);
        assert_eq!(walk(repeat, &refused).progress.content, Content::Fixed);
    }
    let absent = || Event::LookedUp(LookUp::Absent);
    let proven = walk(look_up(), &[claim(), unknown(), absent(), absent()]);
    assert_eq!(proven.state.kind(), StateKind::Pending);
    assert_eq!(
        proven.progress.content,
        Content::Fixed,
        "what was looked up is what is sent"
    );
}

#[test]
fn what_was_looked_for_and_is_refused_then_may_be_mended() {
    let absent = || Event::LookedUp(LookUp::Absent);
    let events = [claim(), unknown(), absent(), absent(), claim(), rejected()];
    assert_eq!(walk(look_up(), &events).progress.content, Content::Open);
}

#[test]
fn a_sequence_that_was_begun_is_not_skipped_nor_prepared_anew_by_any_refusal_or_retry() {
    let begun = [
        claim(),
        step_done(),
        claim(),
        rejected(),
        decided(Decision::Retry),
    ];
    let after = walk(look_up(), &begun);
    assert_eq!(after.state, DeliveryState::Pending { due_at: now() });
    assert_eq!(after.progress.content, Content::Fixed);
    let skip = Event::Skipped { reason: "r".into() };
    let refused = step(
        &after.state,
        &after.progress,
        skip,
        &policy(look_up()),
        now(),
        0,
    );
    assert!(refused.unwrap_err().to_string().contains("begun"));
    let stands = walk(
        look_up(),
        &[
            claim(),
            step_done(),
            claim(),
            unknown(),
            decided(Decision::NotPosted),
        ],
    );
    assert_eq!(
        stands.progress.content,
        Content::Fixed,
        "the first step stands there"
    );
    let discarded = walk(
        look_up(),
        &[claim(), step_done(), decided(Decision::Discard)],
    );
    let take = |decision| {
        let event = decided(decision);
        step(
            &discarded.state,
            &discarded.progress,
            event,
            &policy(look_up()),
            now(),
            0,
        )
    };
    assert!(
        take(Decision::Reopen).is_err(),
        "a step of it stands in the target"
    );
    let again = take(Decision::PostAgain).unwrap().progress;
    assert!(again.content == Content::Open && again.results.is_empty() && again.again == 1);
}

#[test]
fn what_may_have_arrived_is_claimed_again_only_by_what_makes_that_safe() {
    let lost = walk(RepeatSafety::IdempotencyKey, &[claim(), unknown()]);
    for (repeat, safe) in [
        (RepeatSafety::IdempotencyKey, true),
        (RepeatSafety::Natural, false),
        (look_up(), false),
        (RepeatSafety::None, false),
    ] {
        let taken = step(
            &lost.state,
            &lost.progress,
            claim(),
            &policy(repeat),
            now(),
            0,
        );
        assert_eq!(taken.is_ok(), safe, "{repeat:?}");
    }
}

#[test]
fn what_was_lost_while_repeating_was_harmless_is_repeated_only_as_long_as_it_is() {
    let natural = RepeatSafety::Natural;
    let later = [
        vec![],
        vec![decided(Decision::Retry)],
        vec![decided(Decision::Discard), decided(Decision::Reopen)],
        vec![claim(), rejected(), decided(Decision::Retry)],
    ];
    let others = [
        look_up(),
        RepeatSafety::IdempotencyKey,
        RepeatSafety::None,
        natural,
    ];
    for between in later {
        let mut events = vec![claim(), unknown()];
        events.extend(between.clone());
        let lost = walk(natural, &events);
        for repeat in others {
            let policy = policy(repeat);
            let taken = step(&lost.state, &lost.progress, claim(), &policy, now(), 0);
            assert_eq!(taken.is_ok(), repeat == natural, "{between:?} {repeat:?}");
        }
    }
    let done = walk(natural, &[claim(), unknown(), claim(), step_done()]);
    let looked = walk(natural, &[claim(), unknown(), decided(Decision::NotPosted)]);
    for known in [done, looked] {
        let policy = policy(RepeatSafety::None);
        let taken = step(&known.state, &known.progress, claim(), &policy, now(), 0);
        assert!(taken.is_ok());
    }
}

#[test]
fn what_may_have_arrived_is_not_forgotten_by_what_comes_between() {
    let keyed = RepeatSafety::IdempotencyKey;
    for between in [
        vec![decided(Decision::Retry)],
        vec![trouble(), Event::Released],
        vec![trouble(), decided(Decision::Retry)],
    ] {
        let mut events = vec![claim(), unknown()];
        events.extend(between.clone());
        events.extend([claim(), rejected()]);
        let DeliveryState::Held(hold) = walk(keyed, &events).state else {
            panic!()
        };
        assert!(hold.in_doubt, "{between:?}");
    }
    let looked = walk(keyed, &[claim(), unknown(), decided(Decision::NotPosted)]);
    assert!(!looked.progress.maybe_sent && looked.progress.content == Content::Open);
    let in_doubt = Event::NotPrepared(Trouble::Lasting {
        class: Class::InDoubt,
        why: "w".into(),
        help: "h".into(),
        awaits: None,
    });
    for (events, doubt) in [
        (vec![claim(), unknown(), in_doubt.clone()], true),
        (vec![in_doubt], false),
    ] {
        let DeliveryState::Held(hold) = walk(keyed, &events).state else {
            panic!()
        };
        assert_eq!(hold.in_doubt, doubt, "{events:?}");
    }
}
