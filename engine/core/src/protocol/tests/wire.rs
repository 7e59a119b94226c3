//! The formats themselves: XML, SOAP, forms, links, percent-encoding.

use super::*;
use crate::plan::{Encoding, SoapVersion, XmlRules};
use crate::protocol::text::{Unmappable, path_segment};
use crate::protocol::xml::{self, Writing};
use crate::protocol::{form, graphql, paginate, soap};
use proptest::prelude::*;

fn write(document: &Document) -> Result<String, String> {
    xml::write(document, Writing::default(), "x").map_err(|error| error.to_string())
}

fn read(text: &str, rules: &XmlRules) -> String {
    match xml::read(text, rules, Encoding::Utf8) {
        Ok((document, _)) => document.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn trees_become_xml() {
    for (tree, expected) in [
        (json!({ "a": "x" }), "<a>x</a>"),
        (json!({ "a": null, "b": 1 }), "<b>1</b>"),
        (json!({ "a": { "@b": "1", "@n": null } }), "<a b=\"1\"/>"),
        (
            json!({ "a": { "b": [1, "2", true, null], "c": "" } }),
            "<a><b>1</b><b>2</b><b>true</b><c/></a>",
        ),
        (
            json!({ "a": { "@b": "\"<&>'\n\t", "#text": "<&>" } }),
            "<a b=\"&quot;&lt;&amp;&gt;&apos;&#10;&#9;\">&lt;&amp;&gt;</a>",
        ),
        (
            json!({ "a": { "#cdata": "x]]>y]]>" } }),
            "<a><![CDATA[x]]]]><![CDATA[>y]]]]><![CDATA[>]]></a>",
        ),
        (json!({ "a": "line\r\n" }), "<a>line&#13;\n</a>"),
        (
            json!({ "p:a": { "@xmlns:p": "urn:p" } }),
            "<p:a xmlns:p=\"urn:p\"/>",
        ),
    ] {
        assert_eq!(write(&tree).unwrap(), expected);
    }
    let declared = Writing {
        declaration: true,
        encoding: Encoding::Windows1252,
        unmappable: Unmappable::Fail,
    };
    assert_eq!(
        xml::write(&json!({ "a": "é" }), declared, "x").unwrap(),
        "<?xml version=\"1.0\" encoding=\"Windows-1252\"?><a>é</a>"
    );
    for bad in [
        json!({}),
        json!({ "a": 1, "b": 2 }),
        json!({ "a": [1, 2] }),
        json!("text"),
        json!({ "a b": 1 }),
        json!({ "1a": 1 }),
        json!({ "a": { "b><c": 1 } }),
        json!({ "a": { "@b c": 1 } }),
        json!({ "a": { "@b": {} } }),
        json!({ "a": "\u{0}" }),
        json!({ "a": "\u{FFFE}" }),
    ] {
        assert!(write(&bad).is_err(), "{bad}");
    }
    let mut deep = json!("x");
    for _ in 0..200 {
        deep = json!({ "a": deep });
    }
    assert_eq!(
        write(&deep).unwrap_err().split(": ").last(),
        Some("elements are nested deeper than 128")
    );
}

#[test]
fn xml_becomes_documents() {
    let plain = XmlRules::default();
    let rules = XmlRules {
        lowercase_names: true,
        lists: vec!["row".to_owned()],
        trim: true,
        unwrap: vec!["String".to_owned()],
        unwrap_base64: true,
        references: false,
    };
    for (text, expected) in [
        ("<a/>", r#"{"a":""}"#),
        ("<a> x </a>", r#"{"a":" x "}"#),
        ("<a b='1'>x</a>", r##"{"a":{"@b":"1","#text":"x"}}"##),
        (
            "<a><b>1</b><b>2</b><c/></a>",
            r#"{"a":{"b":["1","2"],"c":""}}"#,
        ),
        (
            "<p:a xmlns:p='urn:p'><p:b p:c='1'/></p:a>",
            r#"{"a":{"b":{"@c":"1"}}}"#,
        ),
        ("<a>x<b/>y</a>", r##"{"a":{"b":"","#text":"xy"}}"##),
        ("<a><![CDATA[<&>]]></a>", r#"{"a":"<&>"}"#),
        (
            "<?xml version='1.0' encoding='Windows-1252'?><a>&lt;&#233;</a>",
            r#"{"a":"<é"}"#,
        ),
        (
            "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><b i:nil='true'/></a>",
            r#"{"a":{"b":null}}"#,
        ),
        ("<a><!-- x --><?y z?></a>", r#"{"a":""}"#),
    ] {
        assert_eq!(read(text, &plain), expected, "{text}");
    }
    for (text, expected) in [
        ("<A><Row> 1 </Row></A>", r#"{"a":{"row":["1"]}}"#),
        (
            "<A B=' c '>\n x \n</A>",
            r##"{"a":{"@b":" c ","#text":"x"}}"##,
        ),
        ("<string>plain</string>", r#""plain""#),
        ("<STRING>&lt;A&gt;1&lt;/A&gt;</STRING>", r#"{"a":"1"}"#),
        (
            "<Envelope><Body><string>&lt;A/&gt;</string></Body></Envelope>",
            r#"{"a":""}"#,
        ),
        // `<A>é</A>`; outside an envelope a text stays a text, and inside one that is no base64 does.
        (
            "<Envelope><Body><string>PEE+w6k8\nL0E+</string></Body></Envelope>",
            r#"{"a":"é"}"#,
        ),
        ("<string>PEE+w6k8L0E+</string>", r#""PEE+w6k8L0E+""#),
        (
            "<Envelope><Body><string>ERROR: no</string></Body></Envelope>",
            r#""ERROR: no""#,
        ),
        (
            "<string><b>not text only</b></string>",
            r#"{"string":{"b":"not text only"}}"#,
        ),
    ] {
        assert_eq!(read(text, &rules), expected, "{text}");
    }
}

#[test]
fn unreadable_xml_says_why_and_never_overflows() {
    let rules = XmlRules::default();
    for (text, why) in [
        ("<a>", "it is not well-formed XML (line 1, column 1)"),
        ("<a></b>", "it is not well-formed XML (line 1, column 4)"),
        (
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
            "a document type is not taken (line 1, column 1)",
        ),
        (
            "<a>&unknown;</a>",
            "it is not well-formed XML (line 1, column 4)",
        ),
    ] {
        assert_eq!(read(text, &rules), why, "{text}");
    }
    for depth in [128, 129, 100_000] {
        let text = format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        let too_deep = read(&text, &rules) == "elements are nested deeper than 128";
        assert_eq!(too_deep, depth > 128, "{depth}");
    }
    let open = "<a>".repeat(100_000);
    assert!(read(&open, &rules).starts_with("it is not well-formed XML"));
}

#[test]
fn soap_envelopes() {
    let body = Some(json!({ "run": { "@xmlns": "urn:x", "publicName": "A" } }));
    let text = soap::envelope(SoapVersion::V11, None, body.clone(), "x").unwrap();
    assert_eq!(
        text,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
         <run xmlns=\"urn:x\"><publicName>A</publicName></run></soap:Body></soap:Envelope>"
    );
    let text = soap::envelope(SoapVersion::V12, Some(json!({ "h": 1 })), body, "x").unwrap();
    assert!(text.contains("http://www.w3.org/2003/05/soap-envelope"));
    assert!(text.contains("<soap:Header><h>1</h></soap:Header>"));
    let headers = SoapVersion::V11.headers("urn:\"x\"");
    assert_eq!(
        headers[1],
        ("SOAPAction".to_owned(), "\"urn:\\\"x\\\"\"".to_owned())
    );
    let headers = SoapVersion::V12.headers("urn:x");
    assert_eq!(
        headers[0].1,
        "application/soap+xml; charset=utf-8; action=\"urn:x\""
    );
}

#[test]
fn forms_and_graphql() {
    let pairs = [
        ("a b".to_owned(), "c&d=é+~".to_owned()),
        ("e".to_owned(), String::new()),
    ];
    assert_eq!(form::encode(&pairs), "a+b=c%26d%3D%C3%A9%2B~&e=");
    assert_eq!(
        graphql::body("query { x }", Some(json!({ "a": 1 }))).to_string(),
        r#"{"query":"query { x }","variables":{"a":1}}"#
    );
}

#[test]
fn next_links_stay_on_their_host() {
    let base = "https://api.example:8443/v1";
    let checked = |next: &str| paginate::checked_next_url(base, next).ok();
    assert_eq!(
        checked("https://API.example:8443/v1/x?p=2").as_deref(),
        Some("https://API.example:8443/v1/x?p=2")
    );
    assert_eq!(
        checked("/v1/x?p=2").as_deref(),
        Some("https://api.example:8443/v1/x?p=2")
    );
    for next in [
        "https://evil.example/v1",
        "http://api.example:8443/v1",
        "https://api.example/v1",
        "https://api.example:8443@evil.example/",
        "//evil.example/",
        "https://evil.example\\@api.example:8443/",
        "javascript:1",
        "x",
        "",
    ] {
        assert_eq!(checked(next), None, "{next}");
    }
}

fn linked(link: &str) -> Option<Document> {
    let text = PAYFAST.replace(
        "kind: cursor, next: $.next, parameter: after,",
        "kind: link_header,",
    );
    let bench = Bench::new(connector(&text), "list", json!({}));
    let answer = Ok(decode(
        &bench.call(),
        &response(200, &[("Link", link)], br#"{"payments": []}"#),
    ));
    match classify_read(&bench.call(), &answer, now()) {
        ReadResult::Found { next, .. } => next.map(|next| next["url"].clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn link_headers() {
    assert_eq!(
        linked(r#"<https://a/1>; rel="prev", <https://a/2>; rel="next""#),
        Some(json!("https://a/2"))
    );
    assert_eq!(
        linked(r#"<https://a/?x=1,2>; title="a, <b>"; REL=next"#),
        Some(json!("https://a/?x=1,2"))
    );
    assert_eq!(
        linked(r#"<https://a/2>; rel="last next""#),
        Some(json!("https://a/2"))
    );
    assert_eq!(linked(r#"<https://a/2>; rel="nextish""#), None);
    for odd in ["", "<", "<x", "<x>", ">;rel=next<", "<x>;rel", ",,,"] {
        assert_eq!(linked(odd), None, "{odd}");
    }
}

#[test]
fn numbered_pages_end_with_the_first_that_is_not_full() {
    for (kind, steps) in [
        ("kind: offset, parameter: offset, size: 2,", ["2", "4"]),
        (
            "kind: page, parameter: page, first: 1, size: 2,",
            ["2", "3"],
        ),
    ] {
        let text = PAYFAST.replace("kind: cursor, next: $.next, parameter: after,", kind);
        let mut bench = Bench::new(connector(&text), "list", json!({}));
        for step in steps {
            let full = bench.answer(200, r#"{"payments": [{}, {}]}"#);
            let ReadResult::Found { next, .. } = classify_read(&bench.call(), &full, now()) else {
                panic!()
            };
            let member = if kind.contains("offset") {
                "offset"
            } else {
                "number"
            };
            assert_eq!(next.as_ref().unwrap()[member].to_string(), step, "{kind}");
            bench.page = next.unwrap();
            assert!(bench.encode().unwrap().url.ends_with(&format!("={step}")));
        }
        let last = bench.answer(200, r#"{"payments": [{}]}"#);
        let ReadResult::Found { next, .. } = classify_read(&bench.call(), &last, now()) else {
            panic!()
        };
        assert_eq!(next, None);
    }
}

/// The `page` after an answer, for a list that is paged in this way.
fn page_after(
    kind: &str,
    page: Document,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Document> {
    let text = PAYFAST.replace("kind: cursor, next: $.next, parameter: after,", kind);
    let mut bench = Bench::new(connector(&text), "list", json!({}));
    bench.page = page;
    let answer = Ok(decode(
        &bench.call(),
        &response(200, headers, body.as_bytes()),
    ));
    match classify_read(&bench.call(), &answer, now()) {
        ReadResult::Found { next, .. } => next,
        other => panic!("{other:?}"),
    }
}

#[test]
fn offsets_go_on_to_the_total_or_to_an_empty_page() {
    let kind = "kind: offset, parameter: offset, size: 100, ends: empty, total: $.total,";
    let two = r#"{"payments": [{}, {}]}"#;
    let first = page_after(kind, Document::Null, &[("ETag", "v7")], two).unwrap();
    assert_eq!(first, json!({ "offset": 2, "headers": { "etag": "v7" } }));
    // A system that gives fewer than asked for: only an empty page is the last.
    let second = page_after(kind, first.clone(), &[], two).unwrap();
    assert_eq!(second["offset"], 4);
    let none = r#"{"payments": []}"#;
    assert_eq!(page_after(kind, first.clone(), &[], none), None);
    for total in ["4", "\"4\""] {
        let body = format!(r#"{{"payments": [{{}}, {{}}], "total": {total}}}"#);
        assert!(page_after(kind, Document::Null, &[], &body).is_some());
        assert_eq!(page_after(kind, first.clone(), &[], &body), None);
    }
}

#[test]
fn a_cursor_may_be_anything_and_more_may_stand_elsewhere() {
    let kind = "kind: cursor, next: '$.payments[-1]', more: $.more,";
    let rows =
        |more: &str| format!(r#"{{"payments": [{{"id": 1}}, {{"id": 2}}], "more": {more}}}"#);
    for yes in ["true", "\"Y\"", "1"] {
        let next = page_after(kind, Document::Null, &[], &rows(yes)).unwrap();
        assert_eq!(next["cursor"], json!({ "id": 2 }), "{yes}");
    }
    for no in ["false", "\"N\"", "0", "null", "\"\""] {
        assert_eq!(
            page_after(kind, Document::Null, &[], &rows(no)),
            None,
            "{no}"
        );
    }
}

/// Trees that survive the way there and back: no empty maps or lists, no null, texts only, lists of
/// two or more.
fn tree() -> impl Strategy<Value = Document> {
    let text = "[ -~\n\r\täß€😀]{0,12}".prop_map(Document::from);
    text.prop_recursive(3, 20, 4, |inner| {
        let name = "[a-z_]{1,5}";
        let list = proptest::collection::vec(inner.clone(), 2..4)
            .prop_filter("a list of lists has no form in XML", |items| {
                items.iter().all(|item| !item.is_array())
            });
        let member = prop_oneof![3 => inner, 1 => list.prop_map(Document::Array)];
        let attributes = proptest::collection::btree_map("@[a-z]{1,4}", "[ -~\n\r\té]{0,8}", 0..3);
        (
            attributes,
            proptest::collection::btree_map(name, member, 1..4),
        )
            .prop_map(|(attributes, members)| {
                let attributes = attributes
                    .into_iter()
                    .map(|(name, value)| (name, value.into()));
                Document::Object(attributes.chain(members).collect())
            })
    })
}

proptest! {
    #[test]
    fn xml_survives_the_round_trip(tree in tree().prop_filter("one root", |tree| !tree.is_array())) {
        let document = json!({ "root": tree });
        let text = write(&document).unwrap();
        prop_assert_eq!(read(&text, &XmlRules::default()), document.to_string(), "{}", text);
    }

    #[test]
    fn no_bytes_crash_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..300), status in 100_u16..600) {
        for bench in [create(), post("C1"), Bench::new(netledger(), "find", json!({ "reference": "r" }))] {
            let answer = decode(&bench.call(), &response(status, &[], &bytes));
            let shown = capture_answer(&bench.call(), &answer);
            let answer = Ok(answer);
            drop(classify_write(&bench.call(), &answer, now()));
            drop(classify_read(&bench.call(), &answer, now()));
            drop(shown);
        }
    }

    #[test]
    fn no_markup_crashes_the_decoder(text in "[<>/a-c!\\[\\]CDAT&;#x0-9 ='\"?-]{0,80}") {
        drop(xml::read(&text, &XmlRules { trim: true, unwrap: vec!["a".into()], ..XmlRules::default() }, Encoding::Utf8));
    }

    #[test]
    fn percent_encoding_is_reversible_and_safe(text in "\\PC{0,40}") {
        let encoded = percent_encode(&text);
        prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        let mut bytes = Vec::new();
        let mut rest = encoded.as_bytes();
        while let Some((first, tail)) = rest.split_first() {
            if *first == b'%' {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
                rest = &tail[2..];
            } else {
                bytes.push(*first);
                rest = tail;
            }
        }
        prop_assert_eq!(String::from_utf8(bytes).unwrap(), text.clone());
        if let Ok(segment) = path_segment(&text) {
            prop_assert!(!segment.contains('/') && !segment.is_empty());
        }
    }
}

#[test]
fn references_are_followed_and_circles_end() {
    let rules = XmlRules {
        references: true,
        ..XmlRules::default()
    };
    let text = r##"<b><messages><m href="#id0"/></messages><status>0</status>
        <multiRef id="id0"><type>3</type><message href="#id1"/></multiRef>
        <multiRef id="id1">not balanced</multiRef><loop id="x"><again href="#x"/></loop></b>"##;
    let (document, _) = xml::read(text, &rules, Encoding::Utf8).unwrap();
    assert_eq!(document["b"]["messages"]["m"]["type"], "3");
    assert_eq!(
        document["b"]["messages"]["m"]["message"]["#text"],
        "not balanced"
    );
}
