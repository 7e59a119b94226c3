//! The engine under seeds, in a bounded form; `just campaign` is the long one.

use ml_connector_campaign::{Mode, run};

/// Seeds of each mode.
const SEEDS: u64 = 12;

fn hold(mode: Mode) {
    let mut events = 0;
    let mut crashes = 0;
    for seed in 0..SEEDS {
        let outcome = run(seed, mode).unwrap();
        events += outcome.events;
        crashes += outcome.crashes;
        assert!(
            outcome.wrong.is_empty(),
            "{}\n\nto see what was done:\ncargo run --release -p ml-connector-campaign -- --from {seed} --seeds 1 --mode {} --acts",
            outcome.wrong.join("\n"),
            mode.as_str()
        );
    }
    assert!(
        events > 100 && crashes > 10,
        "{events} events and {crashes} crashes prove nothing"
    );
}

#[test]
fn nothing_is_lost_or_doubled_with_a_ledger_that_answers_at_once() {
    hold(Mode::Fast);
}

#[test]
fn nothing_is_lost_or_doubled_with_a_ledger_that_takes_its_time() {
    hold(Mode::Slow);
}

#[test]
fn nothing_is_lost_or_doubled_with_a_ledger_whose_answers_get_lost() {
    hold(Mode::Ambiguous);
}

#[test]
fn nothing_is_lost_or_doubled_with_a_ledger_that_is_away_for_hours() {
    hold(Mode::Down);
}

#[test]
fn a_seed_repeats_itself() {
    // Under those in the middle several tasks wait for the same change, which once woke them in any order.
    for seed in [3, 14, 16, 34, 159] {
        let (one, other) = (
            run(seed, Mode::Ambiguous).unwrap(),
            run(seed, Mode::Ambiguous).unwrap(),
        );
        assert_eq!(
            one.acts, other.acts,
            "seed {seed} did something else the second time"
        );
        assert_eq!(
            one.ledger, other.ledger,
            "seed {seed} posted something else the second time"
        );
    }
}
