//! Where the binary runs again and again on what is on disk.

use crate::cli::Sealed;
use crate::cli::operating::{free, ready};
use ml_connector_simulators::demo::{self, CrosswalkRow, Listen, World};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How the engine is started.
const RUN: [&str; 3] = ["run", "--grace", "20"];

/// A folder with definitions, site, vault and store, in which the engine is started again and again.
pub(super) struct Lab {
    pub(super) sealed: Sealed,
    /// Matching tables that are filled first, each from a file of its name.
    pub(super) tables: Vec<&'static str>,
    pub(super) webhooks: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl Lab {
    pub(super) fn new(world: &World) -> Self {
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

    pub(super) fn fine(&self, arguments: &[&str], input: &str) -> String {
        let ran = self.sealed.run_with(arguments, input);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// Starts the engine and waits until it takes webhooks.
    pub(super) fn start(&self) -> Child {
        let started = self.until_ready(self.sealed.command(RUN));
        started.unwrap_or_else(|ended| panic!("{ended}"))
    }

    /// Starts the engine with a limit on the size of every file that it writes, so that at some time the disk is full.
    /// A start for which there is no room is refused; then it says why.
    pub(super) fn start_with_little_room(&self, kib: u64) -> Result<Child, String> {
        let engine = self.sealed.command(RUN);
        // `ulimit -f` counts blocks of 512 bytes; its signal is ignored, since a full disk sends none.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kib * 2);
        let mut limited = Command::new("sh");
        limited
            .args(["-c", &script, "sh"])
            .arg(engine.get_program())
            .args(engine.get_args())
            .env_clear()
            .env("HOME", self.sealed.path(""))
            .current_dir(self.sealed.path(""));
        self.until_ready(limited)
    }

    fn until_ready(&self, mut command: Command) -> Result<Child, String> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.sealed.path("engine.log"))
            .unwrap();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !ready(self.admin) {
            if let Some(status) = child.try_wait().unwrap() {
                let tail = self.log_tail();
                return Err(format!("the engine ended with {status}:\n{tail}"));
            }
            assert!(
                begun.elapsed() < Duration::from_secs(240),
                "not ready:\n{}",
                self.log_tail()
            );
            std::thread::sleep(Duration::from_millis(3));
        }
        Ok(child)
    }

    /// Waits until the engine has nothing under way: what stands in the target may still have to be confirmed.
    pub(super) async fn rests(&self) -> bool {
        // Longer than two retries after each other wait, where answers are cut off.
        for _ in 0..1500 {
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
    pub(super) fn stop(&self, mut engine: Child, settled: bool) {
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

    /// The engine's own counters and audit trail must say what the world knows; gives how many it holds, and what does
    /// not agree.
    pub(super) fn account(&self, progress: &demo::Progress) -> (u64, Vec<String>) {
        let mut wrong = Vec::new();
        let ran = self.sealed.run(&["status", "--format", "json"]);
        let status: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let mut states: BTreeMap<String, u64> = BTreeMap::new();
        let mut received = Vec::new();
        for one in status["integrations"].as_array().unwrap() {
            let mut sum = 0;
            if one["states"]["delivered"].as_u64() == Some(0) {
                wrong.push(format!("nothing was delivered by {}", one["integration"]));
            }
            for (state, number) in one["states"].as_object().unwrap() {
                let number = number.as_u64().unwrap();
                *states.entry(state.clone()).or_default() += number;
                sum += number;
            }
            received.push(format!("{} {sum}", one["integration"]));
            if one["received"].as_u64() != Some(sum) {
                wrong.push(format!("received is not the sum of all states: {one}"));
            }
        }
        let state = |name: &str| states.get(name).copied().unwrap_or(0);
        let (to_post, to_hold) = (progress.to_post, progress.to_hold);
        for (what, is, should) in [
            ("made", states.values().sum(), progress.made..=progress.made),
            (
                "delivered",
                state("delivered"),
                to_post..=to_post + progress.either,
            ),
            ("held", state("held"), to_hold..=to_hold),
        ] {
            if !should.contains(&usize::try_from(is).unwrap()) {
                let all = received.join(", ");
                wrong.push(format!("{is} {what} instead of {should:?} ({all})"));
            }
        }
        let verified = self.sealed.run(&["audit", "verify"]);
        if verified.code != 0 {
            wrong.push(format!("the audit trail: {}{}", verified.out, verified.err));
        }
        (state("held"), wrong)
    }

    /// What the flows have remembered must be what the systems know; gives what is not.
    pub(super) fn remembers(&self, rows: &[CrosswalkRow]) -> Vec<String> {
        let mut tables: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
        let mut wrong = Vec::new();
        for row in rows {
            let table = tables.entry(row.table).or_insert_with(|| {
                let listed = ["crosswalk", "list", row.table, "--format", "json"];
                serde_json::from_str(&self.sealed.run(&listed).out).unwrap()
            });
            let entries = table["entries"].as_array().unwrap();
            let found = entries.iter().find(|entry| entry["key"] == *row.key);
            for (column, value) in &row.values {
                let found = found.map(|entry| &entry["values"][column]);
                if found.and_then(serde_json::Value::as_str) != Some(value) {
                    let (table, key) = (row.table, &row.key);
                    wrong.push(format!("{table} {key} {column}: {found:?}, not {value}"));
                }
            }
        }
        wrong
    }

    /// No secret value stands in the log or anywhere in the journal.
    pub(super) fn keeps_its_secrets(&self, world: &World) {
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

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.sealed.path("engine.log")).unwrap_or_default()
    }

    /// The log's end, and before it what was held last.
    pub(super) fn log_tail(&self) -> String {
        let log = self.log();
        let end = |lines: Vec<&str>| lines[lines.len().saturating_sub(15)..].join("\n");
        let held = log.lines().filter(|line| line.contains("\"held\""));
        format!("{}\n\n{}", end(held.collect()), end(log.lines().collect()))
    }
}
