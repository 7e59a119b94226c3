//! HTTP over the network. Sends each request at most once, and says whether it can have arrived.
//!
//! # Why nothing is sent twice
//! - Redirects are answers, not instructions; protocol-level retries are switched off; only
//!   HTTP/1.1 is spoken, because an HTTP/2 refusal may be resent inside the client.
//! - The connection pool below has one resend of its own, for a request that it took back before
//!   its first byte was written (the pooled connection turned out to be closed). That is not a
//!   second send. A request that a dead connection has begun to write comes back as an error, which
//!   is reported as [`SendError::Unknown`].
//! - To make that second case rare, idle connections are kept only for [`IDLE_MAX`], which is
//!   shorter than the keep-alive time of common servers.

use crate::seams::{Outgoing, Transport};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use ml_connector_core::http::{HttpRequest, HttpResponse, Method, SendError};
use ml_connector_core::identity::ConnectionId;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

/// How long an unused connection is kept.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(2);
/// How long name resolution, connecting and the TLS handshake may take together. Within it a
/// failure is "not sent".
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Idle connections kept per host.
const IDLE_PER_HOST_MAX: usize = 32;

/// A transport that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The extra certificates of a connection cannot be read.
    #[error("the extra certificates of connection `{connection}` are not PEM certificates: {why}")]
    Certificates {
        /// Which connection.
        connection: ConnectionId,
        /// What is wrong.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The HTTP client cannot be built.
    #[error("cannot set up the HTTP client")]
    Client(#[from] reqwest::Error),
}

/// The network.
#[derive(Debug)]
pub struct HttpTransport {
    /// Trusts the public certificate authorities.
    public: reqwest::Client,
    /// Trusts also what the site gives for one connection.
    private: HashMap<ConnectionId, reqwest::Client>,
}

impl HttpTransport {
    /// Builds the clients; `extra` holds PEM certificates that a connection trusts beside the
    /// public ones.
    ///
    /// # Errors
    /// If a certificate cannot be read.
    pub fn new(extra: &[(ConnectionId, Vec<u8>)]) -> Result<Self, Error> {
        let mut private = HashMap::new();
        for (connection, pem) in extra {
            private.insert(connection.clone(), client(certificates(connection, pem)?)?);
        }
        Ok(Self {
            public: client(Vec::new())?,
            private,
        })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<HttpResponse, SendError> {
        let client = self
            .private
            .get(outgoing.connection)
            .unwrap_or(&self.public);
        let limit = outgoing.request.timeout;
        let request = build(outgoing.request)?;
        match tokio::time::timeout(limit, exchange(client, request, outgoing.answer_bytes_max))
            .await
        {
            Ok(answer) => answer,
            Err(_) => Err(SendError::Unknown {
                why: format!("no complete answer within {}", seconds(limit)),
            }),
        }
    }
}

async fn exchange(
    client: &reqwest::Client,
    request: reqwest::Request,
    bytes_max: u64,
) -> Result<HttpResponse, SendError> {
    let mut response = client.execute(request).await.map_err(failure)?;
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let too_long = || SendError::Unknown {
        why: format!("the answer is longer than {bytes_max} bytes"),
    };
    if response
        .content_length()
        .is_some_and(|length| length > bytes_max)
    {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if (body.len() as u64).saturating_add(chunk.len() as u64) > bytes_max {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse {
        status,
        headers,
        body: body.freeze(),
    })
}

/// A request as the client wants it. What cannot be written as one was certainly not sent.
fn build(request: HttpRequest) -> Result<reqwest::Request, SendError> {
    let not_sent = |why: &str| SendError::NotSent {
        why: why.to_owned(),
    };
    if has_dot_segment(&request.url) {
        return Err(not_sent(
            "a path segment is `.` or `..`, which would address something else",
        ));
    }
    let url = reqwest::Url::parse(&request.url)
        .map_err(|error| not_sent(&format!("the URL is not valid: {error}")))?;
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| not_sent(&format!("`{name}` is not a header field name")))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
            not_sent(&format!(
                "the value of header field `{name}` has characters it may not have"
            ))
        })?;
        headers.append(key, value);
    }
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    };
    let bodiless =
        request.body.is_empty() && matches!(request.method, Method::Get | Method::Delete);
    let mut built = reqwest::Request::new(method, url);
    *built.headers_mut() = headers;
    if !bodiless {
        *built.body_mut() = Some(Bytes::into(request.body));
    }
    Ok(built)
}

/// Whether the path has a `.` or `..` segment, also in percent-encoded form: the client would
/// resolve it away, and an id such as `..` would then address another resource.
fn has_dot_segment(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).skip(1).any(|segment| {
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        plain == "." || plain == ".."
    })
}

/// Whether an error proves that nothing was sent. Only errors of connecting do.
fn failure(error: reqwest::Error) -> SendError {
    let before_sending = error.is_connect() || error.is_builder();
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Layers of the client repeat each other's text.
        if !why.contains(&text) {
            why.push_str(": ");
            why.push_str(&text);
        }
        source = cause.source();
    }
    if before_sending {
        SendError::NotSent { why }
    } else {
        SendError::Unknown { why }
    }
}

fn client(extra: Vec<CertificateDer<'static>>) -> Result<reqwest::Client, Error> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for certificate in extra {
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_MAX)
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .user_agent(concat!("ml-connector/", env!("CARGO_PKG_VERSION")))
        .build()?)
}

fn certificates(
    connection: &ConnectionId,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |why: String| Error::Certificates {
        connection: connection.clone(),
        why,
    };
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(error.to_string()))?;
    if found.is_empty() {
        Err(unreadable("there is none".to_owned()))
    } else {
        Ok(found)
    }
}

fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}

#[cfg(test)]
mod tests;
