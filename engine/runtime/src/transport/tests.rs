//! Real sockets: what arrives, how often, and what is said when it is not known.

use super::*;
use rustls::pki_types::PrivateKeyDer;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with the n-th request it has read completely.
type Script = fn(usize) -> Turn;

enum Turn {
    Answer(&'static str),
    Cut,
    Silent,
}

/// Serves on a free port; counts requests whose head arrived, over all connections.
async fn serve(script: Script) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, script, Arc::clone(&counter)));
        }
    });
    (base, seen)
}

async fn converse(mut stream: TcpStream, script: Script, seen: Arc<AtomicUsize>) {
    let mut buffer = Vec::new();
    loop {
        while !buffer.windows(4).any(|window| window == b"\r\n\r\n") {
            let mut chunk = [0; 1024];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(read) => buffer.extend_from_slice(&chunk[..read]),
            }
        }
        buffer.clear();
        match script(seen.fetch_add(1, Ordering::SeqCst)) {
            Turn::Answer(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Turn::Cut => return,
            Turn::Silent => std::future::pending::<()>().await,
        }
    }
}

async fn send(
    transport: &HttpTransport,
    url: String,
    timeout: Duration,
) -> Result<HttpResponse, SendError> {
    let request = HttpRequest {
        method: Method::Get,
        url,
        headers: vec![],
        body: Bytes::new(),
        timeout,
    };
    let connection = ConnectionId::new("netledger");
    transport
        .send(Outgoing {
            connection: &connection,
            request,
            answer_bytes_max: 16,
        })
        .await
}

const LONG: Duration = Duration::from_secs(20);
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-One: 1\r\n\r\nok";

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let (base, _) = serve(|_| Turn::Answer(OK)).await;
    let response = send(
        &HttpTransport::new(&[]).unwrap(),
        format!("{base}/a?b=c"),
        LONG,
    )
    .await
    .unwrap();
    assert_eq!(
        (
            response.status,
            &response.body[..],
            response.header("x-one")
        ),
        (200, &b"ok"[..], Some("1"))
    );
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = send(&HttpTransport::new(&[]).unwrap(), url, LONG)
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
}

#[tokio::test]
async fn a_failed_handshake_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let error = send(&HttpTransport::new(&[]).unwrap(), url, LONG)
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
}

#[tokio::test]
async fn a_connection_cut_after_the_request_is_unknown_and_seen_once() {
    let (base, seen) = serve(|_| Turn::Cut).await;
    let error = send(
        &HttpTransport::new(&[]).unwrap(),
        format!("{base}/post"),
        LONG,
    )
    .await
    .unwrap_err();
    assert!(matches!(error, SendError::Unknown { .. }), "{error}");
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_kept_connection_that_dies_under_a_request_does_not_resend_it() {
    let (base, seen) = serve(|n| if n == 0 { Turn::Answer(OK) } else { Turn::Cut }).await;
    let transport = HttpTransport::new(&[]).unwrap();
    send(&transport, format!("{base}/1"), LONG).await.unwrap();
    let error = send(&transport, format!("{base}/2"), LONG)
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::Unknown { .. }), "{error}");
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn no_answer_in_time_is_unknown() {
    let (base, seen) = serve(|_| Turn::Silent).await;
    let transport = HttpTransport::new(&[]).unwrap();
    let error = send(
        &transport,
        format!("{base}/?secret=x"),
        Duration::from_millis(50),
    )
    .await
    .unwrap_err();
    assert_eq!(
        error,
        SendError::Unknown {
            why: "no complete answer within 50 ms".to_owned()
        }
    );
    assert!(seen.load(Ordering::SeqCst) <= 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let (base, seen) =
        serve(|_| Turn::Answer("HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n"))
            .await;
    let response = send(&HttpTransport::new(&[]).unwrap(), format!("{base}/a"), LONG)
        .await
        .unwrap();
    assert_eq!((response.status, seen.load(Ordering::SeqCst)), (302, 1));
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    let (base, _) =
        serve(|_| Turn::Answer("HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n")).await;
    let transport = HttpTransport::new(&[]).unwrap();
    let error = send(&transport, format!("{base}/announced"), LONG)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        SendError::Unknown {
            why: "the answer is longer than 16 bytes".to_owned()
        }
    );
    let (base, _) = serve(|_| {
        Turn::Answer(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n11\r\n0123456789abcdefg\r\n",
        )
    })
    .await;
    let error = send(&transport, format!("{base}/chunked"), LONG)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        SendError::Unknown {
            why: "the answer is longer than 16 bytes".to_owned()
        }
    );
}

/// A server with a certificate that only `tls/ca.pem` vouches for. The key is for this test and
/// nothing else.
fn serve_tls() -> String {
    let chain = CertificateDer::pem_slice_iter(include_bytes!("../tests/tls/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../tests/tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream);
            // A client that does not trust us ends the handshake here.
            if tls.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {
                tls.write_all(OK.as_bytes()).unwrap();
            }
        }
    });
    url
}

#[tokio::test]
async fn a_house_certificate_is_trusted_for_its_own_connection_only() {
    let url = serve_tls();
    let stranger = HttpTransport::new(&[]).unwrap();
    let error = send(&stranger, url.clone(), LONG).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    let ca = include_bytes!("../tests/tls/ca.pem").to_vec();
    let other = HttpTransport::new(&[(ConnectionId::new("other"), ca.clone())]).unwrap();
    let error = send(&other, url.clone(), LONG).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error}");
    let own = HttpTransport::new(&[(ConnectionId::new("netledger"), ca)]).unwrap();
    assert_eq!(send(&own, url, LONG).await.unwrap().status, 200);
}

#[test]
fn a_dot_segment_is_refused_in_every_spelling() {
    for url in [
        "http://h/a/../b",
        "http://h/a/%2e%2E",
        "http://h/a/.%2e/b",
        "http://h/./a",
        "http://h/a/..",
    ] {
        assert!(has_dot_segment(url), "{url}");
    }
    for url in [
        "http://h/a..b/c",
        "http://h/...",
        "http://h/a?x=../..",
        "http://h.example/a",
    ] {
        assert!(!has_dot_segment(url), "{url}");
    }
}

#[test]
fn certificates_that_are_none_are_refused() {
    let connection = ConnectionId::new("netledger");
    for pem in [
        &b"not a certificate"[..],
        b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
    ] {
        let error = HttpTransport::new(&[(connection.clone(), pem.to_vec())]).unwrap_err();
        assert!(matches!(error, Error::Certificates { .. }), "{error}");
    }
}
