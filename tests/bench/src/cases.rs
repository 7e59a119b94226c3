//! The measured cases. Each prints its figures and says whether the books agree.

use crate::driver::{self, Webhook};
use crate::engine::{Bench, Site, pause};
use crate::sink::{Mode, Sink};
use crate::table::{heading, median, millis, row, thousands};
use anyhow::{Result, bail};
use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Signed webhooks into the durable store, beside a bare append and sync of the same bytes.
pub(crate) async fn intake(
    bench: &Bench,
    batch: usize,
    webhooks: usize,
    connections: usize,
) -> Result<bool> {
    heading(&format!(
        "intake: {webhooks} webhooks of {batch}, {connections} connections"
    ));
    let events = batch * webhooks;
    let (mut bare, mut rates, mut cpu, mut peak, mut p50, mut p99) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..bench.rounds {
        let sending = driver::webhooks(0, webhooks, batch);
        bare.push(per_second(events, append_and_sync(bench, &sending)?));
        let sink = Sink::start(Mode::Down).await?;
        let site = Site::new(bench, sink.address)?;
        let (engine, _) = site.start().await?;
        let before = engine.usage()?;
        let address = site.webhooks;
        let started = now();
        let sent = driver::send(move || address, sending, connections).await?;
        rates.push(per_second(events, started.elapsed()));
        let usage = engine.usage()?;
        cpu.push(usage.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / number(events));
        peak.push(usage.peak_mib);
        p50.push(sent.percentile(0.50).as_secs_f64() * 1000.0);
        p99.push(sent.percentile(0.99).as_secs_f64() * 1000.0);
    }
    let (bare, rate) = (median(bare), median(rates));
    row(&[
        ("events/s", thousands(rate)),
        ("bare append+sync/s", thousands(bare)),
        ("ratio", format!("{:.2}", bare / rate)),
        ("CPU µs/event", format!("{:.1}", median(cpu))),
        ("peak MiB", format!("{:.0}", median(peak))),
        (
            "ack p50/p99 ms",
            format!("{:.1}/{:.1}", median(p50), median(p99)),
        ),
    ]);
    Ok(true)
}

/// The floor: the same bytes, one append and one `fdatasync` for each webhook.
fn append_and_sync(bench: &Bench, webhooks: &[Webhook]) -> Result<Duration> {
    let folder = bench.folder()?;
    let mut file = File::create(folder.path().join("bare"))?;
    let started = now();
    for webhook in webhooks {
        file.write_all(webhook.bytes())?;
        file.sync_data()?;
    }
    Ok(started.elapsed())
}

/// GC-250: webhooks of 250 events, one in ten sent twice, one in a hundred tampered with, through to the sink.
pub(crate) async fn pipeline(
    bench: &Bench,
    mode: Mode,
    webhooks: usize,
    connections: usize,
    kill_at: Option<f64>,
) -> Result<bool> {
    let events = webhooks * 250;
    let killed = kill_at.map_or(String::new(), |share| format!(", SIGKILL at {share}"));
    heading(&format!(
        "pipeline: {webhooks} webhooks of 250, sink {}{killed}",
        mode.name()
    ));
    let (mut rates, mut cpu, mut peak, mut written, mut p50, mut p99) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let mut wrong = Wrong::default();
    for _ in 0..bench.rounds {
        let sink = Sink::start(mode).await?;
        let site = Site::new(bench, sink.address)?;
        let (mut engine, _) = site.start().await?;
        let address = site.webhooks;
        let started = now();
        let sending = driver::send(move || address, mixture(webhooks), connections);
        let mut kill_below = kill_at.map(|share| share * number(events));
        let mut raised = mode != Mode::Down;
        let mut spent = Duration::ZERO;
        tokio::pin!(sending);
        let mut sent = None;
        loop {
            if sent.is_none() {
                tokio::select! {
                    biased;
                    done = &mut sending => sent = Some(done?),
                    () = pause(5) => {}
                }
            } else {
                pause(5).await;
            }
            if kill_below.is_some_and(|limit| number(sink.distinct()) >= limit) {
                kill_below = None;
                spent += engine.usage()?.cpu;
                engine.kill()?;
                engine = site.start().await?.0;
            }
            if sent.is_some() && !raised {
                // Everything is accepted; the outage lasts a little, then the sink returns.
                pause(3000).await;
                raised = true;
                sink.bring_up();
            }
            if sent.is_some() && sink.distinct() >= events {
                break;
            }
            if started.elapsed() > Duration::from_secs(600) {
                bail!(
                    "only {} of {events} were posted after ten minutes",
                    sink.distinct()
                );
            }
        }
        rates.push(per_second(events, started.elapsed()));
        // Whatever would be posted twice has the chance to be.
        pause(1500).await;
        let usage = engine.usage()?;
        cpu.push((spent + usage.cpu).as_secs_f64() * 10_000.0 / number(events));
        peak.push(usage.peak_mib);
        written.push(usage.written_mib);
        if let Some(sent) = sent {
            p50.push(sent.percentile(0.50).as_secs_f64() * 1000.0);
            p99.push(sent.percentile(0.99).as_secs_f64() * 1000.0);
        }
        wrong.count(&sink, events, true);
        if mode == Mode::Down {
            row(&[("calls while the sink was away", sink.knocks().to_string())]);
        }
    }
    row(&[
        ("drained/s", thousands(median(rates))),
        (
            "ack p50/p99 ms",
            format!("{:.1}/{:.1}", median(p50), median(p99)),
        ),
        ("CPU s/10k", format!("{:.2}", median(cpu))),
        ("peak MiB", format!("{:.0}", median(peak))),
        ("written MiB", format!("{:.0}", median(written))),
    ]);
    wrong.print();
    Ok(wrong.none())
}

/// Genuine webhooks with one in ten repeated and one in a hundred (at least one) tampered with.
fn mixture(webhooks: usize) -> Vec<Webhook> {
    let mut all = Vec::new();
    for (index, webhook) in driver::webhooks(0, webhooks, 250).into_iter().enumerate() {
        if index % 100 == 0 {
            all.push(webhook.tampered_with());
        }
        if index % 10 == 0 {
            all.push(webhook.clone());
        }
        all.push(webhook);
    }
    all
}

/// How long an outage goes on after the burst, in milliseconds.
const SETTLED_MS: u64 = 10_000;

/// Many events waiting for a sink that is away.
pub(crate) async fn backlog(bench: &Bench, events: usize, drain: usize) -> Result<bool> {
    heading(&format!(
        "backlog: {} events waiting",
        thousands(number(events))
    ));
    let sink = Sink::start(Mode::Down).await?;
    let site = Site::new(bench, sink.address)?;
    let (engine, empty_start) = site.start().await?;
    let address = site.webhooks;
    let idle = engine.usage()?;
    let started = now();
    let mut first = 0;
    while first < events {
        // Sent in portions so that the sender itself stays small.
        let portion = 100.min((events - first).div_ceil(250));
        let webhooks = driver::webhooks(first, portion, 250);
        driver::send(move || address, webhooks, 4).await?;
        first += portion * 250;
    }
    let filled = started.elapsed();
    let usage = engine.usage()?;
    row(&[
        ("accepted/s", thousands(per_second(events, filled))),
        ("idle MiB", format!("{:.0}", idle.resident_mib)),
        ("MiB with all waiting", format!("{:.0}", usage.resident_mib)),
        (
            "grown MiB",
            format!("{:.0}", usage.resident_mib - idle.resident_mib),
        ),
        ("peak MiB", format!("{:.0}", usage.peak_mib)),
        ("start when empty", millis(empty_start)),
    ]);
    pause(SETTLED_MS).await;
    let usage = engine.usage()?;
    row(&[
        (
            "MiB ten seconds later",
            format!("{:.0}", usage.resident_mib),
        ),
        (
            "grown MiB",
            format!("{:.1}", usage.resident_mib - idle.resident_mib),
        ),
    ]);
    engine.kill()?;
    let (engine, restart) = site.start().await?;
    let usage = engine.usage()?;
    row(&[
        ("start after SIGKILL", millis(restart)),
        ("MiB after start", format!("{:.0}", usage.resident_mib)),
    ]);
    row(&[("calls while the sink was away", sink.knocks().to_string())]);
    sink.bring_up();
    let started = now();
    while sink.distinct() < drain.min(events) {
        if started.elapsed() > Duration::from_secs(600) {
            bail!("only {} were drained in ten minutes", sink.distinct());
        }
        pause(20).await;
    }
    let usage = engine.usage()?;
    row(&[
        (
            "drained/s",
            thousands(per_second(sink.distinct(), started.elapsed())),
        ),
        ("peak MiB", format!("{:.0}", usage.peak_mib)),
    ]);
    let mut wrong = Wrong::default();
    wrong.count(&sink, events, drain.min(events) == events);
    wrong.print();
    Ok(wrong.none())
}

/// `validate` over generated integrations.
pub(crate) async fn validate(bench: &Bench, files: usize) -> Result<bool> {
    heading(&format!("validate: {files} integrations"));
    let folder = bench.folder()?;
    let shipped = bench.definitions();
    copy(
        &shipped.join("connectors"),
        &folder.path().join("connectors"),
    )?;
    copy(&shipped.join("schemas"), &folder.path().join("schemas"))?;
    let template = std::fs::read_to_string(shipped.join("mappings/payhub-ledgerd/receipts.yaml"))?;
    let mappings = folder.path().join("mappings/payhub-ledgerd");
    std::fs::create_dir_all(&mappings)?;
    for n in 0..files {
        let text = template.replace(
            "payhub-ledgerd/receipts",
            &format!("payhub-ledgerd/receipts-{n}"),
        );
        std::fs::write(mappings.join(format!("receipts-{n}.yaml")), text)?;
    }
    let mut times = Vec::new();
    for _ in 0..bench.rounds {
        let started = now();
        let output = Command::new(&bench.binary)
            .arg("validate")
            .arg(folder.path())
            .stdin(Stdio::null())
            .output()?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        if !output.status.success() {
            bail!(
                "the generated integrations are not clean: {}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
        pause(1).await;
    }
    let whole = median(times);
    row(&[
        ("whole run ms", format!("{whole:.0}")),
        ("ms a file", format!("{:.2}", whole / number(files))),
    ]);
    Ok(true)
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// What the id ledger says against what was sent.
#[derive(Debug, Default)]
struct Wrong {
    lost: usize,
    doubled: usize,
    corrupted: usize,
    /// Posted before another one of the same order key that was accepted earlier.
    disordered: usize,
}

impl Wrong {
    /// Counts what the id ledger says of the first `events`; what is missing is lost only if `all` must be there.
    fn count(&mut self, sink: &Sink, events: usize, all: bool) {
        let ledger = sink.ledger();
        for n in 0..events {
            let Some(posted) = ledger.get(&driver::event_id(n)) else {
                self.lost += usize::from(all);
                continue;
            };
            self.doubled += usize::from(posted.times > 1);
            self.corrupted += usize::from(posted.amount != driver::amount_text(n));
            if let Some(first) = driver::before(n) {
                let first = ledger.get(&driver::event_id(first));
                let in_order = first.is_some_and(|first| first.number < posted.number);
                self.disordered += usize::from(!in_order);
            }
        }
    }

    fn print(&self) {
        row(&[
            ("lost", self.lost.to_string()),
            ("doubled", self.doubled.to_string()),
            ("corrupted", self.corrupted.to_string()),
            ("out of order", self.disordered.to_string()),
        ]);
    }

    const fn none(&self) -> bool {
        self.lost + self.doubled + self.corrupted + self.disordered == 0
    }
}

#[expect(clippy::disallowed_methods, reason = "this program measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn per_second(events: usize, time: Duration) -> f64 {
    number(events) / time.as_secs_f64()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts far below 2^52, for display only"
)]
fn number(count: usize) -> f64 {
    count as f64
}
