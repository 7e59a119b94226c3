//! The listeners over real sockets: webhooks, readiness, the control socket.

use super::world::{World, event, sign};
use crate::Listen;
use crate::operator::{self, Command, Reply};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn listening(folder: &tempfile::TempDir) -> World {
    let any = Some("127.0.0.1:0".parse().unwrap());
    let control = Some(folder.path().join("control.sock"));
    World::listening(
        &[],
        Listen {
            webhooks: any,
            admin: any,
            control,
            tokens: None,
        },
    )
    .await
}

/// One exchange on a connection of its own; the whole answer as text.
async fn say(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn webhook(body: &str, framing: &str, framed: &str) -> String {
    let signature = sign("hook-secret-5678", body.as_bytes());
    format!(
        "POST /webhooks/pay/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\nx-signature: {signature}\r\n{framing}\r\n\r\n{framed}"
    )
}

#[tokio::test]
async fn a_webhook_arrives_over_a_socket_in_either_framing() {
    let folder = tempfile::TempDir::new().unwrap();
    let world = listening(&folder).await;
    let address = world.engine().webhooks().unwrap();
    let whole = json!({ "events": [event("EV-1", "PM1")] }).to_string();
    let framing = format!("content-length: {}", whole.len());
    let answer = say(address, &webhook(&whole, &framing, &whole)).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    let chunked = json!({ "events": [event("EV-2", "PM2")] }).to_string();
    let (head, tail) = chunked.split_at(10);
    let framed = format!("a\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n\r\n", tail.len());
    let answer = say(
        address,
        &webhook(&chunked, "transfer-encoding: chunked", &framed),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(world.deliveries().await.len(), 2);
    // More than is taken, and not said beforehand.
    let long = "x".repeat(80 * 1024);
    let framed = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let answer = say(
        address,
        &webhook(&long, "transfer-encoding: chunked", &framed),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let get = "GET /webhooks/pay HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert!(say(address, get).await.starts_with("HTTP/1.1 405 "));
    world.stop().await;
}

#[tokio::test]
async fn the_admin_listener_tells_life_readiness_and_version() {
    let folder = tempfile::TempDir::new().unwrap();
    let world = listening(&folder).await;
    let address = world.engine().admin().unwrap();
    let get = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        say(address, &request).await
    };
    assert!(get("/livez").await.starts_with("HTTP/1.1 200 "));
    assert!(get("/readyz").await.starts_with("HTTP/1.1 200 "));
    assert!(get("/version").await.ends_with("test\n"));
    world.store().close().await.unwrap();
    assert!(get("/livez").await.starts_with("HTTP/1.1 200 "));
    assert!(get("/readyz").await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn the_control_socket_comes_and_goes_with_the_engine() {
    let folder = tempfile::TempDir::new().unwrap();
    // What a crashed engine left behind is in nobody's way.
    let path = folder.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let world = listening(&folder).await;
    let reply = operator::call(&path, &Command::Status).await.unwrap();
    let Reply::Status(status) = reply else {
        panic!("{reply:?}")
    };
    assert!(status.running_since.is_some());
    assert_eq!(status.polls[0].poll, "pay/sweep");
    world.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stop_is_not_kept_waiting_by_an_idle_connection() {
    let folder = tempfile::TempDir::new().unwrap();
    let world = listening(&folder).await;
    let address = world.engine().webhooks().unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    // One exchange shows that the connection was accepted; after it, it is kept and idle.
    idle.write_all(b"GET /webhooks/pay HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 405");
    let stopped = tokio::time::timeout(Duration::from_secs(20), world.stop()).await;
    assert!(stopped.is_ok());
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(
        rest.ends_with(b"\r\n\r\n"),
        "the answer's head, and then the end"
    );
}
