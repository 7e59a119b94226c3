//! Every kind of body, and every way to authenticate.

use super::*;
use crate::http::HttpRequest;

const SWISSBOOK: &str = include_str!("swissbook.yaml");

fn bench(operation: &str, auth: &str, who: &str) -> Bench {
    let text = SWISSBOOK.replace("auth: { kind: none }", &format!("auth: {{ {auth} }}"));
    Bench::new(connector(&text), operation, json!({ "who": who }))
}

fn sent(operation: &str, who: &str) -> (HttpRequest, Vec<u8>) {
    let request = bench(operation, "kind: none", who).encode().unwrap();
    let body = request.body.to_vec();
    (request, body)
}

#[test]
fn bodies_carry_their_media_type() {
    for (operation, media, body) in [
        (
            "form",
            "application/x-www-form-urlencoded",
            "who=a%26b+%C3%BC",
        ),
        (
            "soap",
            "application/soap+xml; charset=utf-8; action=\"urn:save\"",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
             <soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\"><soap:Header/>\
             <soap:Body><save xmlns=\"urn:x\"><who>a&amp;b ü</who></save></soap:Body></soap:Envelope>",
        ),
        (
            "graphql",
            "application/json",
            r#"{"query":"mutation($w: String!) { save(w: $w) }","variables":{"w":"a&b ü"}}"#,
        ),
        ("text", "text/csv", "who\na&b ü\n"),
    ] {
        let (request, sent) = sent(operation, "a&b ü");
        assert_eq!(String::from_utf8(sent).unwrap(), body, "{operation}");
        assert_eq!(request.header("content-type"), Some(media), "{operation}");
        let named = |name: &str| {
            request
                .headers
                .iter()
                .filter(|(n, _)| n.eq_ignore_ascii_case(name))
                .count()
        };
        assert_eq!(named("content-type"), 1, "{operation}");
        assert_eq!(named("x-note"), 0, "{operation}");
    }
    let (request, bytes) = sent("xml", "ü € Ł");
    assert_eq!(
        bytes,
        b"<?xml version=\"1.0\" encoding=\"Windows-1252\"?><a><who>\xFC \x80 ?</who></a>"
    );
    assert_eq!(
        request.header("Content-Type"),
        Some("application/xml; charset=windows-1252")
    );
}

#[test]
fn credentials_go_where_their_kind_says() {
    let request = |auth: &str| bench("form", auth, "x").encode().unwrap();
    let basic = request("kind: basic, username: me, password: \"{{ secrets.password }}\"");
    assert_eq!(
        basic.header("authorization"),
        Some("Basic bWU6czNjcmV0Jg==")
    );
    let header =
        request("kind: api_key, in: header, name: X-Key, value: \"{{ secrets.password }}\"");
    assert_eq!(header.header("x-key"), Some("s3cret&"));
    let query = request("kind: api_key, in: query, name: key, value: \"{{ secrets.password }}\"");
    assert!(query.url.ends_with("&key=s3cret%26"), "{}", query.url);
    let cookie = request("kind: api_key, in: cookie, name: key, value: \"{{ secrets.password }}\"");
    assert_eq!(cookie.header("cookie"), Some("key=s3cret&"));
    let oauth = request(
        "kind: oauth_client, token_url: \"https://id.example/token\", client_id: me, client_secret: \"{{ secrets.password }}\"",
    );
    assert_eq!(oauth.header("authorization"), Some("Bearer bearer"));
    assert_eq!(request("kind: none").header("authorization"), None);
}

#[test]
fn masked_credentials_can_be_read_as_such() {
    let masked = |auth: &str| encode(&bench("form", auth, "x").call(), &Masked).unwrap();
    let basic = masked("kind: basic, username: me, password: \"{{ secrets.password }}\"");
    assert_eq!(basic.header("authorization"), Some("Basic me:[secret]"));
    let bearer = masked("kind: bearer, token: \"{{ secrets.password }}\"");
    assert_eq!(bearer.header("authorization"), Some("Bearer [secret]"));
}

#[test]
fn an_optional_secret_that_is_not_there_is_named() {
    let bench = bench("form", "kind: bearer, token: \"{{ secrets.other }}\"", "x");
    let keys = encode(&bench.call(), &Keys).unwrap();
    assert_eq!(keys.header("authorization"), Some("Bearer s3cret&"));
    let error = encode(&bench.call(), &NoKeys).unwrap_err();
    assert_eq!(
        error,
        EncodeError::Credential {
            what: "secret `other`".to_owned()
        }
    );
}

#[test]
fn an_address_may_have_a_path_and_a_query_of_its_own() {
    let (request, _) = sent("form", "x");
    assert_eq!(request.url, "https://book.example/api/form/x?tenant=7");
}
