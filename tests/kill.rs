//! SIGKILL at random moments under load, against the simulated systems over real sockets.
//!
//! The binary runs on a pairing's site file, is killed again and again while records are made, and is started again on
//! what is on disk. In the end the books of both sides are compared to the penny, without asking the engine; then the
//! engine's own counters, its matching tables and its audit trail must say the same. Every shipped integration takes part, and
//! each must have delivered something.
//!
//! The suite runs one small round of every pairing that the demonstration knows, all at once, with everything mixed.
//! Besides it is killed at points that are seen from outside: while a call that writes is answered, before its effect and after
//! it, while a log-on is answered, between the steps of a write, and right after a webhook was acknowledged.
//! `ML_KILL_ROUNDS` makes it a campaign: so many rounds with the target in each of its modes (fast, slow, ambiguous, down),
//! with a disk that fills up, and at each of those points, the pairings in turn. `ML_KILL_PAIRING` and `ML_KILL_MODE` name one
//! of them, `ML_KILL_EVENTS` says how many records a round has; a round that goes wrong prints its seed, and `ML_KILL_SEED`
//! repeats it (the moments of the kills depend on the machine as well).

mod lab;
mod ruin;

use lab::Lab;
use ml_connector_simulators::books::Difference;
use ml_connector_simulators::demo::{self, Listen, Options, PAIRINGS, Pairing, Point, World};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// How the target behaves in a round, or the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It answers at once.
    Fast,
    /// It takes up to a second for each answer.
    Slow,
    /// One in five of its answers is cut off after it has posted.
    Ambiguous,
    /// It is off the network for most of the time.
    Down,
    /// A bit of everything, for the suite.
    Mixed,
    /// The disk has no room left before half of the records are in, until somebody makes room.
    Full,
    /// It is fast, and the engine is killed at one point only.
    At(Point),
    /// The same, right after a webhook was acknowledged.
    Acknowledged,
}

const POINTS: [Point; 4] = [
    Point::BeforeEffect,
    Point::AfterEffect,
    Point::LogOn,
    Point::BetweenSteps,
];

impl Mode {
    /// Those of a campaign.
    const CAMPAIGN: [Self; 10] = [
        Self::Fast,
        Self::Slow,
        Self::Ambiguous,
        Self::Down,
        Self::Full,
        Self::At(Point::BeforeEffect),
        Self::At(Point::AfterEffect),
        Self::At(Point::LogOn),
        Self::At(Point::BetweenSteps),
        Self::Acknowledged,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Ambiguous => "ambiguous",
            Self::Down => "down",
            Self::Mixed => "mixed",
            Self::Full => "disk full",
            Self::At(Point::BeforeEffect) => "before effect",
            Self::At(Point::AfterEffect) => "after effect",
            Self::At(Point::LogOn) => "log-on",
            Self::At(Point::BetweenSteps) => "between steps",
            Self::Acknowledged => "acknowledged",
        }
    }

    /// What happens in a round of so many records.
    fn options(self, seed: u64, records: usize) -> Options {
        let steps = (records / 10).clamp(10, 200);
        let calm = Options {
            seed,
            every_flow: true,
            records,
            steps,
            pace: Duration::from_millis(60),
            outage: 0..0,
            cut_per_mille: 0,
            settle: "300ms",
            retry_gap: Duration::from_millis(150),
            ..Options::default()
        };
        match self {
            Self::Fast | Self::Slow | Self::Full | Self::At(_) | Self::Acknowledged => calm,
            Self::Ambiguous => Options {
                cut_per_mille: 200,
                ..calm
            },
            Self::Down => Options {
                outage: steps / 5..steps * 4 / 5,
                ..calm
            },
            Self::Mixed => Options {
                outage: steps / 3..steps / 2,
                cut_per_mille: 50,
                ..calm
            },
        }
    }
}

/// How rounds went.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    runs: u32,
    kills: u32,
    /// Of those, how many at a point, and how many at random moments while records were made.
    at_points: u32,
    at_random: u32,
    posted: usize,
    held: u64,
    lost: usize,
    doubled: usize,
    other: usize,
}

impl Tally {
    fn add(&mut self, round: &Self) {
        self.runs += round.runs;
        self.kills += round.kills;
        self.at_points += round.at_points;
        self.at_random += round.at_random;
        self.posted += round.posted;
        self.held += round.held;
        self.lost += round.lost;
        self.doubled += round.doubled;
        self.other += round.other;
    }
}

/// One run of a campaign.
#[derive(Debug, Clone, Copy)]
struct Run {
    pairing: Pairing,
    mode: Mode,
    seed: u64,
}

#[test]
fn nothing_is_lost_or_doubled_by_killing_it() {
    let rows = std::thread::scope(|scope| {
        let campaigns: Vec<_> = planned()
            .into_iter()
            .map(|runs| scope.spawn(|| campaign(runs)))
            .collect();
        assert!(!campaigns.is_empty(), "no pairing has that name");
        let ended = campaigns
            .into_iter()
            .flat_map(|campaign| campaign.join().unwrap());
        ended.collect::<Vec<_>>()
    });
    let mut modes: Vec<(Mode, Tally)> = Vec::new();
    for (run, tally) in rows {
        match modes.iter_mut().find(|(mode, _)| *mode == run.mode) {
            Some((_, sum)) => sum.add(&tally),
            None => modes.push((run.mode, tally)),
        }
    }
    let mut table = String::from(
        "target         runs  kills  at a point  posted   held  lost  doubled  other\n",
    );
    for (mode, sum) in &modes {
        let (name, runs, posted) = (mode.as_str(), sum.runs, sum.posted);
        let (kills, points) = (sum.kills, sum.at_points);
        let (held, lost, doubled, other) = (sum.held, sum.lost, sum.doubled, sum.other);
        writeln!(
            table,
            "{name:<13}  {runs:>4}  {kills:>5}  {points:>10}  {posted:>6}  {held:>5}  {lost:>4}  {doubled:>7}  {other:>5}"
        )
        .unwrap();
    }
    println!("{table}");
    let bad = |sum: &Tally| sum.lost + sum.doubled + sum.other;
    assert_eq!(
        modes.iter().map(|(_, sum)| bad(sum)).sum::<usize>(),
        0,
        "\n{table}"
    );
}

#[tokio::test]
async fn every_shipped_integration_takes_part() {
    let mut shipped: BTreeSet<String> = demo::definitions()
        .into_iter()
        .filter(|(path, _)| path.starts_with("mappings/") && !path.contains("/cases/"))
        .flat_map(|(_, text)| named(&text, "integration: "))
        .collect();
    assert!(shipped.len() >= 28, "{shipped:?}");
    for pairing in PAIRINGS {
        let world = World::start(*pairing, Mode::Fast.options(1, 10))
            .await
            .unwrap();
        let listen = Listen {
            webhooks: "127.0.0.1:1".to_owned(),
            admin: "127.0.0.1:2".to_owned(),
        };
        for used in named(&world.site(&listen), "  - use: ") {
            assert!(
                shipped.remove(&used),
                "{used} is not shipped, or used twice"
            );
        }
        world.stop().await;
    }
    assert!(shipped.is_empty(), "no round runs {shipped:?}");
}

/// What stands behind this at the beginning of lines.
fn named(text: &str, mark: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.strip_prefix(mark));
    names.map(str::to_owned).collect()
}

/// The runs of each pairing, which go at the same time.
fn planned() -> Vec<Vec<Run>> {
    let wanted = std::env::var("ML_KILL_PAIRING").ok();
    let pairings: Vec<Pairing> = PAIRINGS
        .iter()
        .filter(|pairing| wanted.as_deref().is_none_or(|name| name == pairing.name))
        .copied()
        .collect();
    let first = number("ML_KILL_SEED", 1);
    let rounds = number("ML_KILL_ROUNDS", 0);
    let run = |pairing: Pairing, mode, seed| Run {
        pairing,
        mode,
        seed,
    };
    let named = std::env::var("ML_KILL_MODE").ok();
    if rounds == 0 {
        return pairings
            .into_iter()
            .map(|pairing| vec![run(pairing, Mode::Mixed, first)])
            .collect();
    }
    let mut plans = vec![Vec::new(); pairings.len()];
    for seed in first..first + rounds {
        let turn = usize::try_from(seed - first).unwrap() % plans.len().max(1);
        for mode in Mode::CAMPAIGN {
            if named.as_deref().is_none_or(|name| name == mode.as_str()) {
                plans[turn].push(run(pairings[turn], mode, seed));
            }
        }
    }
    plans
}

fn campaign(runs: Vec<Run>) -> Vec<(Run, Tally)> {
    let records = usize::try_from(number("ML_KILL_EVENTS", 200)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut ended = Vec::new();
    for run in runs {
        let Some(tally) = runtime.block_on(round(run, records)) else {
            continue;
        };
        println!(
            "{:<24} {:<13} seed {:>4}: {} kills, {} posted, {} lost, {} doubled, {} other",
            run.pairing.name,
            run.mode.as_str(),
            run.seed,
            tally.kills,
            tally.posted,
            tally.lost,
            tally.doubled,
            tally.other
        );
        let aimed = matches!(run.mode, Mode::At(_) | Mode::Acknowledged | Mode::Mixed);
        let at_all = if aimed {
            tally.at_points
        } else {
            tally.at_random
        };
        assert!(
            at_all > 0,
            "{run:?}: it was never killed where it was meant to be"
        );
        ended.push((run, tally));
    }
    ended
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// The size that no file may exceed in a round whose disk fills up.
const LITTLE_ROOM_KIB: u64 = 256;

/// How often the engine is killed in a round at one point.
const KILLS_AT_A_POINT: usize = 5;
/// So many parts are made while a call is waited for that can be stopped,
const PARTS_AT_A_POINT: usize = 4;
/// and so long it is waited for when no more are made.
const PATIENCE: Duration = Duration::from_secs(2);

/// Kills the engine in the middle of calls, in the order of what can be stopped, and lets the world go on meanwhile, until it was
/// killed so often, or everything has happened and no such call comes any more. Gives how often.
async fn kill_at(world: &mut World, point: Point, most: usize, mut again: impl FnMut()) -> u32 {
    let stops = world.stops(point);
    // Who is logged on does not log on once more: there the stop is in place before the engine starts.
    let starts_first = point == Point::LogOn;
    let (mut kills, mut missed, mut more) = (0, 0, true);
    for (gate, moment, marker) in stops.iter().cycle() {
        if kills == most || (missed >= stops.len() && !more) {
            break;
        }
        let reached = gate.stop(marker, *moment);
        if starts_first {
            again();
        }
        if is_reached(world, reached, &mut more).await {
            missed = 0;
            kills += 1;
            if !starts_first {
                again();
            }
        } else {
            gate.open();
            missed += 1;
        }
    }
    if starts_first && kills > 0 {
        again();
    }
    u32::try_from(kills).unwrap()
}

/// Whether a call is stopped within some parts, and what follows from them; and whether there are more parts.
async fn is_reached(world: &mut World, reached: impl Future, more: &mut bool) -> bool {
    let mut parts = PARTS_AT_A_POINT;
    let mut left = PATIENCE;
    tokio::pin!(reached);
    loop {
        let pace = Duration::from_millis(60);
        tokio::select! {
            _ = &mut reached => return true,
            () = tokio::time::sleep(pace) => {
                if *more && parts > 0 {
                    *more = world.advance().await.unwrap();
                    parts -= 1;
                } else {
                    left = left.saturating_sub(pace);
                }
                if left.is_zero() {
                    return false;
                }
            }
        }
    }
}

/// Kills the engine as soon as it has acknowledged a webhook of the next part, and that so often.
async fn kill_acknowledged(world: &mut World, most: usize, mut again: impl FnMut()) -> u32 {
    let mut kills = 0;
    while kills < most {
        let before = world.progress().accepted;
        if !world.advance().await.unwrap() {
            break;
        }
        for _ in 0..500 {
            if world.progress().accepted > before {
                again();
                kills += 1;
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    u32::try_from(kills).unwrap()
}

/// One round; nothing where the pairing has no such point.
async fn round(run: Run, records: usize) -> Option<Tally> {
    let (mode, seed) = (run.mode, run.seed);
    let mut world = World::start(run.pairing, mode.options(seed, records))
        .await
        .unwrap();
    if matches!(mode, Mode::At(point) if world.stops(point).is_empty()) {
        world.stop().await;
        return None;
    }
    if mode == Mode::Slow {
        world.slow_target(Duration::from_secs(1));
    }
    let lab = Lab::new(&world);
    let mut dice = Dice(seed);
    let full = mode == Mode::Full;
    // Until a start is refused for want of room: then somebody makes room.
    let mut little_room = full;
    let mut start = || {
        if little_room {
            match lab.start_with_little_room(LITTLE_ROOM_KIB) {
                Ok(engine) => return engine,
                Err(refused) => assert!(refused.contains(NO_ROOM), "{refused}"),
            }
            little_room = false;
        }
        lab.start()
    };
    let mut engine = start();
    for table in &lab.tables {
        let file = format!("{table}.csv");
        lab.fine(
            &["crosswalk", "import", &file, "--reason", "first load"],
            "",
        );
    }
    world.send_to(&format!("http://{}", lab.webhooks));
    let mut again = || {
        engine.kill().unwrap();
        engine.wait().unwrap();
        engine = start();
    };
    let mut at_points = 0;
    match mode {
        Mode::At(point) => {
            at_points += kill_at(&mut world, point, KILLS_AT_A_POINT, &mut again).await;
        }
        Mode::Acknowledged => {
            at_points += kill_acknowledged(&mut world, KILLS_AT_A_POINT, &mut again).await;
        }
        Mode::Mixed => {
            for point in POINTS {
                let once_each = world.stops(point).len();
                at_points += kill_at(&mut world, point, once_each, &mut again).await;
            }
        }
        Mode::Fast | Mode::Slow | Mode::Ambiguous | Mode::Down | Mode::Full => {}
    }
    let mut at_random = 0;
    if matches!(mode, Mode::At(_) | Mode::Acknowledged) {
        world.run(|_| {}).await.unwrap();
    } else {
        at_random += kill_at_random(&mut world, &mut dice, &mut again).await;
    }
    // Twice more while the queue drains; and now somebody has made room.
    // Twice more while the queue drains; and now somebody has made room.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(dice.between(100, 700))).await;
        engine.kill().unwrap();
        engine.wait().unwrap();
        engine = lab.start();
    }
    let settled = world.settle(Duration::from_secs(240), |_| {}).await && lab.rests().await;
    // Time for whatever would still be posted a second time.
    tokio::time::sleep(Duration::from_secs(2)).await;
    lab.stop(engine, settled);
    let report = world.books();
    let progress = world.progress();
    let (held, mut wrong) = lab.account(&progress);
    wrong.extend(lab.remembers(&world.remembered()));
    if full && !lab.log().contains(NO_ROOM) {
        wrong.push("the disk never was full".to_owned());
    }
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
    if !report.agrees() || !wrong.is_empty() {
        println!(
            "{} {} seed {seed}: {:#?}\n{wrong:#?}\n{}",
            run.pairing.name,
            mode.as_str(),
            report.differences,
            lab.log_tail()
        );
    }
    world.stop().await;
    Some(Tally {
        runs: 1,
        kills: at_points + at_random + 2,
        at_points,
        at_random,
        posted: progress.posted,
        held,
        lost,
        doubled,
        other: report.differences.len() - lost - doubled + wrong.len(),
    })
}

/// Kills the engine at random moments while everything happens.
async fn kill_at_random(world: &mut World, dice: &mut Dice, mut again: impl FnMut()) -> u32 {
    let mut kills = 0;
    let load = world.run(|_| {});
    tokio::pin!(load);
    loop {
        let moment = Duration::from_millis(dice.between(100, 900));
        tokio::select! {
            done = &mut load => { done.unwrap(); return kills }
            () = tokio::time::sleep(moment) => {
                again();
                kills += 1;
            }
        }
    }
}

/// What the system says of a file that may not grow.
const NO_ROOM: &str = "File too large";

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
