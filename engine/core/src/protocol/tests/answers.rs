//! Answers become outcomes.

use super::*;
use crate::delivery::{Class, LookUp, Outcome, Receipt};
use std::time::Duration;

fn receipt(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded {
            receipt: Receipt(entries),
            ..
        }
        | Outcome::AlreadyThere {
            receipt: Receipt(entries),
        } => json!(entries).to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn success_gives_a_receipt_and_notes_what_it_could_not_read() {
    let bench = create();
    let classify =
        |status, body: &str| classify_write(&bench.call(), &bench.answer(status, body), now());
    let done = classify(
        201,
        r#"{"payment": {"id": "P1", "bank": "B", "amount": 49.50}}"#,
    );
    assert_eq!(receipt(&done), r#"{"bank":"B","id":"P1"}"#);
    let Outcome::Succeeded { result, .. } = done else {
        panic!()
    };
    assert_eq!(
        result.to_string(),
        r#"{"id":"P1","bank":"B","amount":49.50}"#
    );
    assert_eq!(
        receipt(&classify(200, r#"{"payment": {"id": "P1"}}"#)),
        r#"{"id":"P1","unread":["bank: `result` has no `bank`"]}"#
    );
}

#[test]
fn what_is_not_proven_is_unknown_for_a_write_and_retried_for_a_read() {
    let write = create();
    let read = Bench::new(payfast(), "get", json!({ "id": "P1" }));
    for (status, body) in [
        (200, r#"{"payment": {"id": "#),
        (200, "<html>Please log in</html>"),
        (200, ""),
        (200, "[]"),
        (200, r#"{"other": 1}"#),
        (200, r#"{"payment": "text"}"#),
        (409, "<html>conflict</html>"),
        (418, "{}"),
        (302, ""),
        (500, "{}"),
    ] {
        let outcome = classify_write(&write.call(), &write.answer(status, body), now());
        let rejected_by_rule = status == 418;
        if rejected_by_rule {
            assert!(
                matches!(outcome, Outcome::Rejected { .. }),
                "{status} {body}: {outcome:?}"
            );
        } else {
            assert!(
                matches!(outcome, Outcome::Unknown { .. }),
                "{status} {body}: {outcome:?}"
            );
        }
        if status == 200 || status == 302 {
            let result = classify_read(&read.call(), &read.answer(status, body), now());
            assert!(
                matches!(
                    result,
                    ReadResult::Failed(Outcome::Retry {
                        class: Class::Intermittent,
                        ..
                    })
                ),
                "{status} {body}: {result:?}"
            );
        }
    }
}

#[test]
fn send_errors_mean_what_they_say() {
    let not_sent = Err(SendError::NotSent {
        why: "refused".into(),
    });
    let cut = Err(SendError::Unknown { why: "cut".into() });
    let write = create();
    let read = Bench::new(payfast(), "get", json!({ "id": "P1" }));
    let logon = Bench::new(netledger(), "logon", json!({}));
    assert!(matches!(
        classify_write(&write.call(), &not_sent, now()),
        Outcome::Retry { .. }
    ));
    assert!(matches!(
        classify_write(&write.call(), &cut, now()),
        Outcome::Unknown { .. }
    ));
    assert!(matches!(
        classify_write(&logon.call(), &cut, now()),
        Outcome::Retry { .. }
    ));
    assert!(matches!(
        classify_read(&read.call(), &cut, now()),
        ReadResult::Failed(Outcome::Retry { .. })
    ));
}

#[test]
fn waits_are_taken_however_they_are_written() {
    let bench = create();
    let after = |status, headers: &[(&str, &str)], body: &str| {
        let answer = Ok(decode(
            &bench.call(),
            &response(status, headers, body.as_bytes()),
        ));
        match classify_write(&bench.call(), &answer, now()) {
            Outcome::Throttle { after, .. } | Outcome::Retry { after, .. } => after,
            other => panic!("{other:?}"),
        }
    };
    let seconds = |s| Some(Duration::from_secs(s));
    assert_eq!(after(429, &[], "{}"), None);
    assert_eq!(after(429, &[("Retry-After", "120")], ""), seconds(120));
    assert_eq!(
        after(429, &[("retry-after", "Sat, 14 Mar 2026 12:05:00 GMT")], ""),
        seconds(300)
    );
    assert_eq!(
        after(429, &[("Retry-After", "Sat, 14 Mar 2026 11:00:00 GMT")], ""),
        seconds(0)
    );
    assert_eq!(after(429, &[("Retry-After", "soon")], ""), None);
    assert_eq!(
        after(503, &[("Retry-After", "7")], r#"{"wait": "5m"}"#),
        seconds(300)
    );
    assert_eq!(after(503, &[], r#"{"wait": 1.5}"#), seconds(2));
    assert_eq!(
        after(503, &[], r#"{"wait": "2026-03-14T12:00:30Z"}"#),
        seconds(30)
    );
    assert_eq!(after(503, &[], r#"{"wait": "900d"}"#), seconds(86_400));
    assert_eq!(after(503, &[], r#"{"wait": -5}"#), None);
}

#[test]
fn a_429_without_a_rule_still_slows_down() {
    let bench = post("C1");
    let answer = Ok(decode(
        &bench.call(),
        &response(429, &[("Retry-After", "9")], b"wait"),
    ));
    assert_eq!(
        classify_write(&bench.call(), &answer, now()),
        Outcome::Throttle {
            after: Some(Duration::from_secs(9)),
            why: "status 429: no outcome rule applies".to_owned()
        }
    );
}

#[test]
fn rules_say_class_words_and_help() {
    let bench = create();
    let outcome = classify_write(
        &bench.call(),
        &bench.answer(422, r#"{"error": {"message": " too small "}}"#),
        now(),
    );
    let expected = Outcome::Rejected {
        class: Class::Value,
        why: "too small".to_owned(),
        help: "read it".to_owned(),
    };
    assert_eq!(outcome, expected);
    let read = Bench::new(payfast(), "get", json!({ "id": "P1" }));
    let gone = classify_read(&read.call(), &read.answer(404, "<html>"), now());
    assert_eq!(
        gone,
        ReadResult::NotFound {
            why: "gone".to_owned()
        }
    );
    let long = bench.answer(503, &"x".repeat(9000));
    let Outcome::Retry { why, .. } = classify_write(&bench.call(), &long, now()) else {
        panic!()
    };
    assert_eq!(why.chars().count(), 500);
}

#[test]
fn what_is_already_there_is_read_and_compared() {
    let bench = create();
    let answer = bench.answer(409, r#"{"error": {"reason": "used", "id": "P7"}}"#);
    let outcome = classify_write(&bench.call(), &answer, now());
    assert_eq!(receipt(&outcome), "{}");
    let told = classify_write(&bench.call(), &bench.answer(410, r#"{"id": "P8"}"#), now());
    assert_eq!(receipt(&told), r#"{"id":"P8"}"#);
    let answer = answer.unwrap();
    let call = bench.call();
    let spec = adoption(&call, &answer).unwrap();
    let input = look_up_input(&call, spec, Some(&answer)).unwrap();
    assert_eq!(input, json!({ "id": "P7" }));
    let verdict =
        |result: Document| look_up_verdict(&call, spec, &ReadResult::Found { result, next: None });
    let same = verdict(json!({ "id": "P7", "amount": 4950 }));
    assert!(matches!(same, LookUp::Found { receipt } if receipt.0["id"] == "P7"));
    assert!(matches!(
        verdict(json!({ "id": "P7", "amount": 4951 })),
        LookUp::Differs { .. }
    ));
    assert!(matches!(
        verdict(json!({ "id": "P7" })),
        LookUp::Differs { .. }
    ));
    let LookUp::Differs { why } = verdict(json!({ "id": "P7", "amount": 4951 })) else {
        panic!()
    };
    assert_eq!(
        why,
        "what is there under our reference differs: not `result.amount == input.amount`"
    );
    let other = bench.answer(422, "{}").unwrap();
    assert!(adoption(&call, &other).is_none());
}

#[test]
fn only_an_answer_that_says_so_proves_absence() {
    let write = post("C1");
    let call = write.call();
    let crate::plan::Repeat::LookUp(spec) = &call.operation.write().unwrap().repeat else {
        panic!()
    };
    let find = Bench::new(
        netledger(),
        "find",
        look_up_input(&call, spec, None).unwrap(),
    );
    let verdict = |status, body: &str| {
        let read = classify_read(&find.call(), &find.answer(status, body), now());
        look_up_verdict(&call, spec, &read)
    };
    assert_eq!(find.input, json!({ "reference": "R-1" }));
    assert_eq!(verdict(200, "<Found></Found>"), LookUp::Absent);
    let two = "<FOUND><Row><Value>-40.50 </Value><Journal> 7</Journal></Row><Row><Value>-9.00</Value></Row></FOUND>";
    assert!(matches!(verdict(200, two), LookUp::Found { receipt } if receipt.0["journal"] == "7"));
    let other = "<found><row><value>49.51</value><journal>7</journal></row></found>";
    assert!(matches!(verdict(200, other), LookUp::Differs { .. }));
    for (status, body) in [
        (200, "<html><p>maintenance</p></html>"),
        (200, ""),
        (200, "<Found>"),
        (200, "ERROR: no session"),
        (200, "<found><row>text</row></found>"),
        (500, "<Found></Found>"),
        (
            200,
            "<found><row><value>x</value></row><fault>broken</fault></found>",
        ),
    ] {
        let verdict = verdict(status, body);
        assert!(
            matches!(verdict, LookUp::Failed { .. }),
            "{status} {body}: {verdict:?}"
        );
    }
}

#[test]
fn errors_in_texts_and_inside_documents_are_recognised() {
    let bench = post("C1");
    let classify = |body: &str| classify_write(&bench.call(), &bench.answer(200, body), now());
    let done = classify("<Posted><Item><Journal>0000000512</Journal></Item></Posted>\n ");
    assert_eq!(receipt(&done), r#"{"journal":"0000000512"}"#);
    assert!(matches!(
        classify("ERROR the session ended"),
        Outcome::Reauthenticate { .. }
    ));
    assert!(matches!(
        classify("\"ERROR the session ended\""),
        Outcome::Reauthenticate { .. }
    ));
    assert!(matches!(
        classify("<string>ERROR the session ended</string>"),
        Outcome::Reauthenticate { .. }
    ));
    let refused = classify("<Posted><Fault>customer is on hold for good</Fault></Posted>");
    assert!(
        matches!(&refused, Outcome::Rejected { why, .. } if why == "customer is on hold "[..19].trim()),
        "{refused:?}"
    );
    assert!(matches!(classify("<Posted>"), Outcome::Unknown { .. }));
    let wrapped = classify(
        "<string xmlns='urn:x'>&lt;Posted&gt;&lt;Journal&gt;1&lt;/Journal&gt;&lt;/Posted&gt;</string>",
    );
    assert_eq!(receipt(&wrapped), r#"{"journal":"1"}"#);
}

#[test]
fn bytes_become_text_by_the_rule() {
    let bench = post("C1");
    let text = |bytes: &[u8]| decode(&bench.call(), &response(200, &[], bytes)).text;
    assert_eq!(text("Müller".as_bytes()), "Müller");
    assert_eq!(text(b"M\xFCller \x80"), "Müller €");
    assert_eq!(text(b"\xEF\xBB\xBFM\xC3\xBCller"), "Müller");
    let strict = Bench::new(payfast(), "get", json!({ "id": "P1" }));
    let utf8 = decode(
        &strict.call(),
        &response(200, &[], b"{\"a\": \"M\xFCller\"}"),
    );
    assert!(
        utf8.body.is_null() && utf8.unreadable.is_some(),
        "strict is the default"
    );
}

#[test]
fn numbers_of_answers_keep_their_digits() {
    let bench = create();
    let answer = bench.answer(
        200,
        r#"{"payment": {"id": 12345678901234567890123, "bank": 1.10}}"#,
    );
    let outcome = classify_write(&bench.call(), &answer, now());
    assert_eq!(
        receipt(&outcome),
        r#"{"bank":1.10,"id":12345678901234567890123}"#
    );
}

#[test]
fn pages_follow_their_cursor() {
    let bench = Bench::new(payfast(), "list", json!({}));
    let next = |body: &str| match classify_read(&bench.call(), &bench.answer(200, body), now()) {
        ReadResult::Found { result, next } => (result.as_array().unwrap().len(), next),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        next(r#"{"payments": [{}, {}], "next": "N"}"#),
        (2, Some(json!({ "cursor": "N", "headers": {} })))
    );
    for end in [r#""next": null"#, r#""next": """#, r#""other": 1"#] {
        assert_eq!(next(&format!(r#"{{"payments": [], {end}}}"#)), (0, None));
    }
}

#[test]
fn budgets_are_read_from_header_fields() {
    let connector = payfast();
    let bench = create();
    let state = |headers: &[(&str, &str)]| {
        rate_state(
            &connector,
            &decode(&bench.call(), &response(200, headers, b"{}")),
            now(),
        )
    };
    assert_eq!(
        state(&[
            ("x-left", "12"),
            ("X-RESET", "Sat, 14 Mar 2026 12:01:00 GMT")
        ]),
        Some(RateState {
            remaining: 12,
            resets_at: "2026-03-14T12:01:00Z".parse().unwrap()
        })
    );
    assert_eq!(
        state(&[
            ("X-Left", "many"),
            ("X-Reset", "Sat, 14 Mar 2026 12:01:00 GMT")
        ]),
        None
    );
    assert_eq!(state(&[("X-Left", "1")]), None);
}

#[test]
fn debug_output_shows_neither_data_nor_tokens() {
    let logon = Bench::new(netledger(), "logon", json!({}));
    let token = logon.answer(200, "TOKEN").unwrap();
    let event = RawEvent {
        id: "E1".into(),
        raw: Bytes::from_static(b"12"),
        document: json!("Jo"),
    };
    let call = create();
    let shown = format!("{token:?} {event:?} {:?}", call.call());
    assert_eq!(
        shown,
        "Answer { status: 200, text_bytes: 5, unreadable: None, .. } RawEvent(E1, 2 bytes) Call(payfast.create)"
    );
}
