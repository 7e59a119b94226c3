//! Masters that nothing announces: locations, jobs, and workers whom only the daily reading finds. Each becomes a record in SYSPRO,
//! and what changes is changed there.
//!
//! Something is changed only once it stands in SYSPRO as it was before: then the reading has seen it, and sees the change.

use super::super::pairing::Part;
use super::verdict::COMPANY;
use crate::books::Difference;
use crate::paychex::{Address, Simulator};
use crate::syspro::{self, Company};
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// Category of the dimension that holds departments, that of jobs, and what a job's code begins with.
pub(super) const CATEGORIES: (&str, &str) = ("DEPT", "JOB");
pub(super) const PREFIX: &str = "J";

/// Locations by name, and what they are renamed to.
const LOCATIONS: [(&str, &str); 4] = [
    ("Albany Works & <Yard>", "Albany"),
    ("M\u{fc}nchen \"Nord\"", "M\u{fc}nchen Nord & S\u{fc}d"),
    ("O'Hare Depot", "O'Hare"),
    ("Troy", "Troy & Cohoes"),
];

/// Every how many parts there is a change of each kind.
const CHANGE_EVERY: usize = 3;

/// What a dimension code must say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Code {
    description: String,
    /// Its last day.
    until: Option<Date>,
}

/// What was made and changed so far.
#[derive(Debug, Default)]
pub(super) struct Masters {
    /// Records that a reading of locations and jobs must have found, changes included.
    pub(super) codes_read: usize,
    /// The same of workers.
    pub(super) workers_read: usize,
    /// Workers who left and were announced.
    pub(super) left: usize,
    /// By category and code.
    codes: BTreeMap<(&'static str, String), Code>,
    locations: Vec<(String, String)>,
    jobs: Vec<(String, String)>,
    /// Those who are there from the beginning, by id and employee number, as long as nothing has happened to them.
    staff: Vec<(String, String)>,
    /// Names in SYSPRO by employee code.
    employees: BTreeMap<String, String>,
}

impl Masters {
    /// Workers who are there from the beginning: nobody has announced them.
    pub(super) fn new(simulator: &Simulator, company: &str) -> Self {
        let mut masters = Self::default();
        for worker in simulator.workers(company) {
            let number = worker.employee_id.clone().unwrap_or_default();
            masters.staff.push((worker.id.clone(), number.clone()));
            let family = worker.name.family.as_deref().unwrap_or_default();
            masters.employs(&number, &worker.name.given, family);
        }
        masters
    }

    /// A worker whom the reading finds, announced or not.
    pub(super) fn employs(&mut self, number: &str, given: &str, family: &str) {
        self.workers_read += 1;
        // As SYSPRO's character set has it.
        let name = format!("{family}, {given}").replace('\u{141}', "L");
        let name = name.replace('\u{17a}', "z");
        self.employees.insert(format!("W{number}"), name);
    }

    /// Lets one part happen.
    pub(super) fn happen(
        &mut self,
        part: Part,
        (simulator, company): (&mut Simulator, &str),
        erp: &syspro::Simulator,
        day: Date,
        now: Timestamp,
    ) {
        let Some(books) = erp.company(COMPANY) else {
            return;
        };
        match part.number % CHANGE_EVERY {
            0 => self.add(part.number, simulator, company, day),
            1 => self.change(simulator, books, day),
            _ => self.let_go(simulator, books, day, now),
        }
    }

    fn add(&mut self, number: usize, simulator: &mut Simulator, company: &str, day: Date) {
        if let Some((name, _)) = LOCATIONS.get(self.locations.len()) {
            let id = simulator.add_location(company, name, Address::default());
            let code: String = name.to_uppercase().chars().take(30).collect();
            self.locations.push((id, code.clone()));
            self.says(CATEGORIES.0, code, name, None);
        }
        let (number, name) = (
            format!("{}", 4470 + number),
            format!("Order {number} & rework"),
        );
        let id = simulator.add_job(company, &name, &["AL", &number], day);
        let code = format!("{PREFIX}AL-{number}");
        self.jobs.push((id, code.clone()));
        self.says(CATEGORIES.1, code, &name, None);
    }

    fn says(
        &mut self,
        category: &'static str,
        code: String,
        description: &str,
        until: Option<Date>,
    ) {
        self.codes_read += 1;
        let description = description.to_owned();
        self.codes
            .insert((category, code), Code { description, until });
    }

    /// A location gets another name, and a job ends.
    fn change(&mut self, simulator: &mut Simulator, books: &Company, day: Date) {
        let mut both = self.locations.iter().zip(LOCATIONS);
        let renamed = both.find(|((_, code), (old, _))| {
            let own = self.codes.get(&(CATEGORIES.0, code.clone()));
            own.is_some_and(|own| own.description == *old)
                && description(books, CATEGORIES.0, code) == Some(old)
        });
        let renamed = renamed.map(|((id, code), (_, new))| (id.clone(), code.clone(), new));
        if let Some((id, code, new)) = renamed
            && let Some(location) = simulator.location_mut(&id)
        {
            new.clone_into(&mut location.name);
            self.says(CATEGORIES.0, code, new, None);
        }
        let ended = self.jobs.iter().find(|(_, code)| {
            let own = self.codes.get(&(CATEGORIES.1, code.clone()));
            own.is_some_and(|own| own.until.is_none())
                && description(books, CATEGORIES.1, code).is_some()
        });
        if let Some((id, code)) = ended.cloned()
            && let Some(job) = simulator.job_mut(&id)
        {
            job.end = Some(day);
            let name = job.name.clone();
            self.says(CATEGORIES.1, code, &name, Some(day));
        }
    }

    /// Somebody leaves: it is announced, and the reading finds it too.
    fn let_go(&mut self, simulator: &mut Simulator, books: &Company, day: Date, now: Timestamp) {
        let there = |(_, number): &(String, String)| {
            let code = format!("W{number}");
            books.master("SetupBomEmployee", &code, "Name").is_some()
        };
        let Some(at) = self.staff.iter().position(there) else {
            return;
        };
        let (id, number) = self.staff.swap_remove(at);
        simulator.set_status(&id, "TERMINATED", "RESIGNED", day, now);
        self.left += 1;
        self.workers_read += 1;
        if let Some(name) = self.employees.get_mut(&format!("W{number}")) {
            name.push_str(&format!(" (left {day})"));
        }
    }

    /// What does not stand in SYSPRO as it is at the payroll.
    pub(super) fn differences(&self, books: &Company) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut check = |what: String, expected: &str, found: Option<&str>| {
            let found = found.unwrap_or_default();
            if found != expected {
                differences.push(Difference::Differs {
                    what,
                    expected: expected.to_owned(),
                    found: found.to_owned(),
                });
            }
        };
        for ((category, code), own) in &self.codes {
            let what = format!("{category} {code}");
            let found = description(books, category, code);
            check(what.clone(), &own.description, found);
            let until = own.until.map(|day| day.to_string()).unwrap_or_default();
            let key = format!("{COMPANY}|{code}|{category}");
            let found = books.master("SetupGlDimensionCodes", &key, "ActiveToDate");
            check(format!("{what} until"), &until, found);
        }
        for (code, name) in &self.employees {
            let found = books.master("SetupBomEmployee", code, "Name");
            check(format!("employee {code}"), name, found);
        }
        differences
    }
}

fn description<'a>(books: &'a Company, category: &str, code: &str) -> Option<&'a str> {
    let key = format!("{COMPANY}|{code}|{category}");
    books.master("SetupGlDimensionCodes", &key, "Description")
}
