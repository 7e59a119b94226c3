//! Reading request targets and building answers, the parts that all systems share.

use bytes::Bytes;
use ml_connector_core::http::{HttpRequest, HttpResponse};

/// A request target taken apart and decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Path segments, percent-decoded, without empty ones.
    pub(crate) segments: Vec<String>,
    /// Query members in order, percent-decoded.
    pub(crate) query: Vec<(String, String)>,
    /// Length of path and query as they stand on the request line.
    pub(crate) bytes: usize,
}

impl Target {
    /// Takes a URL apart. `plus_is_space` is how the server reads a bare `+` in the query. `None` if an escape is
    /// broken or the text is not UTF-8.
    pub(crate) fn parse(url: &str, plus_is_space: bool) -> Option<Self> {
        let after_scheme = url
            .find("://")
            .map_or(url, |at| url.get(at + 3..).unwrap_or_default());
        let local = after_scheme
            .find(['/', '?'])
            .and_then(|at| after_scheme.get(at..))
            .unwrap_or("/");
        let local = if url.starts_with('/') { url } else { local };
        let local = local.split('#').next().unwrap_or_default();
        let (path, query) = local.split_once('?').unwrap_or((local, ""));
        let segments = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode(segment, false))
            .collect::<Option<Vec<_>>>()?;
        let query = query
            .split('&')
            .filter(|member| !member.is_empty())
            .map(|member| {
                let (name, value) = member.split_once('=').unwrap_or((member, ""));
                Some((
                    percent_decode(name, plus_is_space)?,
                    percent_decode(value, plus_is_space)?,
                ))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            segments,
            query,
            bytes: local.len(),
        })
    }

    /// The first query member of this name, ignoring case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Undoes percent-encoding.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus_is_space => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

/// An answer with one content type.
pub(crate) fn response(status: u16, content_type: &str, body: impl Into<Bytes>) -> HttpResponse {
    HttpResponse {
        status,
        headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
        body: body.into(),
    }
}

/// The media type of a request's body without its parameters, in lower case.
pub(crate) fn media_type(request: &HttpRequest) -> Option<String> {
    let value = request.header("content-type")?;
    Some(
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_decoded_and_measured_as_it_was_sent() {
        let target = Target::parse("http://h:1/a%20b/C?x=1%2B1+2&y", true).unwrap();
        assert_eq!(target.segments, ["a b", "C"]);
        assert_eq!(
            target.query,
            [
                ("x".to_owned(), "1+1 2".to_owned()),
                ("y".to_owned(), String::new())
            ]
        );
        assert_eq!(target.bytes, "/a%20b/C?x=1%2B1+2&y".len());
        assert_eq!(target.parameter("X"), Some("1+1 2"));
        assert_eq!(Target::parse("/p?q=%2", true), None);
        assert_eq!(Target::parse("http://h:1", true).unwrap().segments.len(), 0);
    }
}
