//! `run`: the engine in the foreground, until it is told to stop.

use crate::failure::{Advised as _, Exit, usage};
use crate::memory::give_back_at_once;
use crate::operator::block_on;
use crate::reload::{LOOK, Watch};
use crate::running::seams;
use crate::site::{Installation, SiteArgs};
use crate::store;
use crate::terminal::Terminal;
use anyhow::Context as _;
use ml_connector_core::plan::Plan;
use ml_connector_runtime::telemetry::{self, TraceOptions};
use ml_connector_runtime::{Clock as _, Engine, EngineOptions, Listen, Stopped, SystemClock};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector run\n  \
    ml-connector run --site /etc/ml-connector/ml-connector.yaml --grace 60\n  \
    ML_CONNECTOR_LOG=info,ml_connector_runtime=debug ml-connector run\n\n\
    Logs are JSON lines on stderr. Traces, one per event, are sent over HTTP to the collector that \
    OTEL_EXPORTER_OTLP_ENDPOINT names; the other standard OTEL_* variables hold too. Changed definitions are taken over when their files have changed, and on SIGHUP; if \
    they have errors, what runs goes on, and the log and `ml-connector status` say so. SIGTERM and SIGINT stop it: no new intake, what is under way may end within the grace \
    time; a second signal stops it at once. Nothing that was acknowledged is lost either way.\n\
    Exit codes: 0 stopped in order, 1 refused to start because of findings, or stopped with answers outstanding, \
    2 wrong usage, 3 failure.")]
pub(crate) struct Args {
    #[command(flatten)]
    site: SiteArgs,
    /// How long a stop waits for what is under way, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    grace: u64,
    /// What is logged, e.g. `info` or `info,ml_connector_runtime=debug`.
    #[arg(
        long,
        value_name = "FILTER",
        env = "ML_CONNECTOR_LOG",
        default_value = "info"
    )]
    log: String,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    give_back_at_once()?;
    let installation = args.site.read(terminal)?;
    let (definitions, plan) = installation.plan(terminal)?;
    // The texts are needed for findings only, and there are none.
    drop(definitions);
    telemetry::start(&args.log)?;
    block_on(async {
        let mut signals = Signals::new()?;
        let engine = start(&installation, plan, terminal).await?;
        announce(&engine);
        let mut watch = Watch::new(&installation);
        let mut hangups = on(SignalKind::hangup())?;
        let mut requests = engine.reload_requests();
        let name = loop {
            // Who asked waits until the request is let go.
            let (reload, _request) = tokio::select! {
                biased;
                name = signals.next() => break name,
                _ = hangups.recv() => (true, None),
                Some(request) = requests.recv() => (true, Some(request)),
                () = look() => (watch.changed(), None),
            };
            if reload {
                tracing::info!("reading the definitions again");
                // A stop does not wait for it: the engine ends it in order.
                tokio::select! {
                    biased;
                    name = signals.next() => break name,
                    () = watch.reload(&engine, &installation) => {}
                }
            }
        };
        tracing::info!(signal = name, grace_seconds = args.grace, "stopping");
        tokio::select! {
            stopped = engine.stop(Duration::from_secs(args.grace)) => ended(stopped),
            name = signals.next() => {
                tracing::warn!(signal = name, "stopping at once");
                anyhow::bail!("stopped at once by a second signal; what was under way is settled at the next start")
            }
        }
    })
}

/// Opens the store and starts the engine on it.
async fn start(
    installation: &Installation,
    plan: Plan,
    terminal: &mut Terminal,
) -> anyhow::Result<Engine> {
    let seams = seams(installation, &plan)?;
    let store = store::open(&installation.store(), terminal)?;
    let options = EngineOptions {
        plan: Arc::new(plan),
        store: store.clone(),
        seams,
        listen: Listen {
            webhooks: Some(installation.site.webhooks),
            admin: Some(installation.site.admin),
            control: Some(installation.control()),
            tokens: Some(installation.tokens()),
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let started = Engine::start_traced(options, traces()?).await;
    if started.is_err() {
        // The error that led here says more than one about closing would.
        let _closed = store.close().await;
    }
    started.advise(
        || "cannot start the engine".to_owned(),
        || "addresses are set under `listen` in the site file".to_owned(),
    )
}

/// How traces are sent, by the standard variables.
#[expect(
    clippy::disallowed_methods,
    reason = "the standard variables of OpenTelemetry are read here, once"
)]
fn traces() -> anyhow::Result<Option<TraceOptions>> {
    TraceOptions::of(|name| std::env::var(name).ok())
        .map_err(|error| usage(format!("cannot send traces: {error}")))
}

/// Waits until the files are looked at again.
async fn look() {
    let next = SystemClock.now().checked_add(LOOK);
    SystemClock
        .sleep_until(next.unwrap_or(jiff::Timestamp::MAX))
        .await;
}

fn announce(engine: &Engine) {
    let plan = engine.plan();
    let shown = |address: Option<std::net::SocketAddr>| {
        address
            .map(|address| address.to_string())
            .unwrap_or_default()
    };
    tracing::info!(
        site = plan.site,
        version = env!("CARGO_PKG_VERSION"),
        webhooks = shown(engine.webhooks()),
        admin = shown(engine.admin()),
        connections = plan.connections.len(),
        integrations = plan.instances.len(),
        "ready"
    );
}

fn ended(stopped: Stopped) -> anyhow::Result<Exit> {
    tracing::info!(
        in_time = stopped.in_time,
        store_closed = stopped.store_closed,
        "stopped"
    );
    anyhow::ensure!(
        stopped.store_closed,
        "the store was not closed in order; nothing acknowledged is lost, and the next start takes longer"
    );
    Ok(if stopped.in_time {
        Exit::Fine
    } else {
        Exit::Findings
    })
}

fn on(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot listen for signals")
}

/// The signals that mean "stop".
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one and names it.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
