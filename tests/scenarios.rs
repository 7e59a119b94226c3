//! Stories with the shipped definitions and the simulated systems, in virtual time: what the ERP's business errors lead to,
//! that every way in which real installations differ leads to the same books, and what releases what is held.
//!
//! The engine polls the collector's events, so nothing has to be sent; its transport is a function call, its clock is moved
//! by the test whenever nothing else moves.

use jiff::{SignedDuration, Timestamp};
use ml_connector_core::definition::site::Site;
use ml_connector_core::delivery::{Class, DeliveryState, StateKind};
use ml_connector_core::http::{HttpRequest, HttpResponse, SendError};
use ml_connector_core::identity::CrosswalkId;
use ml_connector_core::plan::{Library, Plan};
use ml_connector_core::source::SourceSet;
use ml_connector_runtime::operator::{Act, Command, Reply};
use ml_connector_runtime::simulated::{FixedEntropy, ManualClock, MemorySecrets, MemoryTransport};
use ml_connector_runtime::{Clock as _, Engine, EngineOptions, Listen, Seams};
use ml_connector_simulators::books::{self, Expected, Posted, Report};
use ml_connector_simulators::gocardless::{self, Access, Kind, Party};
use ml_connector_simulators::serve::lock;
use ml_connector_simulators::syspro::{self, Fault, On, Operator, Period, Switches};
use ml_connector_simulators::{Reply as Simulated, demo};
use ml_connector_store::{CrosswalkEntry, Delivery, Options, Selection, Store};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a story may take in real time before it fails; none takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

const SITE: &str = r#"
version: 1
site: story
connections:
  gocardless:
    connector: gocardless
    settings: { environment: sandbox, base_url: "http://collector", first_sweep: 30d }
    secrets: { access_token: token, webhook_secret: hook }
    rate_limit: { requests: 1000000, per: 1s }
  syspro:
    connector: syspro
    settings: { base_url: "http://erp/SYSPROWCFService/Rest", operator: GC, company_id: EDU1 }
    secrets: { operator_password: operator, company_password: company }
integrations:
  - use: syspro-gocardless/payment-receipts
    params: { bank: GC }
"#;

struct Story {
    clock: ManualClock,
    collector: Arc<Mutex<gocardless::Simulator>>,
    erp: Arc<Mutex<syspro::Simulator>>,
    engine: Engine,
    store: Store,
    mandates: Vec<(String, String)>,
    _folder: TempDir,
}

impl Story {
    /// Two customers, each with so many collected payments, and an engine that is about to learn of them.
    async fn begin(switches: Switches, payments: i64, mapped: bool) -> Self {
        let now: Timestamp = "2026-03-16T08:00:00Z".parse().unwrap();
        let clock = ManualClock::new(now);
        let mut collector = gocardless::Simulator::new(
            gocardless::Settings {
                tokens: BTreeMap::from([("token-value".to_owned(), Access::ReadWrite)]),
                calls_per_minute: 1_000_000,
                ..gocardless::Settings::default()
            },
            7,
            now,
        );
        let period = Period {
            year: 2026,
            number: 3,
        };
        let mut erp = syspro::Simulator::new(switches, 7, period);
        erp.set_operator(
            "GC",
            Operator {
                password: "op".to_owned(),
                bank: "GC".to_owned(),
            },
        );
        let mut mandates = Vec::new();
        let mut entries = Vec::new();
        for (code, name, currency) in [
            ("0000417", "Brookfield & Sons <Leeds>", "GBP"),
            ("0000418", "Łódź Précis 漢", "EUR"),
        ] {
            let party = Party::new(name, currency);
            let long_ago = now - SignedDuration::from_hours(24 * 60);
            let (customer, mandate) = collector.add_payer(&party, long_ago).unwrap();
            erp.company_mut("EDU1")
                .unwrap()
                .add_customer(code, name, currency);
            entries.push(CrosswalkEntry {
                table: CrosswalkId::new("customers"),
                key: customer.clone(),
                values: json!({"syspro": code, "currency": currency}),
            });
            mandates.push((customer, mandate));
        }
        for (_, mandate) in &mandates {
            for number in 0..payments {
                let asked = now - SignedDuration::from_hours(24 * 7);
                let payment = collector
                    .collect_payment(mandate, 1001 + number * 37, &[], asked)
                    .unwrap();
                collector
                    .confirm(&payment, now - SignedDuration::from_mins(5))
                    .unwrap();
            }
        }
        let (collector, erp) = (Arc::new(Mutex::new(collector)), Arc::new(Mutex::new(erp)));
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(
            &Options {
                directory: folder.path().to_owned(),
                segment_bytes: 1 << 20,
                index_cache_bytes: 4 << 20,
            },
            &mut |_| {},
        )
        .unwrap();
        if mapped {
            store
                .crosswalk_set(entries, now, "test", None)
                .await
                .unwrap();
        }
        let secrets = MemorySecrets::new(&[
            ("token", "token-value"),
            ("hook", "hook-value"),
            ("operator", "op"),
            ("company", ""),
        ]);
        let engine = Engine::start(EngineOptions {
            plan: plan(),
            store: store.clone(),
            seams: Seams {
                clock: Arc::new(clock.clone()),
                entropy: Arc::new(FixedEntropy(u64::MAX)),
                transport: Arc::new(network(&clock, &collector, &erp)),
                secrets: Arc::new(secrets),
            },
            listen: Listen::default(),
            version: "test".to_owned(),
        })
        .await
        .unwrap();
        Self {
            clock,
            collector,
            erp,
            engine,
            store,
            mandates,
            _folder: folder,
        }
    }

    /// Moves the clock, whenever nothing else moves, until the condition holds.
    async fn until(&self, what: &str, condition: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let begun = Instant::now();
        let mut calls = 0;
        loop {
            let deliveries = self.deliveries().await;
            if condition(&deliveries) {
                return deliveries;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what} never came at {}: {deliveries:#?}",
                self.clock.now()
            );
            tokio::time::sleep(Duration::from_millis(3)).await;
            let now_calls = lock(&self.collector).calls() + lock(&self.erp).calls();
            if now_calls == calls {
                self.clock.advance_to_next();
                lock(&self.erp).tick(self.clock.now());
            }
            calls = now_calls;
        }
    }

    async fn all_delivered(&self, count: usize) -> Vec<Delivery> {
        self.until("everything delivered", |all| {
            all.len() == count
                && all
                    .iter()
                    .all(|one| one.state.kind() == StateKind::Delivered)
        })
        .await
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let selection = Selection {
            limit: 1000,
            ..Selection::default()
        };
        self.store.delivery_list(&selection).await.unwrap()
    }

    fn books(&self) -> Report {
        let expected: Vec<Expected> = lock(&self.collector)
            .collected()
            .iter()
            .map(Expected::from)
            .collect();
        let posted: Vec<Posted> = lock(&self.erp)
            .receipts()
            .iter()
            .map(Posted::from)
            .collect();
        books::compare(&expected, &posted)
    }

    async fn end(self) {
        self.engine.stop(Duration::from_secs(1)).await;
    }
}

fn plan() -> Arc<Plan> {
    let mut sources = SourceSet::new();
    for (name, text) in demo::definitions() {
        sources.add(&name, &text);
    }
    let site = sources.add("ml-connector.yaml", SITE);
    let (library, findings) = Library::load(&sources);
    assert!(findings.is_empty(), "{findings:#?}");
    let (site, findings) = Site::load(&sources, site);
    assert!(findings.is_empty(), "{findings:#?}");
    let (plan, findings) = Plan::bind(&library, &site.unwrap());
    assert!(findings.is_empty(), "{findings:#?}");
    Arc::new(plan)
}

/// Both systems behind function calls. A delayed answer is one that the caller gave up waiting for.
fn network(
    clock: &ManualClock,
    collector: &Arc<Mutex<gocardless::Simulator>>,
    erp: &Arc<Mutex<syspro::Simulator>>,
) -> MemoryTransport {
    let net = MemoryTransport::new();
    let (simulator, time) = (Arc::clone(collector), clock.clone());
    net.route_async("http://collector", move |request: HttpRequest| {
        let reply = lock(&simulator).handle(&request, time.now());
        Box::pin(async move { seen(reply) })
    });
    let (simulator, time) = (Arc::clone(erp), clock.clone());
    net.route_async("http://erp", move |request: HttpRequest| {
        let reply = lock(&simulator).handle(&request, time.now());
        Box::pin(async move { seen(reply) })
    });
    net
}

fn seen(reply: Simulated) -> Result<HttpResponse, SendError> {
    let cut = |why: &str| {
        Err(SendError::Unknown {
            why: why.to_owned(),
        })
    };
    match reply {
        Simulated::Answer(response) => Ok(response),
        Simulated::Drop => cut("the connection was cut"),
        Simulated::Truncate { .. } => cut("the answer broke off"),
        Simulated::Delay { .. } => cut("no answer in time"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_which_installations_differ_leads_to_the_same_books() {
    for (name, switches) in Switches::variations() {
        if !switches.version_8 || switches.url_bytes_max < 4096 {
            // Sites that say otherwise in their settings; see the connector's golden cases.
            continue;
        }
        let story = Story::begin(switches, 2, true).await;
        story.all_delivered(4).await;
        let report = story.books();
        assert!(report.agrees(), "{name}: {:#?}", report.differences);
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_troubles_of_the_erp_cost_nothing_but_time() {
    let troubles = [
        (On::Object("ARSTPY"), Fault::DropBefore),
        (On::Object("ARSTPY"), Fault::DropAfter),
        (On::Object("ARSTPY"), Fault::Garbled),
        (On::Object("ARSTPY"), Fault::Truncate { body_bytes: 40 }),
        (
            On::Object("ARSTPY"),
            Fault::Slow {
                by: Duration::from_secs(400),
            },
        ),
        (On::Object("ARSTPY"), Fault::Locked),
        (On::Object("ARSTPY"), Fault::GlJournalError),
        (On::Object("ARSTPY"), Fault::Evict),
        (On::Object("COMFND"), Fault::DropBefore),
        (
            On::Any,
            Fault::Restart {
                down_for: Duration::from_secs(90),
            },
        ),
        (On::Logon, Fault::NoSeat),
        (
            On::Logon,
            Fault::MonthEnd {
                lasts: Duration::from_secs(1800),
            },
        ),
    ];
    for (on, fault) in troubles {
        let story = Story::begin(Switches::default(), 2, true).await;
        lock(&story.erp).faults.plan(on, fault.clone());
        if matches!(on, On::Object("COMFND")) {
            // A look-up happens only after a lost answer.
            lock(&story.erp)
                .faults
                .plan(On::Object("ARSTPY"), Fault::DropAfter);
        }
        story.all_delivered(4).await;
        let report = story.books();
        assert!(report.agrees(), "{fault:?}: {:#?}", report.differences);
        assert!(
            lock(&story.erp).faults.waiting() == 0,
            "{fault:?} never struck"
        );
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn business_errors_wait_for_a_person_with_their_class_and_block_nobody_else() {
    for (fault, class) in [
        (Fault::CustomerOnHold, Class::Value),
        (Fault::PeriodClosed, Class::Period),
        (Fault::NotLicensed, Class::Configuration),
    ] {
        let story = Story::begin(Switches::default(), 2, true).await;
        lock(&story.erp)
            .faults
            .plan(On::Object("ARSTPY"), fault.clone());
        let all = story
            .until("one held, the others delivered", |all| {
                let count = |kind| all.iter().filter(|one| one.state.kind() == kind).count();
                count(StateKind::Held) == 1 && count(StateKind::Delivered) == 3
            })
            .await;
        let held = all.iter().find_map(|one| match &one.state {
            DeliveryState::Held(hold) => Some(hold.clone()),
            _ => None,
        });
        let held = held.unwrap();
        if fault != Fault::CustomerOnHold {
            assert_eq!(held.class, class, "{fault:?}: {held:?}");
        }
        assert!(!held.why.is_empty() && !held.help.is_empty(), "{held:?}");
        assert!(!held.in_doubt, "a refusal is no doubt: {held:?}");
        story.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_without_an_account_is_held_until_the_crosswalk_has_it() {
    let story = Story::begin(Switches::default(), 1, false).await;
    let all = story
        .until("both held", |all| {
            all.len() == 2 && all.iter().all(|one| one.state.kind() == StateKind::Held)
        })
        .await;
    for one in &all {
        let DeliveryState::Held(hold) = &one.state else {
            unreachable!()
        };
        assert_eq!(hold.class, Class::MissingMasterData);
        assert!(
            hold.help.contains("ml-connector crosswalk set customers"),
            "{}",
            hold.help
        );
    }
    assert_eq!(lock(&story.erp).receipt_count(), 0);
    let entry = |number: usize, code: &str, currency: &str| CrosswalkEntry {
        table: CrosswalkId::new("customers"),
        key: story.mandates[number].0.clone(),
        values: json!({"syspro": code, "currency": currency}),
    };
    let set = |entries| Command::CrosswalkSet {
        entries,
        act: Act {
            actor: "test".to_owned(),
            reason: "new customer".to_owned(),
        },
    };
    let reply = story
        .engine
        .execute(set(vec![entry(0, "0000417", "GBP")]))
        .await;
    assert!(!matches!(reply, Reply::Refused { .. }), "{reply:?}");
    story
        .until("the first delivered", |all| {
            all.iter()
                .filter(|one| one.state.kind() == StateKind::Delivered)
                .count()
                == 1
        })
        .await;
    story
        .engine
        .execute(set(vec![entry(1, "0000418", "EUR")]))
        .await;
    story.all_delivered(2).await;
    assert!(story.books().agrees());
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nights_outage_spends_no_posts_on_the_dead_system_and_drains_afterwards() {
    let story = Story::begin(Switches::default(), 5, true).await;
    let back = story.clock.now() + SignedDuration::from_hours(8);
    lock(&story.erp).restart_until(back);
    story.until("morning", |_| story.clock.now() >= back).await;
    let (posts, calls) = {
        let erp = lock(&story.erp);
        (erp.calls_of("ARSTPY"), erp.calls())
    };
    assert!(posts <= 1, "{posts} posts were tried on a dead system");
    assert!(
        calls < 60 * 30,
        "{calls} calls in sixty hours are not health calls alone"
    );
    let all = story.all_delivered(10).await;
    assert!(all.iter().all(|one| one.progress.attempts <= 3), "{all:#?}");
    assert!(story.books().agrees());
    assert!(lock(&story.collector).ids(Kind::Payments).len() >= 10);
    story.end().await;
}
