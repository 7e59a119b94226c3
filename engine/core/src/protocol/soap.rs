//! SOAP 1.1 and 1.2 envelopes.

use super::EncodeError;
use super::xml::{self, Writing};
use crate::plan::SoapVersion;
use serde_json::{Map, Value as Document, json};

impl SoapVersion {
    const fn namespace(self) -> &'static str {
        match self {
            Self::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V12 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    /// The media type, and the header field that names the action where the media type does not.
    pub(super) fn headers(self, action: &str) -> Vec<(String, String)> {
        // An action is a URI; a quote or backslash in it would end the quoted string.
        let quoted = format!("\"{}\"", action.replace('\\', "\\\\").replace('"', "\\\""));
        match self {
            Self::V11 => vec![
                (
                    "Content-Type".to_owned(),
                    "text/xml; charset=utf-8".to_owned(),
                ),
                ("SOAPAction".to_owned(), quoted),
            ],
            Self::V12 => {
                let value = format!("application/soap+xml; charset=utf-8; action={quoted}");
                vec![("Content-Type".to_owned(), value)]
            }
        }
    }
}

/// The envelope around header and body, whose members become elements.
pub(super) fn envelope(
    version: SoapVersion,
    header: Option<Document>,
    body: Option<Document>,
    place: &str,
) -> Result<String, EncodeError> {
    let mut envelope = Map::new();
    envelope.insert("@xmlns:soap".to_owned(), version.namespace().into());
    if let Some(header) = header {
        envelope.insert("soap:Header".to_owned(), header);
    }
    envelope.insert("soap:Body".to_owned(), body.unwrap_or_else(|| json!({})));
    let tree = json!({ "soap:Envelope": envelope });
    xml::write(
        &tree,
        Writing {
            declaration: true,
            ..Writing::default()
        },
        place,
    )
}
