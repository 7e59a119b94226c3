//! `/metrics`: the engine's numbers in the text format that Prometheus reads.
//!
//! Everything is gathered when somebody asks; nothing is kept for it. Labels name integrations, connections, states and
//! outcomes, all of them from the definitions or from closed lists: never an event, a record or a text from outside.

use crate::engine::Engine;
use jiff::Timestamp;
use ml_connector_core::delivery::StateKind;
use ml_connector_store::{Error, Meters, SYNC_BOUNDS_US};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;

/// What the answer says it is.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The circuit's states, each a series of its own.
const CIRCUIT: [&str; 3] = ["closed", "half_open", "open"];

type Labels = Vec<(&'static str, String)>;

/// One metric with all its series.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    series: Vec<(Labels, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

#[derive(Debug)]
struct Gathered {
    families: Vec<Family>,
    store: Meters,
}

/// The text, as things stand now.
pub(crate) async fn render(engine: &Engine) -> Result<String, Error> {
    let mut gather = Gather::default();
    about(engine, &mut gather).await?;
    deliveries(engine, &mut gather).await?;
    work(engine, &mut gather);
    connections(engine, &mut gather);
    let store = engine.store().meters();
    journal(&store, &mut gather);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Gathered {
        families: gather.families,
        store,
    }));
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => Ok(text),
        // Writing to a string fails only where an encoder does.
        Err(fmt::Error) => Err(Error::Index("the metrics cannot be written".to_owned())),
    }
}

#[derive(Debug, Default)]
struct Gather {
    families: Vec<Family>,
}

impl Gather {
    fn family(
        &mut self,
        kind: Kind,
        name: &'static str,
        help: &'static str,
        series: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        self.families.push(Family {
            name,
            help,
            kind,
            series: series.into_iter().collect(),
        });
    }

    fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.family(Kind::Counter, name, help, [(Vec::new(), number(value))]);
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.family(Kind::Gauge, name, help, [(Vec::new(), value)]);
    }
}

async fn about(engine: &Engine, gather: &mut Gather) -> Result<(), Error> {
    let labels = vec![("version", engine.version().to_owned())];
    let help = "The program's version; always 1.";
    gather.family(Kind::Gauge, "mlc_build_info", help, [(labels, 1.0)]);
    let labels = vec![("hash", ml_connector_core::hex::of(&engine.plan().hash))];
    let help = "The running definitions; always 1.";
    gather.family(Kind::Gauge, "mlc_config_info", help, [(labels, 1.0)]);
    gather.gauge(
        "mlc_start_time_seconds",
        "When the engine started, in seconds since 1970.",
        seconds(engine.started_at()),
    );
    let ready = engine.ready().await;
    gather.gauge(
        "mlc_ready",
        "Whether it takes webhooks and its store can be written.",
        f64::from(u8::from(ready)),
    );
    let (sequence, _) = engine.store().head().await?;
    gather.gauge(
        "mlc_audit_head_sequence",
        "Number of the newest record of the journal.",
        number(sequence),
    );
    Ok(())
}

/// Counted by the store: they go on over restarts.
async fn deliveries(engine: &Engine, gather: &mut Gather) -> Result<(), Error> {
    let counts = engine.store().counts().await?;
    let by = |name: &ml_connector_core::identity::InstanceId| ("integration", name.to_string());
    gather.family(
        Kind::Counter,
        "mlc_deliveries_received",
        "Deliveries made: always the sum of mlc_deliveries over all states.",
        counts
            .iter()
            .map(|(name, counts)| (vec![by(name)], number(counts.received))),
    );
    gather.family(
        Kind::Counter,
        "mlc_deliveries_duplicate",
        "Deliveries not made because their dedup key was known.",
        counts
            .iter()
            .map(|(name, counts)| (vec![by(name)], number(counts.duplicates))),
    );
    let states = counts.iter().flat_map(|(name, counts)| {
        let states = StateKind::ALL.iter().zip(counts.states);
        states.map(move |(kind, count)| {
            let state = ("state", kind.as_str().to_owned());
            (
                vec![("integration", name.to_string()), state],
                number(count),
            )
        })
    });
    gather.family(
        Kind::Gauge,
        "mlc_deliveries",
        "Deliveries by the state they are in; pending are those that wait.",
        states.collect::<Vec<_>>(),
    );
    Ok(())
}

/// Counted by this process since its start.
fn work(engine: &Engine, gather: &mut Gather) {
    let counters = engine.counters();
    let by = |label: &'static str, counts: &std::collections::BTreeMap<String, u64>| {
        let series = counts
            .iter()
            .map(move |(word, count)| (vec![(label, word.clone())], number(*count)));
        series.collect::<Vec<_>>()
    };
    gather.counter(
        "mlc_events_received",
        "New events accepted, by webhook or poll.",
        counters.messages,
    );
    gather.counter(
        "mlc_events_duplicate",
        "Events that were known by their id.",
        counters.duplicates,
    );
    gather.family(
        Kind::Counter,
        "mlc_webhooks_refused",
        "Webhooks refused, by reason.",
        by("reason", &counters.refused),
    );
    let moved = counters.moved.iter().flat_map(|(integration, moves)| {
        moves.iter().map(move |(became, count)| {
            let integration = ("integration", integration.clone());
            (
                vec![integration, ("became", became.clone())],
                number(*count),
            )
        })
    });
    gather.family(
        Kind::Counter,
        "mlc_transitions",
        "What became of deliveries: claimed, delivered, skipped, held, retried, uncertain or discarded.",
        moved.collect::<Vec<_>>(),
    );
    gather.family(
        Kind::Counter,
        "mlc_posts",
        "Writes sent, by what the answer meant.",
        by("outcome", &counters.posts),
    );
    gather.counter("mlc_reads", "Reads of other systems.", counters.reads);
    let polls = [
        (vec![("result", "read".to_owned())], number(counters.polls)),
        (
            vec![("result", "failed".to_owned())],
            number(counters.polls_failed),
        ),
    ];
    gather.family(
        Kind::Counter,
        "mlc_polls",
        "Polls, by how they went.",
        polls,
    );
    gather.counter(
        "mlc_log_ons",
        "Sessions opened and tokens renewed.",
        counters.log_ons,
    );
}

fn connections(engine: &Engine, gather: &mut Gather) {
    let mut links = engine.links();
    links.sort_by(|one, other| one.id().cmp(other.id()));
    let views: Vec<_> = links
        .iter()
        .map(|link| (link.id().to_string(), link.circuit().view()))
        .collect();
    let states = views.iter().flat_map(|(name, view)| {
        CIRCUIT.iter().map(move |state| {
            let labels = vec![("connection", name.clone()), ("state", (*state).to_owned())];
            (labels, f64::from(u8::from(view.state == *state)))
        })
    });
    gather.family(
        Kind::Gauge,
        "mlc_circuit_state",
        "1 for the state the connection's circuit is in.",
        states.collect::<Vec<_>>(),
    );
    let paused = views.iter().map(|(name, view)| {
        let paused = f64::from(u8::from(view.pause.is_some()));
        (vec![("connection", name.clone())], paused)
    });
    gather.family(
        Kind::Gauge,
        "mlc_connection_paused",
        "Whether a person stopped the connection.",
        paused.collect::<Vec<_>>(),
    );
}

fn journal(meters: &Meters, gather: &mut Gather) {
    gather.counter(
        "mlc_store_commits",
        "Groups written to the journal and synced.",
        meters.commits,
    );
    gather.counter(
        "mlc_store_commits_failed",
        "Groups that the disk refused.",
        meters.commits_failed,
    );
    gather.counter(
        "mlc_store_records",
        "Records written to the journal.",
        meters.records,
    );
    gather.counter(
        "mlc_store_written_bytes",
        "Bytes written to the journal.",
        meters.bytes,
    );
}

impl Collector for Gathered {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in &self.families {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for (labels, value) in &family.series {
                if labels.is_empty() {
                    one(&mut metric, family.kind, *value)?;
                } else {
                    one(&mut metric.encode_family(labels)?, family.kind, *value)?;
                }
            }
        }
        let help = "Time to write and sync a group.";
        let kind = MetricType::Histogram;
        let mut metric = encoder.encode_descriptor("mlc_store_sync_seconds", help, None, kind)?;
        let bounds = SYNC_BOUNDS_US.iter().map(|us| number(*us) / 1e6);
        let bounds = bounds.chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.store.buckets).collect();
        let sum = number(self.store.sync_us) / 1e6;
        metric.encode_histogram::<Labels>(sum, self.store.commits, &buckets, None)
    }
}

fn one(metric: &mut MetricEncoder<'_>, kind: Kind, value: f64) -> Result<(), fmt::Error> {
    match kind {
        Kind::Counter => metric.encode_counter::<Labels, f64, f64>(&value, None),
        Kind::Gauge => metric.encode_gauge(&value),
    }
}

/// Counts far beyond 2^53 are not reached in the life of a machine.
#[expect(
    clippy::cast_precision_loss,
    reason = "the text format's numbers are floats"
)]
fn number(count: u64) -> f64 {
    count as f64
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
