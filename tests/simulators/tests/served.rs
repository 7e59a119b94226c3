//! Real sockets: answers, cuts, delays, outages, webhooks, and the whole demonstration world.

use crate::support::start;
use ml_connector_simulators::Simulated as _;
use ml_connector_simulators::demo::syspro_gocardless::Show;
use ml_connector_simulators::demo::{Listen, Options, PAIRINGS, World};
use ml_connector_simulators::gocardless::{self, Endpoint, Kind, Party, Sending};
use ml_connector_simulators::serve::{Server, lock, wall_clock};
use ml_connector_simulators::syspro::{self, Fault, On, Period, Switches};
use ml_connector_simulators::webhooks::{Sender, sign};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MARCH: Period = Period {
    year: 2026,
    number: 3,
};

/// Sends one request and gives everything that comes back until the connection closes.
async fn talk(addr: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    // A cut connection may be reset; what came before counts.
    stream.read_to_end(&mut bytes).await.ok();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: erp\r\nConnection: close\r\n\r\n")
}

fn version() -> String {
    get("/SYSPROWCFService/Rest/GetVersion")
}

fn erp() -> Arc<Mutex<syspro::Simulator>> {
    Arc::new(Mutex::new(syspro::Simulator::new(
        Switches::default(),
        1,
        MARCH,
    )))
}

#[tokio::test]
async fn answers_cuts_and_delays_reach_the_wire() {
    let erp = erp();
    let server = Server::start(erp.clone()).await.unwrap();
    let addr = server.addr();
    let whole = talk(addr, &version()).await.unwrap();
    assert!(
        whole.starts_with("HTTP/1.1 200 OK\r\n") && whole.ends_with("8.0.0.12"),
        "{whole}"
    );

    lock(&erp).faults.plan(On::Any, Fault::DropBefore);
    assert_eq!(talk(addr, &version()).await.unwrap(), "");

    lock(&erp)
        .faults
        .plan(On::Any, Fault::Truncate { body_bytes: 3 });
    let cut = talk(addr, &version()).await.unwrap();
    assert!(
        cut.to_lowercase().contains("content-length: 8\r\n") && cut.ends_with("\r\n\r\n8.0"),
        "{cut}"
    );

    lock(&erp).faults.plan(
        On::Any,
        Fault::Slow {
            by: Duration::from_millis(30),
        },
    );
    assert!(talk(addr, &version()).await.unwrap().ends_with("8.0.0.12"));

    let odd = version().replace("GET", "BREW");
    assert!(talk(addr, &odd).await.unwrap().starts_with("HTTP/1.1 405"));
    assert_eq!(lock(&erp).calls(), 4);
    server.stop().await;
    assert!(talk(addr, &version()).await.is_err());
}

#[tokio::test]
async fn an_outage_refuses_connections_and_ends_on_the_same_port() {
    let erp = erp();
    let mut server = Server::start(erp.clone()).await.unwrap();
    let addr = server.addr();
    let mut idle = TcpStream::connect(addr).await.unwrap();
    idle.write_all(version().replace("Connection: close\r\n", "").as_bytes())
        .await
        .unwrap();
    let mut first = [0; 16];
    idle.read_exact(&mut first).await.unwrap();
    server.pause().await;
    assert!(talk(addr, &version()).await.is_err());
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.ok();
    server.resume().await.unwrap();
    assert!(
        talk(addr, &version())
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
}

/// A receiver that answers each request with the next of these statuses and keeps the bodies.
async fn receiver(statuses: Vec<u16>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4096];
            loop {
                let read = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&request);
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head
                    .lines()
                    .find_map(|line| {
                        line.to_lowercase()
                            .strip_prefix("content-length: ")?
                            .parse()
                            .ok()
                    })
                    .unwrap_or(0_usize);
                if body.len() >= length {
                    break;
                }
            }
            let answer = format!(
                "HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            requests.push(String::from_utf8_lossy(&request).into_owned());
        }
        requests
    });
    (addr, task)
}

#[tokio::test]
async fn webhooks_are_sent_again_until_they_are_taken_and_redirects_are_not_followed() {
    let (addr, receiver) = receiver(vec![503, 302, 204]).await;
    let settings = gocardless::Settings {
        webhook_retry_gaps: vec![Duration::from_millis(1); 8],
        ..gocardless::Settings::default()
    };
    let mut simulator = gocardless::Simulator::new(settings, 1, start());
    simulator
        .add_payer(&Party::new("A", "GBP"), start())
        .unwrap();
    let url = format!("http://{addr}/webhooks/gocardless");
    simulator.add_endpoint(Endpoint {
        url,
        secret: "s".to_owned(),
    });
    simulator.make_webhooks(&Sending::default(), start());
    let simulator = Arc::new(Mutex::new(simulator));
    let sender = Sender::start(simulator.clone(), 2);
    let requests = receiver.await.unwrap();
    sender.drained().await;
    assert_eq!(requests.len(), 3);
    assert!(requests[0].starts_with("POST /webhooks/gocardless HTTP/1.1\r\n"));
    let signature = |request: &str| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let stated = head.lines().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("webhook-signature: ")
                .map(str::to_owned)
        });
        assert_eq!(stated.unwrap(), sign("s", body.as_bytes()));
    };
    for request in &requests {
        signature(request);
    }
    let counts = sender.counts();
    assert_eq!(
        (
            counts.sent,
            counts.accepted,
            counts.unavailable,
            counts.refused
        ),
        (3, 1, 1, 1)
    );
    let simulator = lock(&simulator);
    let id = simulator.ids(Kind::Webhooks).pop().unwrap();
    let log = simulator.resource(Kind::Webhooks, &id).unwrap();
    assert_eq!(
        (log["successful"].as_bool(), log["response_code"].as_u64()),
        (Some(true), Some(204))
    );
}

/// An engine of ten lines that posts what it is told: enough to see that the world itself is sound.
mod engine {
    use super::{Arc, Mutex, TcpListener, get, gocardless, sign, talk};
    use ml_connector_simulators::demo::World;
    use serde_json::Value;
    use std::collections::{HashMap, HashSet};
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    pub(super) const SECRET_NAME: &str = "gocardless/hook";

    /// Takes webhooks until it is told to stop, giving the ids of the collected payments.
    pub(super) async fn take(
        listener: TcpListener,
        secret: String,
        seen: Arc<Mutex<HashSet<String>>>,
    ) {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let mut request = Vec::new();
            let mut part = vec![0; 65_536];
            let (signature, body) = loop {
                let read = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
                let Some(at) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
                    continue;
                };
                let head = String::from_utf8_lossy(&request[..at]).to_lowercase();
                let find = |name: &str| {
                    head.lines()
                        .find_map(|line| line.strip_prefix(name).map(str::to_owned))
                        .unwrap_or_default()
                };
                let length: usize = find("content-length: ").parse().unwrap();
                if request.len() >= at + 4 + length {
                    break (find("webhook-signature: "), request[at + 4..].to_vec());
                }
            };
            let good = signature == sign(&secret, &body);
            if good {
                let body: Value = serde_json::from_slice(&body).unwrap();
                for event in body["events"].as_array().unwrap() {
                    if event["action"] == "confirmed" {
                        seen.lock()
                            .unwrap()
                            .insert(event["links"]["payment"].as_str().unwrap().to_owned());
                    }
                }
            }
            let status = if good { 204 } else { 498 };
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    /// Posts one receipt through the REST layer; `times` is how often.
    pub(super) async fn post(
        (world, collector): (&World, &Mutex<gocardless::Simulator>),
        erp: SocketAddr,
        payment: &str,
        amount: &str,
        times: usize,
    ) {
        let codes: HashMap<String, String> = world
            .crosswalk()
            .into_iter()
            .map(|row| (row.key, row.values[0].1.clone()))
            .collect();
        let customer = {
            let collector = collector.lock().unwrap();
            let own = collector
                .collected()
                .into_iter()
                .find(|own| own.payment == payment)
                .unwrap();
            own.customer
        };
        let Some(code) = codes.get(&customer) else {
            return;
        };
        let secrets: HashMap<&str, String> = world.secrets().into_iter().collect();
        let encode = crate::support::encode;
        let logon = get(&format!(
            "/SYSPROWCFService/Rest/Logon?Operator=GC&OperatorPassword={}&CompanyId=EDU1&CompanyPassword={}",
            encode(&secrets["syspro/operator"]),
            encode(&secrets["syspro/company"]),
        ));
        let id = talk(erp, &logon).await.unwrap();
        let id = id.split("\r\n\r\n").nth(1).unwrap().trim().to_owned();
        let document = format!(
            "<PostArPayment><Item><Payment><Customer>{code}</Customer><PaymentValue>{amount}</PaymentValue>\
             <Reference>{payment}</Reference><JournalNotation/><UnappliedPayment><GrossPaymentValue>{amount}\
             </GrossPaymentValue></UnappliedPayment></Payment></Item></PostArPayment>"
        );
        for _ in 0..times {
            let url = format!(
                "/SYSPROWCFService/Rest/Transaction/Post?UserId={id}&BusinessObject=ARSTPY&XmlIn={}",
                encode(&document)
            );
            talk(erp, &get(&url)).await.unwrap();
        }
    }
}

/// A world of the first pairing, and a way behind its ports.
async fn world(
    options: Options,
) -> (
    World,
    Arc<Mutex<gocardless::Simulator>>,
    Arc<Mutex<syspro::Simulator>>,
) {
    let show = Show::start(options.clone(), wall_clock()()).await.unwrap();
    let (collector, erp) = (show.collector(), show.erp());
    (
        World::of(PAIRINGS[0], options, Box::new(show)),
        collector,
        erp,
    )
}

#[tokio::test]
async fn the_world_sends_everything_and_its_table_tells_right_from_wrong() {
    let options = Options {
        records: 30,
        steps: 3,
        pace: Duration::ZERO,
        outage: 1..2,
        tampered: 4,
        cut_per_mille: 0,
        batch: 5,
        // One in which nothing that was collected is taken back within three parts.
        seed: 54,
        ..Options::default()
    };
    let (mut world, collector, erp_books) = world(options).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let engine = listener.local_addr().unwrap();
    let listen = Listen {
        webhooks: engine.to_string(),
        admin: "127.0.0.1:0".to_owned(),
    };
    let site = world.site(&listen);
    assert!(site.contains(&format!("webhooks: \"{engine}\"")), "{site}");
    let base = site
        .split("base_url: \"")
        .nth(2)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let erp: SocketAddr = base
        .trim_start_matches("http://")
        .trim_end_matches("/SYSPROWCFService/Rest")
        .parse()
        .unwrap();
    let secret = world
        .secrets()
        .into_iter()
        .find(|(name, _)| *name == engine::SECRET_NAME)
        .unwrap()
        .1;
    let seen = Arc::new(Mutex::new(std::collections::HashSet::new()));
    #[expect(clippy::disallowed_methods, reason = "aborted at the end of the test")]
    let receiving = tokio::spawn(engine::take(listener, secret, seen.clone()));
    world.send_to(&format!("http://{engine}"));
    assert!(world.advance().await.unwrap());
    assert!(world.advance().await.unwrap());
    assert!(!world.progress().target_up && talk(erp, &version()).await.is_err());
    world.run(|_| ()).await.unwrap();
    assert!(world.progress().target_up);

    let progress = world.progress();
    assert_eq!((progress.made, progress.refused), (30, 4));
    assert!(progress.to_hold < 30);
    while seen.lock().unwrap().len() < 30 {
        tokio::task::yield_now().await;
    }
    let payments: Vec<String> = {
        let mut payments: Vec<String> = seen.lock().unwrap().iter().cloned().collect();
        payments.sort();
        payments
    };
    let amount_of = |payment: &str| {
        let own = lock(&collector)
            .collected()
            .into_iter()
            .find(|own| own.payment == payment);
        own.unwrap().amount().to_string()
    };
    for payment in &payments {
        engine::post((&world, &collector), erp, payment, &amount_of(payment), 1).await;
    }
    assert!(world.settle(Duration::from_secs(10), |_| ()).await);
    let closing = world.closing(None);
    assert!(closing.ok, "{closing}");
    assert!(
        closing
            .money
            .iter()
            .all(|sum| sum.collected == sum.held + sum.posted)
    );
    assert!(
        closing
            .lines
            .iter()
            .any(|line| line.what == "duplicate" && line.world > 0)
    );
    let posted = lock(&erp_books).receipts()[0].reference.clone();
    engine::post((&world, &collector), erp, &posted, &amount_of(&posted), 1).await;
    let closing = world.closing(None);
    assert!(!closing.ok && closing.differences.len() == 1, "{closing}");
    assert!(closing.differences[0].contains("posted 2 times"));
    receiving.abort();
    world.stop().await;
}

#[tokio::test]
async fn two_worlds_of_one_seed_agree_in_every_amount() {
    let amounts = async |seed| {
        let options = Options {
            seed,
            records: 12,
            steps: 1,
            tampered: 0,
            pace: Duration::ZERO,
            ..Options::default()
        };
        let (mut world, collector, _) = world(options).await;
        world.run(|_| ()).await.unwrap();
        let collected = lock(&collector).collected();
        world.stop().await;
        collected
            .into_iter()
            .map(|own| (own.payment, own.amount_minor, own.currency))
            .collect::<Vec<_>>()
    };
    assert_eq!(amounts(3).await, amounts(3).await);
    assert_ne!(amounts(3).await, amounts(4).await);
}
