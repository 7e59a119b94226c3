//! The payroll: who works where, and what is paid in each part.

use super::super::pairing::Part;
use super::super::plan::Options;
use crate::entropy::Entropy;
use crate::paychex::{self, Client, Effect, Line, Lines, PeriodStatus, Simulator, Switches, Tax};
use crate::serve::lock;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rust_decimal::Decimal;
use std::sync::{Arc, Mutex};

/// Organizations that have a number; one more has none.
pub(super) const NUMBERED: usize = 4;

/// Organizations by the end of their names; the number stands in front.
const NAMES: [&str; NUMBERED] = [
    "Machining & Tools",
    "Maintenance <Night>",
    "F\u{f6}rderung",
    "\u{6f22} Desk",
];

/// Workers who are there from the beginning.
const STAFF: usize = 40;

/// A pay period, and what is to become of its journal.
#[derive(Debug, Clone)]
pub(super) struct Paid {
    pub(super) period: String,
    pub(super) checks: usize,
    /// Nobody has decided about its imputed income.
    pub(super) held: bool,
    /// Whether a check of it was undone.
    undone: bool,
    /// It undoes another one.
    undoes: bool,
}

/// The payroll service and what was done in it.
#[derive(Debug)]
pub(super) struct Payroll {
    pub(super) simulator: Arc<Mutex<Simulator>>,
    pub(super) company: String,
    pub(super) began: Timestamp,
    /// The first day of which periods count.
    pub(super) since: Date,
    pub(super) paid: Vec<Paid>,
    /// Workers hired since the beginning.
    pub(super) hired: usize,
    pub(super) organizations: Vec<String>,
    assignments: Vec<String>,
    components: [String; 4],
    workers: Vec<String>,
    entropy: Entropy,
}

impl Payroll {
    pub(super) fn new(options: &Options, client: (&str, &str), now: Timestamp) -> Self {
        let mut switches = Switches {
            notification_repeat: options.retry_gap,
            ..Switches::default()
        };
        if options.every_flow {
            // Who is killed every second asks for a token at every start.
            switches.token_requests_per_minute = 600;
        }
        let mut simulator = Simulator::new(switches, options.seed);
        simulator.set_client(client.0, Client::reader(client.1));
        let company = simulator.add_company("01234567", "NORTHWIND VALVE WORKS LLC");
        let today = now.to_zoned(TimeZone::UTC).date();
        let organizations: Vec<String> = (1..)
            .zip(NAMES)
            .map(|(number, name)| {
                let number = format!("{number}0");
                let name = format!("{number} {name}");
                simulator.add_organization(&company, &number, &name, None, now)
            })
            .collect();
        let nameless = simulator.add_organization(&company, "", "Projects", None, now);
        simulator.change_organization(&nameless, |own| own.number = None, now);
        let assignments = organizations
            .iter()
            .map(|own| simulator.add_labor_assignment(&company, "Shift", Some(own), None))
            .collect();
        let mut component =
            |name, kind, effect| simulator.add_component(&company, name, kind, effect, now);
        let components = [
            component("Hourly", "REGULAR", Effect::Addition),
            component("401k EE", "_401K", Effect::Reduction),
            component("401k ER", "_401K", Effect::EmployerInformational),
            component(
                "Life insurance",
                "FRINGE_BENEFITS",
                Effect::AdditionWithInOut,
            ),
        ];
        let since = today.saturating_sub(Span::new().days(60));
        let workers = (0..STAFF)
            .map(|at| {
                let number = (100 + at).to_string();
                simulator.hire(&company, &number, ("Dana", "Okafor"), since, now)
            })
            .collect();
        Self {
            simulator: Arc::new(Mutex::new(simulator)),
            company,
            began: now,
            since,
            paid: Vec::new(),
            hired: 0,
            organizations,
            assignments,
            components,
            workers,
            entropy: Entropy::new(options.seed ^ 0xDE30),
        }
    }

    /// Somebody is hired and a period is paid; in some parts a check of an earlier one is undone. Gives the new worker's number,
    /// given name and family name.
    pub(super) fn happen(
        &mut self,
        part: Part,
        now: Timestamp,
    ) -> (String, &'static str, &'static str) {
        let hired = self.hire(now);
        if part.records > 0 {
            self.pay(part.records, part.number % 8 == 4, now);
        }
        if part.number % 6 == 5 {
            self.undo(now);
        }
        hired
    }

    fn hire(&mut self, now: Timestamp) -> (String, &'static str, &'static str) {
        self.hired += 1;
        let number = (500 + self.hired).to_string();
        let names = [
            ("Mara", "Lindqvist"),
            ("Zo\u{eb}", "O'Neill & Co"),
            ("\u{141}ukasz", "<Wo\u{17a}niak>"),
        ];
        let name = self
            .entropy
            .pick(&names)
            .copied()
            .unwrap_or(("Mara", "Lindqvist"));
        let day = now.to_zoned(TimeZone::UTC).date();
        lock(&self.simulator).hire(&self.company, &number, name, day, now);
        (number, name.0, name.1)
    }

    fn pay(&mut self, checks: usize, held: bool, now: Timestamp) {
        let today = now.to_zoned(TimeZone::UTC).date();
        let days = (today.saturating_sub(Span::new().days(13)), today);
        let lines: Vec<Lines> = (0..checks).map(|at| self.lines(held && at == 0)).collect();
        let mut simulator = lock(&self.simulator);
        let period = simulator.open_period(&self.company, Some("BI_WEEKLY"), days, today);
        for (worker, lines) in self.workers.iter().cycle().zip(lines) {
            simulator.enter_check(&period, worker, lines);
        }
        simulator.complete(&period, PeriodStatus::Completed, now);
        drop(simulator);
        self.paid.push(Paid {
            period,
            checks,
            held,
            undone: false,
            undoes: false,
        });
    }

    /// Undoes the first check of the last period that is posted and has not been touched.
    fn undo(&mut self, now: Timestamp) {
        let untouched = |own: &&mut Paid| !own.held && !own.undone && !own.undoes;
        let Some(original) = self.paid.iter_mut().rev().find(untouched) else {
            return;
        };
        let mut simulator = lock(&self.simulator);
        let first = simulator
            .checks(&original.period)
            .first()
            .map(|own| own.id.clone());
        let Some(first) = first else { return };
        let Some(period) = simulator.reverse(&original.period, &[&first], now) else {
            return;
        };
        drop(simulator);
        original.undone = true;
        self.paid.push(Paid {
            period,
            checks: 1,
            held: false,
            undone: false,
            undoes: true,
        });
    }

    /// What a worker gets: lines in up to two cost centres, of amounts with odd cents.
    fn lines(&mut self, imputed: bool) -> Lines {
        let cents = |entropy: &mut Entropy, from: usize, below: usize| {
            let amount = from + entropy.below(below);
            Decimal::new(i64::try_from(amount).unwrap_or(1), 2)
        };
        let (first, second) = (self.place(), self.place());
        let [hourly, reduction, contribution, insurance] = &self.components;
        let earn = |amount, place: &(String, String)| {
            Line::new(hourly, amount).at(Some(&place.1), Some(&place.0))
        };
        let entropy = &mut self.entropy;
        let mut earnings = vec![
            earn(cents(entropy, 40_000, 90_000), &first),
            earn(cents(entropy, 10_000, 40_000), &second),
        ];
        if imputed {
            earnings.push(Line::new(insurance, cents(entropy, 1_000, 2_000)));
        }
        let mut employer = Tax::new(
            "Employer Social Security Tax",
            true,
            cents(entropy, 3_000, 5_000),
        );
        employer.labor_assignment = Some(first.1);
        let benefit =
            Line::new(contribution, cents(entropy, 1_000, 3_000)).at(Some(&second.1), None);
        Lines {
            earnings,
            deductions: vec![Line::new(reduction, cents(entropy, 1_000, 4_000))],
            informational: vec![benefit],
            taxes: vec![
                Tax::new("Federal Income Tax", false, cents(entropy, 5_000, 9_000)),
                employer,
            ],
        }
    }

    /// Some organization and its labor assignment.
    fn place(&mut self) -> (String, String) {
        let at = self.entropy.below(NUMBERED);
        let id = |list: &[String]| list.get(at).cloned().unwrap_or_default();
        (id(&self.organizations), id(&self.assignments))
    }

    /// Checks of all periods.
    pub(super) fn checks(&self) -> usize {
        self.paid.iter().map(|own| own.checks).sum()
    }

    /// Journals that must end in the ledger.
    pub(super) fn journals_to_post(&self) -> usize {
        self.paid.iter().filter(|own| !own.held).count()
    }

    /// Journals that must be held.
    pub(super) fn journals_to_hold(&self) -> usize {
        self.paid.len() - self.journals_to_post()
    }

    /// Net pay of the periods whose journals are held.
    pub(super) fn held_net(&self, simulator: &paychex::Simulator) -> Decimal {
        let held = self.paid.iter().filter(|own| own.held);
        held.map(|own| simulator.sums(&own.period).net()).sum()
    }
}
