//! Calls become requests.

use super::*;
use crate::http::Method;

fn body(bench: &Bench) -> String {
    String::from_utf8(bench.encode().unwrap().body.to_vec()).unwrap()
}

#[test]
fn inserted_values_stay_where_they_are_put() {
    let url = |id: &str| {
        Bench::new(payfast(), "get", json!({ "id": id }))
            .encode()
            .map(|r| r.url)
    };
    assert_eq!(
        url("PM1").unwrap(),
        "https://api.payfast.example/v1/payments/PM1"
    );
    assert_eq!(
        url("a/b?c#d%2e&ü").unwrap(),
        "https://api.payfast.example/v1/payments/a%2Fb%3Fc%23d%252e%26%C3%BC"
    );
    for id in ["", ".", ".."] {
        assert!(
            matches!(url(id), Err(EncodeError::Template { .. })),
            "{id:?}"
        );
    }
}

#[test]
fn queries_leave_null_out_and_repeat_lists() {
    let mut bench = Bench::new(
        payfast(),
        "list",
        json!({ "since": "2026-03-14T00:00:00+01:00", "tags": ["a b", 2] }),
    );
    assert_eq!(
        bench.encode().unwrap().url,
        "https://api.payfast.example/v1/payments?at%5Bgte%5D=2026-03-14T00%3A00%3A00%2B01%3A00&tag=a%20b&tag=2&limit=5"
    );
    bench.page = json!({ "cursor": "NEXT/1", "headers": {} });
    let request = bench.encode().unwrap();
    assert!(
        request.url.ends_with("&limit=5&after=NEXT%2F1"),
        "{}",
        request.url
    );
    assert_eq!(request.method, Method::Get);
    let plain = Bench::new(payfast(), "list", json!({})).encode().unwrap();
    assert_eq!(plain.url, "https://api.payfast.example/v1/payments?limit=5");
}

#[test]
fn a_request_may_have_a_root_of_its_own() {
    let elsewhere = Bench::new(netledger(), "elsewhere", json!({}));
    assert_eq!(
        elsewhere.encode().unwrap().url,
        "http://ledger.example:8080/Soap/Version"
    );
}

#[test]
fn a_write_carries_version_key_token_and_body() {
    let request = create().encode().unwrap();
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(n, v)| format!("{n}: {v}"))
        .collect();
    assert_eq!(
        headers,
        [
            "X-Version: 7",
            "Content-Type: application/json",
            "Idempotency-Key: key-1",
            "Authorization: Bearer s3cret&"
        ]
    );
    assert_eq!(
        body(&create()),
        r#"{"payment":{"amount":4950,"payer":"nobody","tags":["a"]}}"#
    );
    assert_eq!(request.timeout, std::time::Duration::from_secs(30));
}

#[test]
fn without_its_key_a_write_is_not_written() {
    let bench = create();
    let call = Call {
        idempotency_key: None,
        ..bench.call()
    };
    assert!(matches!(
        encode(&call, &Keys),
        Err(EncodeError::Value { .. })
    ));
}

#[test]
fn missing_credentials_are_named_and_nothing_else_is() {
    let says = |bench: &Bench| encode(&bench.call(), &NoKeys).unwrap_err().to_string();
    assert_eq!(says(&create()), "no value for secret `token`");
    assert_eq!(says(&post("C1")), "no value for the session token");
    let logon = Bench::new(netledger(), "logon", json!({}));
    assert_eq!(says(&logon), "no value for secret `password`");
    let version = Bench::new(netledger(), "version", json!({}));
    assert!(encode(&version.call(), &NoKeys).is_ok());
}

#[test]
fn secrets_stay_out_of_masked_requests() {
    for bench in [
        create(),
        post("C1"),
        Bench::new(netledger(), "logon", json!({})),
    ] {
        let request = encode(&bench.call(), &Masked).unwrap();
        let shown = format!("{} {:?} {:?}", request.url, request.headers, request.body);
        assert!(
            !shown.contains("s3cret") && !shown.contains("SESSION"),
            "{shown}"
        );
    }
    let logon = Bench::new(netledger(), "logon", json!({}))
        .encode()
        .unwrap();
    assert_eq!(
        logon.url,
        "http://ledger.example:8080/Rest/Logon?Operator=GC&Password=s3cret%26&Company="
    );
}

#[test]
fn xml_is_built_from_structure_and_escaped() {
    let lines = json!([{ "no": 1, "text": "a<b" }, { "no": 2, "text": "\"&'" }]);
    let amount: Document = serde_json::from_str("149.50").unwrap();
    let input = json!({ "customer": "R&D <Łódź> €", "amount": amount, "lines": lines });
    let bench = Bench::new(netledger(), "post", input).set("transport", "post");
    assert_eq!(
        body(&bench),
        "<PostLong><UserId>SESSION 1</UserId><XmlIn>&lt;Post xmlns:x=&quot;urn:x&quot;&gt;\
         &lt;Customer&gt;R&amp;amp;D &amp;lt;Lódz&amp;gt; €&lt;/Customer&gt;&lt;Value&gt;149.50&lt;/Value&gt;\
         &lt;Reference&gt;R-1&lt;/Reference&gt;&lt;Line no=&quot;1&quot;&gt;a&amp;lt;b&lt;/Line&gt;\
         &lt;Line no=&quot;2&quot;&gt;&amp;quot;&amp;amp;&amp;apos;&lt;/Line&gt;\
         &lt;Rest&gt;&lt;Big&gt;yes&lt;/Big&gt;&lt;/Rest&gt;&lt;/Post&gt;</XmlIn></PostLong>"
    );
    let request = bench.encode().unwrap();
    assert_eq!(request.header("content-type"), Some("application/xml"));
    assert_eq!(request.timeout, std::time::Duration::from_secs(180));
}

#[test]
fn the_size_of_a_document_chooses_the_way() {
    assert_eq!(post("C1").encode().unwrap().method, Method::Get);
    assert_eq!(post("äöüßäöüßäöüß").encode().unwrap().method, Method::Post);
    let forced = post("äöüßäöüßäöüß")
        .set("transport", "get")
        .encode()
        .unwrap();
    assert!(
        forced
            .url
            .contains("XmlIn=%3CPost%20xmlns%3Ax%3D%22urn%3Ax%22%3E"),
        "{}",
        forced.url
    );
    assert!(forced.url.contains("%C3%A4%C3%B6%C3%BC"), "{}", forced.url);
}

#[test]
fn characters_the_target_lacks_follow_the_setting() {
    let customer = |policy: &str| {
        let request = post("Łódź")
            .set("unmappable", policy)
            .set("transport", "post")
            .encode();
        request.map(|request| String::from_utf8(request.body.to_vec()).unwrap())
    };
    assert!(customer("translit").unwrap().contains("Lódz"));
    assert!(customer("question").unwrap().contains("?ód?"));
    assert_eq!(
        customer("fail").unwrap_err().to_string(),
        "documents.document.Post.Customer: it has U+0141, which windows-1252 lacks"
    );
    let control = post("a\u{1}b").encode().unwrap_err().to_string();
    assert_eq!(
        control,
        "documents.document.Post.Customer: it has U+0001, which XML does not allow"
    );
}

#[test]
fn header_fields_cannot_be_split() {
    for value in ["a\r\nX: y", "ü", "a\0"] {
        let bench = create();
        let call = Call {
            idempotency_key: Some(value),
            ..bench.call()
        };
        assert!(
            matches!(encode(&call, &Keys), Err(EncodeError::Value { .. })),
            "{value:?}"
        );
    }
}

#[test]
fn captures_show_neither_secrets_nor_personal_data() {
    let bench = Bench::new(
        payfast(),
        "create",
        json!({ "amount": 1, "payer": "Jo Doe" }),
    );
    let shown = capture(&bench.call());
    assert_eq!(
        shown.request,
        "POST https://api.payfast.example/v1/payments"
    );
    assert_eq!(
        shown.body,
        r#"{"payment":{"amount":1,"payer":"[masked]","tags":["a"]}}"#
    );
    let answer = bench
        .answer(201, r#"{"payment": {"id": "P1", "payer": "Jo Doe"}}"#)
        .unwrap();
    assert_eq!(
        capture_answer(&bench.call(), &answer),
        r#"{"id":"P1","payer":"[masked]"}"#
    );
    let echo = bench
        .answer(422, r#"{"error": {"message": "Jo Doe is unknown"}}"#)
        .unwrap();
    assert_eq!(capture_answer(&bench.call(), &echo), "(43 characters)");
    let shown = capture(&post("C1").call());
    assert!(
        shown
            .request
            .starts_with("GET http://ledger.example:8080/Rest/Post?UserId=%5Bsession%5D&XmlIn=")
    );
    let logon = Bench::new(netledger(), "logon", json!({}));
    let token = logon.answer(200, "TOKEN").unwrap();
    assert_eq!(capture_answer(&logon.call(), &token), "");
    let long = Bench::new(payfast(), "list", json!({}));
    let answer = long
        .answer(200, &format!("\"{}\"", "ü".repeat(20_000)))
        .unwrap();
    let shown = capture_answer(&long.call(), &answer);
    assert!(
        shown.len() < 16_500 && shown.ends_with("… (40002 bytes)"),
        "{}",
        shown.len()
    );
}
