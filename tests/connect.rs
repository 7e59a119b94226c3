//! Connecting by an authorization code, with the real binary against the simulated cloud gateway.

use crate::cli::operating::exchange;
use crate::cli::{Ran, Sealed};
use ml_connector_simulators::sage_x3::{self, CloudApplication, Fault, On, Switches};
use ml_connector_simulators::serve::{Server, lock};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdout};
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

const PAGE: &str = "https://connector.example.test/callback";
const CUSTOMER: &str = "https://halden.example.test";

/// A gateway that really listens, and an installation that is to be connected to it.
struct Cast {
    gateway: Arc<Mutex<sage_x3::Simulator>>,
    address: SocketAddr,
    sealed: Sealed,
    _server: Server,
    _runtime: Runtime,
}

/// A `connect` under way, of which the address has been read.
struct Connecting {
    child: Child,
    _out: BufReader<ChildStdout>,
    address: String,
}

impl Cast {
    fn new(redirect_uri: &str, switches: Switches) -> Self {
        let runtime = Runtime::new().unwrap();
        let application = CloudApplication {
            secret: "cloud-secret-91f0".to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            disabled: false,
        };
        let settings = sage_x3::Settings {
            cloud_applications: [("cloud-app".to_owned(), application)].into(),
            ..sage_x3::Settings::default()
        };
        let gateway = Arc::new(Mutex::new(sage_x3::Simulator::new(settings, switches, 11)));
        let server = runtime
            .block_on(Server::start(Arc::clone(&gateway)))
            .unwrap();
        let address = server.addr();
        lock(&gateway).settings.origin = format!("http://{address}");
        let sealed = Sealed::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).display().to_string();
        sealed.file(
            "ml-connector.yaml",
            &format!(
                "version: 1\nsite: halden\ndefinitions: {root}\nconnections:\n  books:\n    connector: sage-x3\n    settings:\n      \
                 base_url: http://{address}\n      endpoint: UKLIVE\n      auth: cloud_oauth2\n      client_id: cloud-app\n      \
                 token_url: http://{address}/v1/token\n      customer_url: {CUSTOMER}\n      redirect_uri: {redirect_uri}\n      \
                 graphql_path: v1/graphql\n      write_path: graphql\n      lookup: graphql\n    \
                 secrets: {{ client_secret: x3/client, refresh_token: x3/refresh }}\nintegrations: []\n"
            ),
        );
        sealed.run(&["secrets", "init"]).fine();
        sealed
            .run_with(&["secrets", "set", "x3/client"], "cloud-secret-91f0")
            .fine();
        Self {
            gateway,
            address,
            sealed,
            _server: server,
            _runtime: runtime,
        }
    }

    /// Begins, and reads the address to open.
    fn begin(&self, arguments: &[&str]) -> Connecting {
        let mut child = self.sealed.command(arguments).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut address = String::new();
        out.read_line(&mut address).unwrap();
        assert!(!address.is_empty(), "{:?}", Connecting::ends(child, ""));
        Connecting {
            child,
            _out: out,
            address: address.trim().to_owned(),
        }
    }

    /// What a person does: opens the address and agrees. Gives where the gateway posts what.
    fn agree(&self, address: &str) -> (String, Value) {
        let path = address
            .strip_prefix(&format!("http://{}", self.address))
            .expect(address);
        let answer = http(self.address, "GET", path, "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let state = parameter(address, "state");
        lock(&self.gateway).approve(&state).unwrap()
    }

    fn stored(&self) -> Vec<String> {
        let listed = self
            .sealed
            .run(&["secrets", "list", "--format", "json"])
            .json();
        let names = listed["secrets"].as_array().unwrap().iter();
        names
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Connecting {
    fn ended(self, input: &str) -> Ran {
        Self::ends(self.child, input)
    }

    fn ends(mut child: Child, input: &str) -> Ran {
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        Ran {
            code: child.wait().unwrap().code().unwrap(),
            out: String::new(),
            err,
        }
    }
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let head = format!("{method} {path} HTTP/1.1\r\nContent-Type: application/json");
    exchange(address, &head, body).unwrap()
}

fn parameter(address: &str, name: &str) -> String {
    let (_, query) = address.split_once('?').unwrap();
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    value.expect(address).to_owned()
}

#[test]
fn the_gateway_brings_the_code_to_this_machine_and_the_connection_answers() {
    // A port that is free now; nobody else is told of it.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = free.local_addr().unwrap();
    drop(free);
    let cast = Cast::new(&format!("http://{own}/back"), Switches::default());
    let not_yet = cast.sealed.run(&["ping", "books"]).ends(3);
    assert!(not_yet.contains("ml-connector connect"), "{not_yet}");

    let connecting = cast.begin(&["connect", "books"]);
    assert_eq!(
        parameter(&connecting.address, "customer"),
        "https%3A%2F%2Fhalden.example.test"
    );
    let (uri, body) = cast.agree(&connecting.address);
    assert_eq!(uri, format!("http://{own}/back"));
    // Somebody else's answer is refused, and changes nothing.
    let forged = body
        .to_string()
        .replace(body["state"].as_str().unwrap(), "forged");
    assert!(http(own, "POST", "/back", &forged).starts_with("HTTP/1.1 400"));
    assert!(http(own, "GET", "/favicon.ico", "").starts_with("HTTP/1.1 404"));
    assert!(http(own, "POST", "/back", &body.to_string()).starts_with("HTTP/1.1 200"));
    let ran = connecting.ended("");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("stored as `x3/refresh`"), "{}", ran.err);
    assert!(
        !ran.err
            .contains(body["authorizationCode"].as_str().unwrap())
    );

    assert_eq!(
        cast.stored(),
        ["x3/client", "x3/refresh"],
        "no request is open any more"
    );
    // Each process renews the token that the one before has stored.
    for pairs in 2..=3 {
        let said = cast.sealed.run(&["ping", "books"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(lock(&cast.gateway).token_pairs(), pairs);
    }
}

#[test]
fn what_somebody_else_agreed_to_later_is_pasted() {
    let switches = Switches {
        other_root: true,
        camel_case_tokens: true,
        ..Switches::default()
    };
    let cast = Cast::new(PAGE, switches);
    let nothing = cast
        .sealed
        .run_with(&["connect", "books", "--finish"], "code")
        .ends(3);
    assert!(
        nothing.contains("no request of `books` is open"),
        "{nothing}"
    );

    let connecting = cast.begin(&["connect", "books"]);
    let (uri, body) = cast.agree(&connecting.address);
    assert_eq!(uri, PAGE);
    let ran = connecting.ended("");
    assert_eq!(ran.code, 2, "nothing was pasted: {}", ran.err);
    assert_eq!(cast.stored(), ["connect/books", "x3/client"]);

    let other = body
        .to_string()
        .replace(body["state"].as_str().unwrap(), "other");
    let said = cast
        .sealed
        .run_with(&["connect", "books", "--finish"], &other)
        .ends(3);
    assert!(said.contains("belongs to another request"), "{said}");
    let ran = cast
        .sealed
        .run_with(&["connect", "books", "--finish"], &body.to_string());
    assert_eq!(ran.code, 0, "{}", ran.err);
    // The customer lives at another root, where the code was exchanged.
    assert!(
        ran.err.contains("set base_url and token_url"),
        "{}",
        ran.err
    );
    assert_eq!(cast.stored(), ["x3/client", "x3/refresh"]);
    let again = cast
        .sealed
        .run_with(&["connect", "books", "--finish"], &body.to_string())
        .ends(3);
    assert!(again.contains("no request of `books` is open"), "{again}");
}

#[test]
fn processes_that_renew_at_the_same_time_use_no_token_up_twice() {
    let cast = Cast::new(PAGE, Switches::default());
    let (_, refresh) = lock(&cast.gateway).pair("cloud-app", now());
    cast.sealed
        .run_with(&["secrets", "set", "x3/refresh"], &refresh)
        .fine();
    let at_once = 5;
    let pings: Vec<Child> = (0..at_once)
        .map(|_| cast.sealed.command(["ping", "books"]).spawn().unwrap())
        .collect();
    for ping in pings {
        let ran = Connecting::ends(ping, "");
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    assert_eq!(
        lock(&cast.gateway).token_pairs(),
        1 + at_once,
        "each renewed it once"
    );
}

#[test]
fn a_new_token_that_never_arrived_is_told_to_a_person() {
    let cast = Cast::new(PAGE, Switches::default());
    let (_, refresh) = lock(&cast.gateway).pair("cloud-app", now());
    cast.sealed
        .run_with(&["secrets", "set", "x3/refresh"], &refresh)
        .fine();
    lock(&cast.gateway).faults.plan(On::Token, Fault::DropAfter);
    assert_eq!(cast.sealed.run(&["ping", "books"]).code, 1);
    let ran = cast.sealed.run(&["ping", "books"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("connect again with `ml-connector connect"),
        "{ran:?}"
    );
}

#[test]
fn a_refusal_is_said_in_words_and_keeps_what_was_there() {
    let cast = Cast::new(PAGE, Switches::default());
    cast.sealed
        .run_with(&["secrets", "set", "x3/refresh"], "old")
        .fine();
    let connecting = cast.begin(&["connect", "books", "--paste"]);
    let state = parameter(&connecting.address, "state");
    let denied =
        format!("{PAGE}?error=access_denied&error_description=The%20user+said%20no&state={state}");
    let ran = connecting.ended(&denied);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("access_denied: The user said no"),
        "{}",
        ran.err
    );

    let connecting = cast.begin(&["connect", "books", "--paste"]);
    let ran = connecting.ended("guessed\n");
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("refuses with status 403"), "{}", ran.err);
    assert_eq!(cast.stored(), ["connect/books", "x3/client", "x3/refresh"]);
    // What the connection had is still there: nothing was put in its place.
    assert!(cast.sealed.run(&["ping", "books"]).code != 0);

    let usage = cast.sealed.run(&["connect", "books", "code"]).ends(2);
    assert!(usage.contains("unexpected argument"), "{usage}");
    assert!(
        cast.sealed
            .run(&["connect", "bocks"])
            .ends(2)
            .contains("there are: books")
    );
}
