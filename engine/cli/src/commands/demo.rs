//! `demo`: the engine against simulated systems, in one process and one temporary folder, with books that must agree.

mod show;

use super::Format;
use crate::demo::{EngineCounts, Options, Stage, World};
use crate::failure::{Exit, usage};
use crate::operator::{accepted, block_on, unexpected};
use crate::running::seams;
use crate::site::{Installation, SiteArgs};
use crate::store;
use crate::terminal::{Terminal, Tone};
use anyhow::Context as _;
use jiff::SignedDuration;
use ml_connector_core::identity::CrosswalkId;
use ml_connector_runtime::operator::{Act, Command, Reply, Status};
use ml_connector_runtime::{Clock as _, Engine, EngineOptions, Listen, SystemClock, telemetry};
use ml_connector_store::vault::Secret;
use ml_connector_store::{CrosswalkEntry, verify};
pub(crate) use show::DemoOutput;
use show::{PairingView, Shown};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector demo\n  \
    ml-connector demo --pairing list\n  \
    ml-connector demo --events 2000 --seed 7\n  \
    ml-connector demo --keep                # then look at it with the commands that it prints\n\n\
    For one pairing after the other it starts simulated systems and the engine on loopback ports, sends signed events, some \
    twice and some tampered with, takes the target off the network for a while, cuts some of its answers off, and compares \
    the books of both sides.\n\
    Exit codes: 0 the books agree, 1 they do not, 3 it could not run.")]
pub(crate) struct Args {
    /// Leave it running at the end, to look at, until Ctrl-C. Shows one pairing, the first if none is named.
    #[arg(long)]
    keep: bool,
    /// Records to make in the source of each pairing.
    #[arg(long, value_name = "NUMBER", default_value_t = 240)]
    events: usize,
    /// Decides amounts, order, duplicates and faults: the same seed shows the same.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The one pairing to show; `--pairing list` lists them. Default: all, one after the other.
    #[arg(long, value_name = "NAME")]
    pairing: Option<String>,
    /// Log the engine to stderr, e.g. `info`.
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// For whom to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How long the last records may take to arrive after the last event was sent.
const SETTLE_MAX: SignedDuration = SignedDuration::from_secs(120);
/// How often it is looked whether they have.
const LOOK_EVERY: SignedDuration = SignedDuration::from_millis(100);
/// How long the engine may take to stop.
const GRACE: Duration = Duration::from_secs(10);

pub(super) fn perform(
    args: &Args,
    stage: &dyn Stage,
    terminal: &mut Terminal,
) -> anyhow::Result<Exit> {
    let pairings = stage.pairings();
    if args.pairing.as_deref() == Some("list") {
        for (name, title) in &pairings {
            terminal.line(format!("{name}: {title}"))?;
        }
        return Ok(Exit::Fine);
    }
    let chosen: Vec<&(String, String)> = match &args.pairing {
        Some(wanted) => pairings.iter().filter(|(name, _)| name == wanted).collect(),
        None if args.keep => pairings.iter().take(1).collect(),
        None => pairings.iter().collect(),
    };
    if chosen.is_empty() {
        return Err(usage(
            "there is no such pairing; `--pairing list` lists them",
        ));
    }
    if let Some(filter) = &args.log {
        telemetry::start(filter)?;
    }
    let mut output = DemoOutput::new();
    let mut exit = Exit::Fine;
    for (name, title) in chosen {
        let (ended, shown) = show_one(args, stage, (name, title), terminal)?;
        output.add(shown);
        if ended != Exit::Fine {
            exit = ended;
        }
    }
    if args.format == Format::Json {
        terminal.json(&output)?;
        terminal.flush()?;
    }
    Ok(exit)
}

/// One pairing, from its systems' start to their end.
fn show_one(
    args: &Args,
    stage: &dyn Stage,
    (name, title): (&str, &str),
    terminal: &mut Terminal,
) -> anyhow::Result<(Exit, PairingView)> {
    terminal.tell(terminal.tone_told(Tone::Strong, &format!("{name}: {title}")));
    let folder = tempfile::Builder::new()
        .prefix("ml-connector-demo-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let done = block_on(async {
        let options = Options {
            events: args.events,
            seed: args.seed,
        };
        let world = stage
            .start(name, options)
            .await
            .context("cannot set up the simulated world")?;
        let played = tokio::select! {
            played = play(args, stage, name, world, &folder, terminal) => played?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                anyhow::bail!("interrupted");
            }
        };
        played.end(args.keep, terminal).await
    });
    if !matches!(done, Ok((Exit::Fine, _))) {
        let kept = folder.keep();
        terminal.tell(format!("its files are kept for a look: {}", kept.display()));
    }
    done
}

/// A demonstration whose books have been compared; everything still runs.
struct Played {
    installation: Installation,
    engine: Engine,
    world: Box<dyn World>,
    shown: PairingView,
}

/// Everything between a world that is set up and its books.
async fn play(
    args: &Args,
    stage: &dyn Stage,
    name: &str,
    mut world: Box<dyn World>,
    folder: &TempDir,
    terminal: &mut Terminal,
) -> anyhow::Result<Played> {
    let installation = install(stage, world.as_ref(), folder.path(), terminal)?;
    let engine = start(&installation, terminal).await?;
    fill_crosswalk(&engine, world.as_ref()).await?;
    let webhooks = engine
        .webhooks()
        .context("the engine does not listen for webhooks")?;
    let mut shown = Shown::new(terminal);
    world.send_to(&format!("http://{webhooks}"));
    world
        .run(&mut |at| shown.at(at))
        .await
        .context("the simulated world broke down")?;
    let settled = settle(&engine, world.as_ref(), &mut shown).await?;
    shown.end();
    let counts = counts(&status(&engine).await?);
    let closing = world.closing(&counts);
    let verified =
        verify(&installation.store(), &mut |_, _| {}).context("cannot verify the journal")?;
    let shown = PairingView::of(name, &closing, &verified, settled);
    if args.format == Format::Text {
        shown.print(terminal)?;
        terminal.flush()?;
    }
    Ok(Played {
        installation,
        engine,
        world,
        shown,
    })
}

impl Played {
    /// Leaves it running if that is wanted, then stops everything in order.
    async fn end(
        self,
        keep_running: bool,
        terminal: &mut Terminal,
    ) -> anyhow::Result<(Exit, PairingView)> {
        if keep_running {
            keep(&self.installation, &self.engine, terminal).await?;
        }
        let stopped = self.engine.stop(GRACE).await;
        self.world.stop().await;
        anyhow::ensure!(stopped.store_closed, "the store was not closed in order");
        let exit = if self.shown.fits() && stopped.in_time {
            Exit::Fine
        } else {
            Exit::Findings
        };
        Ok((exit, self.shown))
    }
}

/// Writes definitions, site file and vault into the folder.
fn install(
    stage: &dyn Stage,
    world: &dyn World,
    folder: &Path,
    terminal: &mut Terminal,
) -> anyhow::Result<Installation> {
    let write = |path: PathBuf, text: &str| {
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write `{}`", path.display()))
    };
    for (path, text) in stage.definitions() {
        write(folder.join(path), &text)?;
    }
    let site = folder.join("ml-connector.yaml");
    write(site.clone(), &world.site("127.0.0.1:0", "127.0.0.1:0"))?;
    let installation = SiteArgs { site }.read(terminal)?;
    let (mut vault, _) = installation.vault().create()?;
    for (name, value) in world.secrets() {
        vault.set(&name, &Secret::new(value), SystemClock.now())?;
    }
    Ok(installation)
}

async fn start(installation: &Installation, terminal: &mut Terminal) -> anyhow::Result<Engine> {
    let (_, plan) = installation.plan(terminal)?;
    let options = EngineOptions {
        seams: seams(installation, &plan)?,
        plan: Arc::new(plan),
        store: store::open(&installation.store(), terminal)?,
        listen: Listen {
            webhooks: Some(installation.site.webhooks),
            admin: Some(installation.site.admin),
            control: Some(installation.control()),
            tokens: Some(installation.tokens()),
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Engine::start(options)
        .await
        .context("cannot start the engine")
}

async fn fill_crosswalk(engine: &Engine, world: &dyn World) -> anyhow::Result<()> {
    let entries = world
        .crosswalk()
        .into_iter()
        .map(|(table, key, values)| CrosswalkEntry {
            table: CrosswalkId::new(table),
            key,
            values,
        })
        .collect();
    let act = Act {
        actor: "demo".to_owned(),
        reason: "the demonstration's customers".to_owned(),
    };
    accepted(engine.execute(Command::CrosswalkSet { entries, act }).await)?;
    Ok(())
}

/// Waits until everything has arrived and the engine has recorded that it has; `false` if it takes too long.
async fn settle(engine: &Engine, world: &dyn World, shown: &mut Shown) -> anyhow::Result<bool> {
    let until = SystemClock.now() + SETTLE_MAX;
    loop {
        shown.at(world.progress());
        if world.settled() && waiting(&status(engine).await?) == 0 {
            return Ok(true);
        }
        if SystemClock.now() >= until {
            return Ok(false);
        }
        SystemClock
            .sleep_until(SystemClock.now() + LOOK_EVERY)
            .await;
    }
}

async fn status(engine: &Engine) -> anyhow::Result<Status> {
    let Reply::Status(status) = accepted(engine.execute(Command::Status).await)? else {
        return Err(unexpected());
    };
    Ok(*status)
}

/// Deliveries that have neither ended nor wait for a person.
fn waiting(status: &Status) -> u64 {
    let [pending, in_flight, uncertain, ..] = states(status);
    pending + in_flight + uncertain
}

fn counts(status: &Status) -> EngineCounts {
    let [_, _, _, held, posted, ..] = states(status);
    let counters = status.counters.clone().unwrap_or_default();
    EngineCounts {
        received: counters.messages,
        duplicate: counters.duplicates,
        refused: counters.refused.values().sum(),
        posted,
        held,
    }
}

/// Deliveries of all integrations, by state.
fn states(status: &Status) -> [u64; 8] {
    status.instances.iter().fold([0; 8], |mut sums, one| {
        for (sum, number) in sums.iter_mut().zip(one.counts.states) {
            *sum += number;
        }
        sums
    })
}

/// Says how to look at what was left running, and waits for Ctrl-C.
async fn keep(
    installation: &Installation,
    engine: &Engine,
    terminal: &mut Terminal,
) -> anyhow::Result<()> {
    let site = installation.file.display();
    let webhooks = engine
        .webhooks()
        .map(|address| address.to_string())
        .unwrap_or_default();
    terminal.tell(format!(
        "\nIt goes on running: webhooks at http://{webhooks}. Look at it from another terminal:\n  \
         ml-connector status --site {site}\n  \
         ml-connector deliveries list --site {site} --state held\n  \
         ml-connector deliveries show dlv_1 --site {site}\n  \
         ml-connector audit verify --site {site}\n\
         Ctrl-C ends it."
    ));
    tokio::signal::ctrl_c()
        .await
        .context("cannot listen for Ctrl-C")
}
