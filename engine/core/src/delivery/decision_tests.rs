//! What a person may decide about what has ended.

use super::*;
use crate::delivery::Decision;

fn decide(
    state: &DeliveryState,
    progress: &Progress,
    decision: Decision,
) -> Result<Stepped, Refused> {
    let event = Event::Decided {
        decision,
        reason: "a person says so".into(),
    };
    step(state, progress, event, &policy(look_up()), now(), 0)
}

#[test]
fn what_was_dropped_unsent_is_taken_up_again_and_nothing_else() {
    for state in states() {
        let taken = decide(&state, &Progress::default(), Decision::Reopen);
        let dropped = matches!(state.kind(), StateKind::Skipped | StateKind::Discarded);
        assert_eq!(taken.is_ok(), dropped, "{state:?}");
        if let Ok(taken) = taken {
            assert_eq!(taken.state, DeliveryState::Pending { due_at: now() });
            assert_eq!(taken.progress.again, 0);
        }
    }
}

#[test]
fn what_was_discarded_in_doubt_stays_in_doubt() {
    let uncertain = DeliveryState::Uncertain {
        due_at: now(),
        since: now(),
        absences: 0,
        why: "w".into(),
    };
    for doubtful in [uncertain, hold(true, None)] {
        let gone = decide(&doubtful, &Progress::default(), Decision::Discard).unwrap();
        let refused = decide(&gone.state, &gone.progress, Decision::Reopen).unwrap_err();
        assert!(refused.to_string().contains("may already have it"));
        assert!(decide(&gone.state, &gone.progress, Decision::PostAgain).is_ok());
    }
    let gone = decide(&hold(false, None), &Progress::default(), Decision::Discard).unwrap();
    assert!(decide(&gone.state, &gone.progress, Decision::Reopen).is_ok());
}

#[test]
fn only_what_was_posted_is_posted_again_and_begins_anew() {
    let mut progress = Progress {
        attempts: 3,
        step: 2,
        claim: Some("c".into()),
        ..Progress::default()
    };
    progress.results.insert("insert".into(), "4711".into());
    for state in states() {
        let taken = decide(&state, &progress, Decision::PostAgain);
        assert_eq!(
            taken.is_ok(),
            state.kind() == StateKind::Delivered,
            "{state:?}"
        );
        if let Ok(taken) = taken {
            assert_eq!(taken.state, DeliveryState::Pending { due_at: now() });
            let progress = taken.progress;
            assert_eq!(
                (progress.again, progress.step, progress.attempts),
                (1, 0, 3)
            );
            assert!(progress.results.is_empty() && progress.claim.is_none());
        }
    }
}
