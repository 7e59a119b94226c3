//! SIGKILL at random moments under load, against the simulated systems over real sockets.
//!
//! The binary runs on a pairing's site file, is killed again and again while records are made, while the target is away
//! and while one in twenty of the target's answers is cut off after it has posted, and is started again on what is on
//! disk. In the end the books of both sides are compared to the penny, without asking the engine; then the engine's own
//! counters and its audit trail must say the same.
//!
//! The suite runs one small round of every pairing that the demonstration knows, all at once. `ML_KILL_PAIRING` names one
//! of them, `ML_KILL_ROUNDS` and `ML_KILL_EVENTS` make it a long campaign; a failing round prints its seed, and
//! `ML_KILL_SEED` repeats it (the moments of the kills depend on the machine as well).

use crate::cli::Sealed;
use ml_connector_simulators::books::Difference;
use ml_connector_simulators::demo::{self, Listen, Options, PAIRINGS, Pairing, World};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How one round went.
#[derive(Debug, Default)]
struct Round {
    kills: u32,
    posted: usize,
    held: u64,
    lost: usize,
    doubled: usize,
    other: usize,
}

#[test]
fn nothing_is_lost_or_doubled_by_killing_it() {
    let wanted = std::env::var("ML_KILL_PAIRING").ok();
    let campaigns: Vec<(usize, String)> = std::thread::scope(|scope| {
        let campaigns: Vec<_> = PAIRINGS
            .iter()
            .filter(|pairing| wanted.as_deref().is_none_or(|name| name == pairing.name))
            .map(|pairing| scope.spawn(|| campaign(*pairing)))
            .collect();
        assert!(!campaigns.is_empty(), "no pairing is called {wanted:?}");
        campaigns
            .into_iter()
            .map(|campaign| campaign.join().unwrap())
            .collect()
    });
    let mut table =
        String::from("pairing                   seed  kills  posted  held  lost  doubled  other\n");
    for (_, lines) in &campaigns {
        table.push_str(lines);
    }
    println!("{table}");
    let bad: usize = campaigns.iter().map(|(bad, _)| bad).sum();
    assert_eq!(bad, 0, "\n{table}");
}

/// All rounds of one pairing: how many differences there were, and a line for each round.
fn campaign(pairing: Pairing) -> (usize, String) {
    let rounds = number("ML_KILL_ROUNDS", 1);
    let records = usize::try_from(number("ML_KILL_EVENTS", 200)).unwrap();
    let first_seed = number("ML_KILL_SEED", 1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut lines = String::new();
    let mut bad = 0;
    for seed in first_seed..first_seed + rounds {
        let round = runtime.block_on(round(pairing, seed, records));
        writeln!(
            lines,
            "{:<24}  {seed:>4}  {:>5}  {:>6}  {:>4}  {:>4}  {:>7}  {:>5}",
            pairing.name,
            round.kills,
            round.posted,
            round.held,
            round.lost,
            round.doubled,
            round.other
        )
        .unwrap();
        bad += round.lost + round.doubled + round.other;
        assert!(
            round.kills > 0,
            "{} seed {seed}: the load was over before the first kill",
            pairing.name
        );
    }
    (bad, lines)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

async fn round(pairing: Pairing, seed: u64, records: usize) -> Round {
    let steps = (records / 10).clamp(10, 200);
    let options = Options {
        seed,
        records,
        steps,
        pace: Duration::from_millis(60),
        outage: steps / 3..steps / 2,
        cut_per_mille: 50,
        settle: "300ms",
        retry_gap: Duration::from_millis(150),
        ..Options::default()
    };
    let mut world = World::start(pairing, options).await.unwrap();
    let lab = Lab::new(&world);
    let mut dice = Dice(seed);
    let mut engine = lab.start();
    for table in &lab.tables {
        let file = format!("{table}.csv");
        lab.fine(
            &["crosswalk", "import", &file, "--reason", "first load"],
            "",
        );
    }
    world.send_to(&format!("http://{}", lab.webhooks));
    let mut kills = 0;
    {
        let load = world.run(|_| {});
        tokio::pin!(load);
        loop {
            let moment = Duration::from_millis(dice.between(150, 1500));
            tokio::select! {
                done = &mut load => { done.unwrap(); break }
                () = tokio::time::sleep(moment) => {
                    engine.kill().unwrap();
                    engine.wait().unwrap();
                    kills += 1;
                    engine = lab.start();
                }
            }
        }
    }
    // Twice more while the queue drains.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(dice.between(100, 700))).await;
        engine.kill().unwrap();
        engine.wait().unwrap();
        kills += 1;
        engine = lab.start();
    }
    let settled = world.settle(Duration::from_secs(240), |_| {}).await && lab.rests().await;
    // Time for whatever would still be posted a second time.
    tokio::time::sleep(Duration::from_secs(2)).await;
    lab.stop(engine, settled);
    let report = world.books();
    let progress = world.progress();
    let held = lab.account(&progress);
    lab.keeps_its_secrets(&world);
    let count = |wanted: fn(&Difference) -> bool| {
        report
            .differences
            .iter()
            .filter(|difference| wanted(difference))
            .count()
    };
    let lost = count(|one| matches!(one, Difference::Lost { .. }));
    let doubled = count(|one| matches!(one, Difference::Doubled { .. }));
    let round = Round {
        kills,
        posted: progress.posted,
        held,
        lost,
        doubled,
        other: report.differences.len() - lost - doubled,
    };
    if !report.agrees() {
        println!("{} seed {seed}: {:#?}", pairing.name, report.differences);
    }
    world.stop().await;
    round
}

/// A folder with definitions, site, vault and store, in which the engine is started again and again.
struct Lab {
    sealed: Sealed,
    /// Matching tables that are filled first, each from a file of its name.
    tables: Vec<&'static str>,
    webhooks: SocketAddr,
    admin: SocketAddr,
}

impl Lab {
    fn new(world: &World) -> Self {
        let sealed = Sealed::new();
        for (name, text) in demo::definitions() {
            sealed.file(&name, &text);
        }
        // The same addresses after each start: a vendor does not follow an engine to another port.
        let (webhooks, admin) = (free(), free());
        let listen = Listen {
            webhooks: webhooks.to_string(),
            admin: admin.to_string(),
        };
        sealed.file("ml-connector.yaml", &world.site(&listen));
        let mut files: BTreeMap<&'static str, String> = BTreeMap::new();
        for row in world.crosswalk() {
            let columns = row.values.iter().map(|(name, _)| *name);
            let header = std::iter::once("key").chain(columns).collect::<Vec<_>>();
            let text = files
                .entry(row.table)
                .or_insert_with(|| header.join(",") + "\n");
            let cells = row.values.iter().map(|(_, value)| value.as_str());
            let cells: Vec<&str> = std::iter::once(row.key.as_str()).chain(cells).collect();
            text.push_str(&(cells.join(",") + "\n"));
        }
        for (table, text) in &files {
            sealed.file(&format!("{table}.csv"), text);
        }
        let lab = Self {
            sealed,
            tables: files.into_keys().collect(),
            webhooks,
            admin,
        };
        lab.fine(&["secrets", "init"], "");
        for (name, value) in world.secrets() {
            lab.fine(&["secrets", "set", name], &value);
        }
        lab
    }

    fn fine(&self, arguments: &[&str], input: &str) -> String {
        let ran = self.sealed.run_with(arguments, input);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// Starts the engine and waits until it takes webhooks.
    fn start(&self) -> Child {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.sealed.path("engine.log"))
            .unwrap();
        let mut child = self
            .sealed
            .command(["run", "--grace", "20"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !ready(self.admin) {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the engine ended with {status}:\n{}", self.log_tail());
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "not ready:\n{}",
                self.log_tail()
            );
            std::thread::sleep(Duration::from_millis(3));
        }
        child
    }

    /// Waits until the engine has nothing under way: what stands in the target may still have to be confirmed.
    async fn rests(&self) -> bool {
        for _ in 0..600 {
            let ran = self.sealed.run(&["status", "--format", "json"]);
            let status: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
            let waiting: u64 = status["integrations"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|one| {
                    ["pending", "in_flight", "uncertain"].map(|state| &one["states"][state])
                })
                .map(|number| number.as_u64().unwrap())
                .sum();
            if waiting == 0 {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        false
    }

    /// SIGTERM, and an orderly end.
    fn stop(&self, mut engine: Child, settled: bool) {
        let sent = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -TERM {}", engine.id()))
            .status()
            .unwrap();
        assert!(sent.success());
        let status = engine.wait().unwrap();
        assert!(
            status.success(),
            "{status} after SIGTERM:\n{}",
            self.log_tail()
        );
        if !settled {
            println!(
                "not everything arrived in time; the log ends:\n{}",
                self.log_tail()
            );
        }
    }

    /// The engine's own counters and audit trail must say what the world knows; gives how many it holds.
    fn account(&self, progress: &demo::Progress) -> u64 {
        let ran = self.sealed.run(&["status", "--format", "json"]);
        let status: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let mut states: BTreeMap<String, u64> = BTreeMap::new();
        for one in status["integrations"].as_array().unwrap() {
            let mut sum = 0;
            for (state, number) in one["states"].as_object().unwrap() {
                let number = number.as_u64().unwrap();
                *states.entry(state.clone()).or_default() += number;
                sum += number;
            }
            assert_eq!(one["received"].as_u64().unwrap(), sum, "{one}");
        }
        let state = |name: &str| states.get(name).copied().unwrap_or(0);
        let log = || self.log_tail();
        assert_eq!(
            states.values().sum::<u64>(),
            progress.made as u64,
            "each record is accounted for: {status:#}\n{}",
            log()
        );
        assert_eq!(
            state("delivered"),
            progress.to_post as u64,
            "{status:#}\n{}",
            log()
        );
        assert_eq!(state("held"), progress.to_hold as u64, "{status:#}");
        let verified = self.fine(&["audit", "verify"], "");
        assert!(!verified.is_empty() || status["records"].as_u64() > Some(0));
        state("held")
    }

    /// No secret value stands in the log or anywhere in the journal.
    fn keeps_its_secrets(&self, world: &World) {
        let mut bytes = std::fs::read(self.sealed.path("engine.log")).unwrap();
        for entry in std::fs::read_dir(self.sealed.path("data/journal")).unwrap() {
            bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        for (name, value) in world.secrets() {
            let found = bytes
                .windows(value.len())
                .any(|window| window == value.as_bytes());
            assert!(!found, "the value of {name} was written down");
        }
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.sealed.path("engine.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn ready(admin: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&admin, Duration::from_millis(200)) else {
        return false;
    };
    let request = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut answer = [0; 12];
    stream.write_all(request).is_ok()
        && stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b" 200")
}

/// A small repeatable die (SplitMix64).
struct Dice(u64);

impl Dice {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (z ^ (z >> 31)) % (high - low)
    }
}
