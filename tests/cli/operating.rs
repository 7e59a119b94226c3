//! `run` and everything that operates it, and the store when nobody runs.

use super::{Ran, Sealed, assert_conforms};
use ml_connector_simulators::webhooks::sign;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::process::{Child, ChildStderr, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A running engine, told to stop when dropped.
pub(crate) struct Engine {
    child: Child,
    log: BufReader<ChildStderr>,
    webhooks: String,
    /// Where the operator API is.
    pub(crate) admin: String,
}

impl Engine {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(sealed: &Sealed) -> Self {
        let mut child = sealed.command(["run", "--grace", "5"]).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut engine = Self {
            child,
            log,
            webhooks: String::new(),
            admin: String::new(),
        };
        let mut seen = String::new();
        while engine.webhooks.is_empty() {
            let mut line = String::new();
            assert_ne!(
                engine.log.read_line(&mut line).unwrap(),
                0,
                "it ended: {seen}"
            );
            let entry: serde_json::Value = serde_json::from_str(&line).expect(&line);
            if entry["msg"] == "ready" {
                entry["admin"]
                    .as_str()
                    .unwrap()
                    .clone_into(&mut engine.admin);
                entry["webhooks"]
                    .as_str()
                    .unwrap()
                    .clone_into(&mut engine.webhooks);
            }
            seen += &line;
        }
        engine
    }

    /// Sends a signed webhook and gives the status.
    pub(crate) fn receive(&self, body: &str, secret: &str) -> u16 {
        let signature = sign(secret, body.as_bytes());
        let head = format!(
            "POST /webhooks/payfast HTTP/1.1\r\nContent-Type: application/json\r\nX-Signature: {signature}"
        );
        let answer = exchange(&self.webhooks, &head, body).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Tells it to stop and waits; the exit code and the rest of the log.
    pub(crate) fn stop(mut self) -> (i32, String) {
        signal(&self.child, "TERM");
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code().unwrap(), log)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// One request, its line and headers apart from its body, over a connection of its own; gives the whole answer.
pub(crate) fn exchange(address: impl ToSocketAddrs, head: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let length = body.len();
    let request = format!(
        "{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Whether an engine is ready.
pub(crate) fn ready(admin: SocketAddr) -> bool {
    let answer = exchange(admin, "GET /readyz HTTP/1.1", "");
    answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// A free port, never the same one twice, that no outgoing connection is given while the engine is down: it is below all
/// of those (Linux: 32768 and up).
pub(crate) fn free() -> SocketAddr {
    static FIRST: OnceLock<u64> = OnceLock::new();
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    let first = *FIRST.get_or_init(|| RandomState::new().build_hasher().finish() % 10_000);
    loop {
        let next = (first + TAKEN.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let port = 20_000 + u16::try_from(next).unwrap();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap()
            .success()
    );
}

pub(crate) fn events(customers: &[&str]) -> String {
    let events: Vec<String> = customers
        .iter()
        .enumerate()
        .map(|(at, customer)| {
            format!(
                r#"{{"id":"EV{at}","kind":"payment","payment":"PM{at}","customer":"{customer}"}}"#
            )
        })
        .collect();
    format!("{{\"events\":[{}]}}", events.join(","))
}

/// Asks again until the answer is as wanted: the engine works at its own pace.
#[track_caller]
pub(crate) fn until(sealed: &Sealed, arguments: &[&str], wanted: impl Fn(&Ran) -> bool) -> Ran {
    const TRIES: usize = 500;
    for _ in 0..TRIES {
        let ran = sealed.run(arguments);
        if wanted(&ran) {
            return ran;
        }
    }
    panic!("never came: {arguments:?}: {:#?}", sealed.run(arguments));
}

#[test]
fn it_refuses_to_run_what_has_findings() {
    let sealed = Sealed::with_vault();
    sealed.change(
        "mappings/netledger-payfast/bills.yaml",
        "payment.iban",
        "payment.iban2",
    );
    let ran = sealed.run(&["run"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("error[E0312]"), "{ran:?}");
    assert!(!sealed.path("data/journal").exists());
}

#[test]
fn it_names_every_secret_that_is_missing_before_it_starts() {
    let sealed = Sealed::with_definitions();
    let said = sealed.run(&["run"]).ends(3);
    assert!(
        said.contains("vault") && said.contains("secrets init"),
        "{said}"
    );
    sealed.run(&["secrets", "init"]).fine();
    sealed
        .run_with(&["secrets", "set", "payfast/token"], "x")
        .fine();
    let said = sealed.run(&["run"]).ends(3);
    assert!(
        said.contains("`payfast/hook`") && said.contains("`netledger/key`"),
        "{said}"
    );
    assert!(!said.contains("`payfast/token`"), "{said}");
}

#[test]
fn without_a_site_file_the_next_step_is_named() {
    let said = Sealed::new().run(&["status"]).ends(3);
    assert!(
        said.contains("ml-connector.yaml") && said.contains("--site"),
        "{said}"
    );
}

#[test]
fn a_running_engine_is_operated_from_beside() {
    let sealed = Sealed::with_vault();
    let engine = Engine::start(&sealed);
    let body = events(&["CU1", "CU2"]);
    assert_eq!(engine.receive(&body, "wrong"), 401);
    assert_eq!(engine.receive(&body, "hook-77c1"), 202);
    assert_eq!(engine.receive(&body, "hook-77c1"), 202);

    let held = ["deliveries", "list", "--state", "held", "--format", "json"];
    let count = |ran: &Ran| ran.json()["deliveries"].as_array().unwrap().len();
    let ran = until(&sealed, &held, |ran| count(ran) == 2);
    assert_conforms(&sealed, "deliveries", &ran.json());
    let first = &ran.json()["deliveries"][0];
    assert_eq!(first["class"], "missing_master_data");
    assert_eq!(first["awaits"], "entry `CU1` in crosswalk `customers`");
    let id = first["id"].as_str().unwrap().to_owned();

    let status = sealed.run(&["status", "--format", "json"]);
    assert_conforms(&sealed, "status", &status.json());
    assert_eq!(status.code, 1, "held deliveries wait for somebody");
    let integration = &status.json()["integrations"][0];
    assert_eq!(
        (&integration["received"], &integration["duplicates"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        status.json()["counters"]["refused"]
            .as_object()
            .unwrap()
            .len(),
        1
    );

    let show = sealed.run(&["deliveries", "show", &id, "--format", "json"]);
    assert_conforms(&sealed, "delivery", &show.json());
    assert!(!show.out.contains("\"raw\""), "{show:?}");
    assert!(
        sealed
            .run(&["deliveries", "show", &id, "--event"])
            .fine()
            .contains("\"customer\":\"CU1\"")
    );

    let said = sealed.run(&["resolve", "discard", &id]).ends(2);
    assert!(said.contains("--reason"), "{said}");
    let decided = sealed.run(&[
        "resolve",
        "discard",
        &id,
        "--reason",
        "paid twice",
        "--format",
        "json",
    ]);
    assert_conforms(&sealed, "decisions", &decided.json());
    assert_eq!(
        (decided.code, &decided.json()["results"][0]["state"]),
        (0, &"discarded".into())
    );
    let again = sealed.run(&["resolve", "discard", &id, "--reason", "once more"]);
    assert_eq!(again.code, 1, "{again:?}");
    let history = sealed.run(&["audit", "show", &id]).fine();
    assert!(
        history.contains("decided: discard") && history.contains("paid twice"),
        "{history}"
    );

    let set = sealed
        .run(&["crosswalk", "set", "customers", "CU2", "account=0000417"])
        .ends(0);
    assert!(set.contains("1 delivery that waited"), "{set}");
    until(&sealed, &held, |ran| count(ran) == 0);

    sealed
        .run(&["pause", "netledger", "--reason", "month end"])
        .fine();
    let status = sealed.run(&["status"]);
    assert!(
        status.out.contains("paused") && status.out.contains("month end"),
        "{status:?}"
    );
    sealed.run(&["resume", "netledger"]).fine();
    sealed.run(&["pause", "no-such", "--reason", "x"]).ends(3);

    let ping = sealed.run(&["ping", "netledger", "--format", "json"]);
    assert_conforms(&sealed, "ping", &ping.json());
    assert_eq!(
        (ping.code, &ping.json()["connections"][0]["fine"]),
        (1, &false.into())
    );

    let said = sealed.run(&["run"]).ends(3);
    assert!(said.contains("in use"), "{said}");
    let said = sealed.run(&["store", "rebuild-index"]).ends(3);
    assert!(said.contains("in use"), "{said}");
    sealed.run(&["audit", "verify"]).fine();

    let (code, log) = engine.stop();
    assert_eq!(code, 0, "{log}");
    for line in log.lines() {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "{line}"
        );
    }
    assert!(
        !log.contains("hook-77c1") && !log.contains("key-04da"),
        "{log}"
    );
}

#[test]
fn changed_definitions_are_taken_over_and_broken_ones_are_not() {
    let sealed = Sealed::with_vault();
    let engine = Engine::start(&sealed);
    let flow = "mappings/netledger-payfast/bills.yaml";
    let status = ["status", "--format", "json"];
    let ran = sealed.run(&status);
    let before = ran.json()["plan"].as_str().unwrap().to_owned();
    assert_eq!(ran.json()["reload"], serde_json::Value::Null);
    // Nobody says that the file has changed: that is noticed.
    sealed.change(flow, "dedup_key", "dedup_kye");
    let reload = |ran: &Ran| ran.json()["reload"].clone();
    let ran = until(&sealed, &status, |ran| reload(ran)["loaded"] == false);
    assert_conforms(&sealed, "status", &ran.json());
    assert_eq!((ran.code, &ran.json()["plan"]), (1, &before.clone().into()));
    let why = reload(&ran)["why"].as_str().unwrap().to_owned();
    assert!(
        why.contains("bills.yaml:") && why.contains("dedup_kye"),
        "{why}"
    );
    assert_eq!(engine.receive(&events(&["CU1"]), "hook-77c1"), 202);
    sealed.change(flow, "dedup_kye", "dedup_key");
    let file = sealed.path(flow);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("# another text\n{text}")).unwrap();
    signal(&engine.child, "HUP");
    let ran = until(&sealed, &status, |ran| reload(ran)["loaded"] == true);
    assert_ne!(ran.json()["plan"], before);
    let (code, log) = engine.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("\"msg\":\"definition refused\""), "{log}");
}

#[test]
fn what_an_engine_left_is_looked_at_and_decided_without_it() {
    let sealed = Sealed::with_vault();
    let engine = Engine::start(&sealed);
    assert_eq!(engine.receive(&events(&["CU1"]), "hook-77c1"), 202);
    let held = ["deliveries", "list", "--state", "held"];
    until(&sealed, &held, |ran| ran.out.contains("dlv_1"));
    engine.stop();

    let status = sealed.run(&["status", "--format", "json"]);
    assert_eq!(status.json()["running_since"], serde_json::Value::Null);
    assert!(sealed.run(&held).fine().contains("missing_master_data"));
    let retried = sealed.run(&["resolve", "retry", "--held", "--reason", "entry comes"]);
    assert_eq!(retried.code, 0, "{retried:?}");
    assert!(retried.out.contains("now pending"), "{retried:?}");
    let rebuilt = sealed.run(&["store", "rebuild-index"]).ends(0);
    assert!(rebuilt.contains("the index is built"), "{rebuilt}");
    assert!(
        sealed
            .run(&["deliveries", "list", "--state", "pending"])
            .fine()
            .contains("dlv_1")
    );
    // A pause outlives engines, so none is needed for it.
    let said = sealed.run(&["pause", "netledger", "--reason", "x"]).ends(0);
    assert!(said.contains("paused"), "{said}");
    sealed.run(&["deliveries", "show", "dlv_99"]).ends(3);
    sealed.run(&["deliveries", "show", "nonsense"]).ends(2);
}

#[test]
fn an_index_that_cannot_be_built_is_not_said_to_need_building() {
    let sealed = Sealed::with_definitions();
    let set = ["crosswalk", "set", "customers", "CU1", "account=7"];
    sealed.run(&set).fine();
    // It has to be rebuilt, and the old one cannot be set aside.
    std::fs::remove_file(sealed.path("data/index/state")).unwrap();
    sealed.file("data/index.set-aside", "in the way");
    for arguments in [&["crosswalk", "list"][..], &["store", "rebuild-index"]] {
        let said = sealed.run(arguments).ends(3);
        assert!(said.contains("cannot build the index"), "{said}");
        assert!(said.contains("the disk is not full"), "{said}");
        assert!(
            !said.contains("thrown away") && !said.contains("help: `ml-connector store"),
            "{said}"
        );
    }
    std::fs::remove_file(sealed.path("data/index.set-aside")).unwrap();
    assert!(
        sealed
            .run(&["crosswalk", "list"])
            .fine()
            .contains("customers")
    );
}

#[test]
fn a_second_signal_stops_it_at_once() {
    let sealed = Sealed::with_vault();
    let mut engine = Engine::start(&sealed);
    signal(&engine.child, "INT");
    signal(&engine.child, "TERM");
    let code = engine.child.wait().unwrap().code().unwrap();
    // The stop itself may have been quicker than the second signal.
    assert!(code == 3 || code == 0, "{code}");
    sealed.run(&["audit", "verify"]).fine();
}

#[test]
fn matching_tables_travel_as_csv_before_the_first_start() {
    let sealed = Sealed::with_definitions();
    let text = "key,account,note\r\nCU1,0000417,\"says \"\"hi\"\", twice\"\r\nCU2,7,\r\n";
    sealed.file("customers.csv", text);
    sealed.run(&["crosswalk", "import", "customers.csv"]).fine();
    assert_eq!(
        sealed.run(&["crosswalk", "export", "customers"]).fine(),
        text
    );
    let one = sealed.run(&["crosswalk", "get", "customers", "CU1", "--format", "json"]);
    assert_conforms(&sealed, "crosswalk", &one.json());
    assert_eq!(one.json()["entries"][0]["values"]["account"], "0000417");
    sealed
        .run(&["crosswalk", "remove", "customers", "CU1"])
        .fine();
    assert_eq!(
        sealed.run(&["crosswalk", "get", "customers", "CU1"]).code,
        1
    );
    let said = sealed
        .run_with(
            &["crosswalk", "import", "-", "--table", "customers"],
            "key,a\nX,1\nX,2\n",
        )
        .ends(2);
    assert!(said.contains("line 3"), "{said}");
    assert_eq!(sealed.run(&["crosswalk", "list"]).fine().lines().count(), 2);
}

#[test]
fn damage_and_removed_records_are_found() {
    let sealed = Sealed::with_definitions();
    for customer in ["CU1", "CU2", "CU3"] {
        sealed
            .run(&["crosswalk", "set", "customers", customer, "account=7"])
            .fine();
    }
    let sound = sealed.run(&["audit", "verify", "--format", "json"]);
    assert_conforms(&sealed, "verification", &sound.json());
    let head = sound.json()["head"].as_str().unwrap().to_owned();
    sealed.run(&["audit", "verify", "--expect", &head]).fine();
    let said = sealed.run(&["audit", "verify", "--expect", &"0f".repeat(32)]);
    assert_eq!(said.code, 1, "{said:?}");

    let exported = sealed.run(&["audit", "export"]).fine();
    assert_eq!(
        exported.lines().count() as u64,
        sound.json()["records"].as_u64().unwrap()
    );
    for line in exported.lines() {
        assert_conforms(&sealed, "record", &serde_json::from_str(line).unwrap());
    }

    let journal = std::fs::read_dir(sealed.path("data/journal")).unwrap();
    let segment = journal
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "seg"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let damaged = sealed.run(&["audit", "verify", "--format", "json"]);
    assert_eq!((damaged.code, &damaged.json()["sound"]), (1, &false.into()));
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(
        damaged.json()["damage"].as_str().unwrap().contains(name),
        "{damaged:?}"
    );
    assert_eq!(sealed.run(&["store", "verify"]).code, 1);
    sealed.run(&["audit", "export"]).ends(3);
}

#[test]
fn the_demonstration_ends_with_books_that_agree() {
    let sealed = Sealed::new();
    let ran = sealed.run(&["demo", "--events", "30", "--seed", "5", "--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_conforms(&sealed, "demo", &ran.json());
    assert_eq!(ran.json()["fits"], true);
    assert!(ran.err.contains("the target is off the network"), "{ran:?}");
    let listed = sealed.run(&["demo", "--pairing", "list"]).fine();
    let shown = ran.json()["pairings"].as_array().unwrap().clone();
    assert!(!shown.is_empty());
    for pairing in shown {
        assert!(listed.contains(pairing["pairing"].as_str().unwrap()));
        assert!(!pairing["money"].as_array().unwrap().is_empty());
        assert!(
            pairing["counts"]
                .as_array()
                .unwrap()
                .iter()
                .all(|line| line["fits"] == true)
        );
    }
    sealed.run(&["demo", "--pairing", "no-such"]).ends(2);
}
