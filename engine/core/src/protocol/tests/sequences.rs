//! Sequences: steps, their inputs, their ends.

use super::*;
use crate::delivery::Outcome;
use std::collections::BTreeMap;

const OPENBOOK: &str = include_str!("openbook.yaml");

#[test]
fn steps_see_the_results_before_them() {
    let bench = Bench::new(connector(OPENBOOK), "import", json!({ "amount": 3 }));
    let call = bench.call();
    let steps = steps(variant(&call).unwrap());
    assert_eq!(
        steps
            .iter()
            .map(|step| step.name.as_str())
            .collect::<Vec<_>>(),
        ["inserted", "confirmed"]
    );
    assert_eq!(
        step_input(&call, &steps[0]).unwrap(),
        json!({ "amount": 3 })
    );
    assert!(step_input(&call, &steps[1]).is_err());
    let results = BTreeMap::from([("inserted".to_owned(), json!({ "line": 12 }))]);
    let call = Call {
        steps: Some(&results),
        ..bench.call()
    };
    assert_eq!(step_input(&call, &steps[1]).unwrap(), json!({ "line": 12 }));
    assert!(matches!(
        encode(&call, &Masked),
        Err(EncodeError::Value { .. })
    ));
    let single = Bench::new(payfast(), "get", json!({ "id": "x" }));
    assert!(super::super::steps(variant(&single.call()).unwrap()).is_empty());
}

#[test]
fn a_step_is_asked_again_until_it_is_done_or_over() {
    let bench = Bench::new(connector(OPENBOOK), "import", json!({ "amount": 3 }));
    let results = BTreeMap::from([("inserted".to_owned(), json!({ "line": 12 }))]);
    let call = Call {
        steps: Some(&results),
        ..bench.call()
    };
    let steps = steps(variant(&call).unwrap());
    let verdict = |result: Document| step_verdict(&call, &steps[1], &result, now());
    assert_eq!(
        verdict(json!({ "phase": "running" })),
        Ok(StepVerdict::Wait)
    );
    assert_eq!(verdict(json!({ "phase": "done" })), Ok(StepVerdict::Done));
    let ended = verdict(json!({ "phase": "failed" })).unwrap();
    assert!(
        matches!(ended, StepVerdict::Ended(Outcome::Rejected { why, .. }) if why == "no reason")
    );
    assert!(verdict(json!({})).is_err());
    assert_eq!(
        step_verdict(&call, &steps[0], &json!({}), now()),
        Ok(StepVerdict::Done)
    );
}

#[test]
fn the_receipt_is_made_of_all_steps() {
    let bench = Bench::new(connector(OPENBOOK), "import", json!({ "amount": 3 }));
    let results = BTreeMap::from([
        ("inserted".to_owned(), json!({ "line": 12 })),
        (
            "confirmed".to_owned(),
            json!({ "phase": "done", "number": "A7" }),
        ),
    ]);
    let call = Call {
        steps: Some(&results),
        ..bench.call()
    };
    let receipt = sequence_receipt(&call, "confirmed");
    assert_eq!(json!(receipt), json!({ "line": 12, "number": "A7" }));
}
