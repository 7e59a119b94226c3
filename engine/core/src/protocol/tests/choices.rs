//! What a connection's settings choose, and documents inside answers.

use super::*;

/// Ways to authenticate by a setting; documents inside its answers.
const CHOOSY: &str = include_str!("../../definition/samples/connectors/choosy/connector.yaml");

fn ask() -> Bench {
    Bench::new(connector(CHOOSY), "ask", json!({}))
}

#[test]
fn a_setting_chooses_how_requests_are_authenticated() {
    let authorization = |way: &str| {
        let request = ask().set("way", way).encode();
        request.map(|request| request.header("authorization").map(str::to_owned))
    };
    assert_eq!(
        authorization("basic").unwrap().as_deref(),
        Some("Basic am9lOnMzY3JldCY=")
    );
    assert_eq!(
        authorization("token").unwrap().as_deref(),
        Some("Bearer bearer")
    );
    assert_eq!(authorization("none").unwrap(), None);
}

#[test]
fn documents_inside_an_answer_take_the_place_of_their_texts() {
    let body = |text: &str| {
        let answer = ask().answer(200, text).unwrap();
        (answer.body.to_string(), answer.unreadable)
    };
    let (read, trouble) =
        body("<a><note t='1'>{\"n\": [1.50]}</note><payload>PGI+eDwvYj4=</payload><note/></a>");
    assert_eq!(trouble, None);
    assert_eq!(
        read,
        r#"{"a":{"note":[{"n":[1.50]},null],"payload":{"b":"x"}}}"#
    );
    let (read, _) = body("<a><note>&lt;f n='X'&gt;1&lt;/f&gt;</note></a>");
    assert_eq!(read, r##"{"a":{"note":{"f":{"@n":"X","#text":"1"}}}}"##);
    for page in [
        "<html><br></html>",
        "{ not quite",
        "Error 50: Invalid token",
    ] {
        let (read, trouble) = body(page);
        assert_eq!((read, trouble), (json!(page).to_string(), None));
    }
    assert_eq!(body(r#"{"a": 1.10}"#).0, r#"{"a":1.10}"#);
    for broken in [
        "<a><note>{</note></a>",
        "<a><note>plain</note></a>",
        "<a><payload>%%</payload></a>",
        "<a><payload>eA==</payload></a>",
    ] {
        let (_, trouble) = body(broken);
        assert!(trouble.is_some_and(|why| why.contains('`')), "{broken}");
    }
}
