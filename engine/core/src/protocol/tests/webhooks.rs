//! Webhooks: only genuine ones, cut without touching a byte.

use super::*;
use crate::plan::{EventId, SignatureEncoding, TriggerKind, Verify, Webhook};
use crate::template::Path;
use jiff::Timestamp;
use proptest::prelude::*;

/// The worked example of a payment service's public documentation.
const SECRET: &str = "ED7D658C-D8EB-4941-948B-3973214F2D49";
const SIGNATURE: &str = "2693754819d3e32d7e8fcb13c729631f316c6de8dc1cf634d6527f1c07276e7e";

fn hook(verify: Verify) -> Webhook {
    Webhook {
        verify,
        each: Path::compile("$.events[*]").unwrap(),
        body_bytes_max: 1 << 20,
        events_max: 250,
        accepted: 202,
        refused: 401,
        content_types: vec!["application/json".to_owned()],
        wakes: Vec::new(),
    }
}

fn hmac(encoding: SignatureEncoding, prefix: &str) -> Webhook {
    hook(Verify::HmacSha256 {
        header: "X-Signature".to_owned(),
        encoding,
        prefix: prefix.to_owned(),
        secret: "hook".to_owned(),
    })
}

fn try_with(hook: &Webhook, value: Option<&str>, body: &[u8], secrets: &[&str]) -> Option<usize> {
    verify(hook, &|_| value.map(str::to_owned), body, secrets).ok()
}

const VECTOR: &[u8] = br#"{"events":[{"id":"EV00BD05S5VM2T","created_at":"2018-07-05T09:13:51.404Z","resource_type":"subscriptions","action":"created","links":{"subscription":"SB0003JJQ2MR06"},"details":{"origin":"api","cause":"subscription_created","description":"Subscription created via the API."},"metadata":{}},{"id":"EV00BD05TB8K63","created_at":"2018-07-05T09:13:56.893Z","resource_type":"mandates","action":"created","links":{"mandate":"MD000AMA19XGEC"},"details":{"origin":"api","cause":"mandate_created","description":"Mandate created via the API."},"metadata":{}}]}"#;

#[test]
fn the_published_vector_verifies_in_any_case() {
    let hook = hmac(SignatureEncoding::Hex, "");
    assert_eq!(try_with(&hook, Some(SIGNATURE), VECTOR, &[SECRET]), Some(0));
    assert_eq!(
        try_with(
            &hook,
            Some(&SIGNATURE.to_uppercase()),
            VECTOR,
            &["old", SECRET]
        ),
        Some(1)
    );
    let mut changed = VECTOR.to_vec();
    changed[20] ^= 1;
    assert_eq!(try_with(&hook, Some(SIGNATURE), &changed, &[SECRET]), None);
    assert_eq!(try_with(&hook, Some(SIGNATURE), VECTOR, &["other"]), None);
    assert_eq!(try_with(&hook, Some(SIGNATURE), VECTOR, &[]), None);
}

#[test]
fn bad_signatures_are_refused_and_never_a_crash() {
    let hook = hmac(SignatureEncoding::Hex, "");
    let short = &SIGNATURE[..62];
    let padded = format!("{SIGNATURE}00");
    for value in [
        None,
        Some(""),
        Some("zz"),
        Some("ü"),
        Some(short),
        Some(&padded),
        Some("abc"),
    ] {
        assert_eq!(try_with(&hook, value, VECTOR, &[SECRET]), None, "{value:?}");
    }
}

#[test]
fn other_schemes() {
    use base64::Engine as _;
    let bytes: Vec<u8> = (0..32)
        .map(|i| u8::from_str_radix(&SIGNATURE[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    let encoded = format!("sha256={}", base64::prelude::BASE64_STANDARD.encode(&bytes));
    let hook_64 = hmac(SignatureEncoding::Base64, "sha256=");
    assert_eq!(
        try_with(&hook_64, Some(&encoded), VECTOR, &[SECRET]),
        Some(0)
    );
    assert_eq!(
        try_with(&hook_64, Some(&encoded[7..]), VECTOR, &[SECRET]),
        None
    );
    let shared = hook(Verify::SharedSecret {
        header: "X".to_owned(),
        secret: "hook".to_owned(),
    });
    assert_eq!(try_with(&shared, Some("b"), b"", &["a", "b"]), Some(1));
    assert_eq!(try_with(&shared, Some("c"), b"", &["a", "b"]), None);
    assert_eq!(
        try_with(&shared, Some(""), b"", &[""]),
        None,
        "an empty secret matches nothing"
    );
    let basic = hook(Verify::Basic {
        secret: "hook".to_owned(),
    });
    assert_eq!(try_with(&basic, Some("Basic dTpw"), b"", &["u:p"]), Some(0));
    assert_eq!(try_with(&basic, Some("basic dTpw"), b"", &["u:p"]), Some(0));
    assert_eq!(try_with(&basic, Some("Bearer dTpw"), b"", &["u:p"]), None);
    assert_eq!(try_with(&basic, Some("Basic !!"), b"", &["u:p"]), None);
}

fn cut(each: &str, body: &str) -> Result<Vec<(String, String)>, String> {
    let webhook = Webhook {
        each: Path::compile(each).unwrap(),
        events_max: 3,
        ..hmac(SignatureEncoding::Hex, "")
    };
    let id = EventId::At(vec![Path::compile("$.id").unwrap()]);
    split(
        &webhook,
        &id,
        &Bytes::copy_from_slice(body.as_bytes()),
        Timestamp::UNIX_EPOCH,
    )
    .map(|events| {
        let text = |event: RawEvent| {
            let parsed: Document = serde_json::from_slice(&event.raw).unwrap();
            assert_eq!(parsed, event.document);
            (event.id, String::from_utf8(event.raw.to_vec()).unwrap())
        };
        events.into_iter().map(text).collect()
    })
    .map_err(|error| match error {
        WebhookError::Malformed { why } => why,
        WebhookError::NotGenuine => panic!(),
    })
}

#[test]
fn events_keep_their_bytes() {
    let body = "{\"x\": [1, {\"events\": 2}], \"events\" : [ {\"id\": \"a\",  \"n\": 1.10 } ,\n{ \"id\":7}], \"y\": {}}";
    let expected = [
        ("a", "{\"id\": \"a\",  \"n\": 1.10 }"),
        ("7", "{ \"id\":7}"),
    ];
    let owned = |(id, raw): &(&str, &str)| ((*id).to_owned(), (*raw).to_owned());
    assert_eq!(
        cut("$.events[*]", body).unwrap(),
        expected.iter().map(owned).collect::<Vec<_>>()
    );
    assert_eq!(
        cut("$.a.b[*]", r#"{"a":{"b":[{"id":"1" }]}}"#).unwrap()[0].1,
        r#"{"id":"1" }"#
    );
    assert_eq!(
        cut("$", r#" {"id": "1" } "#).unwrap()[0].1,
        r#"{"id": "1" }"#
    );
    assert_eq!(
        cut("$[*]", r#"[{"id": "1" }]"#).unwrap()[0].1,
        r#"{"id": "1" }"#
    );
    assert_eq!(
        cut("$.list[1]", r#"{"list": [0, {"id": "x"}, 2]}"#).unwrap()[0].0,
        "x"
    );
    assert_eq!(
        cut("$.list[-1]", r#"{"list": [0, {"id": "x"}]}"#).unwrap()[0].0,
        "x"
    );
    assert_eq!(
        cut("$..e", r#"{"a": {"e": {"id": "x"}}}"#).unwrap()[0].0,
        "x"
    );
    assert_eq!(cut("$.events[*]", r#"{"events": []}"#).unwrap(), []);
    let twice = cut("$.events[*]", r#"{"events": [{"id": "x"}, {"id": "x"}]}"#).unwrap();
    assert_eq!(twice.len(), 1, "an event that stands twice is one");
}

#[test]
fn what_does_not_fit_is_said_without_content() {
    let deep = format!(
        r#"{{"events": [{{"id": {}1{}}}]}}"#,
        "[".repeat(70),
        "]".repeat(70)
    );
    let very_deep = "[".repeat(1_000_000);
    let long_id = format!(r#"{{"events": [{{"id": "{}"}}]}}"#, "x".repeat(300));
    for (body, why) in [
        (
            r#"{"events": [{"id": "a"}, {"id": "a", "b": 1}]}"#,
            "two different events have the same id",
        ),
        (
            r#"{"events": [{"id": "a"}, {"no": 1}]}"#,
            "an event has no id",
        ),
        (r#"{"events": [{"id": ""}]}"#, "an event has no id"),
        (r#"{"events": [{"id": null}]}"#, "an event has no id"),
        (r#"{"events": [3]}"#, "an event has no id"),
        (
            r#"{"events": [{"id":1},{"id":2},{"id":3},{"id":4}]}"#,
            "it has more than 3 events",
        ),
        (
            r#"{"other": []}"#,
            "there is nothing where the events should stand",
        ),
        (
            r#"{"events": 3}"#,
            "there is nothing where the events should stand",
        ),
        (
            r#"{"events": "x"}"#,
            "there is nothing where the events should stand",
        ),
        (
            r#"{"events": [{"id": "a""#,
            "it is cut off (line 1, column 22)",
        ),
        ("", "it is cut off (line 1, column 0)"),
        (r#"{"events": [}"#, "it is not JSON (line 1, column 13)"),
        (r#"{"events": []} x"#, "it is not JSON (line 1, column 16)"),
        (&deep, "it is nested deeper than 64"),
        (&very_deep, "it is nested deeper than 64"),
        (&long_id, "an event's id is longer than 256 bytes"),
        (
            r#"{"events": [], "events": []}"#,
            "it is not JSON (line 1, column 23)",
        ),
    ] {
        let got = cut("$.events[*]", body).unwrap_err();
        assert_eq!(got, why, "{}", &body[..body.len().min(60)]);
    }
    let hook = hmac(SignatureEncoding::Hex, "");
    let id = Path::compile("$.id").unwrap();
    let error = split(
        &hook,
        &EventId::At(vec![id]),
        &Bytes::from_static(b"{\"a\": \"\xFF\"}"),
        Timestamp::UNIX_EPOCH,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the body is not what the trigger declares: not UTF-8 at byte 7"
    );
}

#[test]
fn a_trigger_from_a_definition_cuts_the_vector() {
    let connector = payfast();
    let trigger = &connector.triggers["events"];
    let TriggerKind::Webhook(webhook) = &trigger.kind else {
        panic!()
    };
    let events = split(
        webhook,
        &trigger.id,
        &Bytes::from_static(VECTOR),
        Timestamp::UNIX_EPOCH,
    )
    .unwrap();
    let ids: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["EV00BD05S5VM2T", "EV00BD05TB8K63"]);
    let joined: Vec<u8> = events
        .iter()
        .map(|event| event.raw.to_vec())
        .collect::<Vec<_>>()
        .join(&b','.to_owned());
    assert!(VECTOR.windows(joined.len()).any(|window| window == joined));
}

proptest! {
    #[test]
    fn no_bytes_crash_the_door(body in proptest::collection::vec(any::<u8>(), 0..200), field in ".{0,80}") {
        let hooks = [hmac(SignatureEncoding::Hex, ""), hmac(SignatureEncoding::Base64, "a"),
            hook(Verify::Basic { secret: String::new() }), hook(Verify::SharedSecret { header: "x".into(), secret: String::new() })];
        for hook in &hooks {
            prop_assert_eq!(try_with(hook, Some(&field), &body, &["unlikely secret"]), None);
        }
        let id = EventId::At(vec![Path::compile("$.id").unwrap()]);
        drop(split(&hooks[0], &id, &Bytes::from(body), Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn slicing_agrees_with_parsing(ids in proptest::collection::hash_set("[a-zé\"\\\\ ]{1,8}", 0..3), pad in "[ \n\t]{0,3}", n in any::<i64>()) {
        let events: Vec<_> = ids.iter().map(|id| json!({ "id": id, "n": n, "more": [{ "events": [1] }] })).collect();
        let body = format!("{pad}{{\"a\":{pad}[{{}}],\"events\":{pad}[{}]{pad}}}", events.iter().map(|e| format!("{pad}{e}{pad}")).collect::<Vec<_>>().join(","));
        let got = cut("$.events[*]", &body).unwrap();
        prop_assert_eq!(got.len(), events.len());
        for ((id, raw), event) in got.iter().zip(&events) {
            prop_assert_eq!(raw, &event.to_string());
            prop_assert_eq!(id.as_str(), event["id"].as_str().unwrap());
        }
    }
}

#[test]
fn events_without_an_id_are_told_apart_by_content_and_time() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let by_content = EventId::Content(std::time::Duration::from_secs(600));
    let one = serde_json::json!({ "worker": "W1", "what": ["a"] });
    let same = serde_json::json!({ "what": ["a"], "worker": "W1" });
    assert_eq!(by_content.of(&one, at(10)), by_content.of(&same, at(599)));
    assert_ne!(by_content.of(&one, at(10)), by_content.of(&one, at(601)));
    let other = serde_json::json!({ "worker": "W1", "what": ["b"] });
    assert_ne!(by_content.of(&one, at(10)), by_content.of(&other, at(10)));
    let by_two = EventId::At(vec![
        Path::compile("$.worker").unwrap(),
        Path::compile("$.what[0]").unwrap(),
    ]);
    assert_eq!(by_two.of(&one, at(0)), Some("W1-a".to_owned()));
    assert_eq!(
        by_two.of(&serde_json::json!({ "worker": "W1" }), at(0)),
        None
    );
}
