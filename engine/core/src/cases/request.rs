//! A request as a document: what cases expect and previews print.

use crate::http::HttpRequest;
use serde_json::{Map, Value as Document};

/// A request taken apart: its query decoded, its body read as what it says it is.
///
/// Members: `method`, `url` (without query), and where there are any `query`, `headers`, `body`. A query or form name that
/// stands more than once has the list of its values.
pub fn request_document(request: &HttpRequest) -> Document {
    let mut document = Map::new();
    document.insert("method".to_owned(), request.method.as_str().into());
    let (url, query) = match request.url.split_once('?') {
        Some((url, query)) => (url, Some(query)),
        None => (request.url.as_str(), None),
    };
    document.insert("url".to_owned(), url.into());
    if let Some(query) = query {
        document.insert(
            "query".to_owned(),
            Document::Object(query_parameters(query)),
        );
    }
    if !request.headers.is_empty() {
        let mut headers = Map::new();
        for (name, value) in &request.headers {
            insert(&mut headers, name.clone(), value.clone());
        }
        document.insert("headers".to_owned(), Document::Object(headers));
    }
    if !request.body.is_empty() {
        document.insert("body".to_owned(), body(request));
    }
    Document::Object(document)
}

fn body(request: &HttpRequest) -> Document {
    let text = String::from_utf8_lossy(&request.body);
    let media_type = request.header("content-type").unwrap_or_default();
    let media_type = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if (media_type == "application/json" || media_type.ends_with("+json"))
        && let Ok(document) = serde_json::from_str(&text)
    {
        return document;
    }
    if media_type == "application/x-www-form-urlencoded" {
        return Document::Object(query_parameters(&text));
    }
    Document::String(text.into_owned())
}

/// The parameters of a query, decoded; a name that stands more than once has the list of its values.
pub fn query_parameters(query: &str) -> Map<String, Document> {
    let mut map = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        insert(&mut map, decoded(name), decoded(value));
    }
    map
}

fn insert(map: &mut Map<String, Document>, name: String, value: String) {
    match map.get_mut(&name) {
        None => {
            map.insert(name, value.into());
        }
        Some(Document::Array(values)) => values.push(value.into()),
        Some(one) => *one = Document::Array(vec![one.take(), value.into()]),
    }
}

/// Undoes percent-encoding (RFC 3986) and `+` for a space, as servers read queries.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let value = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(value) = value {
            out.push(value);
            at += 3;
        } else {
            out.push(if *byte == b'+' { b' ' } else { *byte });
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::request_document;
    use crate::http::{HttpRequest, Method};
    use bytes::Bytes;
    use serde_json::json;
    use std::time::Duration;

    fn request(url: &str, content_type: &str, body: &str) -> HttpRequest {
        HttpRequest {
            method: Method::Post,
            url: url.to_owned(),
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: Bytes::copy_from_slice(body.as_bytes()),
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_query_is_decoded_and_repeated_names_are_lists() {
        let request = request(
            "http://x/y?a=%3CB%3E%20c&b=1+2&b=&c%26=%zz",
            "text/plain",
            "",
        );
        let document = request_document(&request);
        assert_eq!(document["url"], "http://x/y");
        assert_eq!(
            document["query"],
            json!({"a": "<B> c", "b": ["1 2", ""], "c&": "%zz"})
        );
        assert_eq!(document.get("body"), None);
    }

    #[test]
    fn a_body_is_read_as_what_it_says_it_is_and_keeps_its_digits() {
        let body = |content_type, body| {
            request_document(&request("http://x", content_type, body))["body"].clone()
        };
        assert_eq!(
            body("application/json; charset=utf-8", "{\"a\":49.50}").to_string(),
            "{\"a\":49.50}"
        );
        assert_eq!(
            body("application/vnd.api+json", "{\"a\":1}"),
            json!({"a": 1})
        );
        assert_eq!(body("application/json", "{broken"), json!("{broken"));
        assert_eq!(
            body("application/x-www-form-urlencoded", "a=b%26c"),
            json!({"a": "b&c"})
        );
        assert_eq!(body("text/xml", "<a/>"), json!("<a/>"));
    }
}
