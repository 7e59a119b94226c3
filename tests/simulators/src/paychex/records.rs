//! What the service keeps (PX 4). Tests build it with the verbs of `payroll` and `worker`.

use crate::entropy::Entropy;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Letters of the 20-character ids (PX 8).
const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A company (PX 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// 20 characters.
    pub id: String,
    /// Eight characters, leading zeros count.
    pub display_id: String,
    /// Name.
    pub legal_name: String,
    /// False: no active payroll product, cannot be read (PX 1.4).
    pub has_permission: bool,
    /// End-dated: 403 API-68 (PX 7.2).
    pub ended: bool,
}

/// An address, as far as anybody needs it here (PX 4.8).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// Street and number.
    pub street: String,
    /// City.
    pub city: String,
    /// Postal code.
    pub postal_code: String,
    /// State.
    pub state: String,
}

/// An organization (PX 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Numeral.
    pub id: String,
    /// Its company.
    pub company: String,
    /// Name, often with the number in front.
    pub name: String,
    /// Not unique.
    pub number: Option<String>,
    /// Name of the level.
    pub level: Option<String>,
    /// The organization above.
    pub parent: Option<String>,
    /// No longer listed, still readable by its id.
    pub gone: bool,
}

/// A location (PX 4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Numeral.
    pub id: String,
    /// Its company.
    pub company: String,
    /// Name.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// First day.
    pub moved_in: Option<Date>,
    /// Last day.
    pub moved_out: Option<Date>,
}

/// A costing job (PX 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Numeral.
    pub id: String,
    /// Its company.
    pub company: String,
    /// Name.
    pub name: String,
    /// Up to three segments.
    pub number: Vec<String>,
    /// First day.
    pub start: Option<Date>,
    /// Last day.
    pub end: Option<Date>,
}

/// A position (PX 4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTitle {
    /// Either family of ids.
    pub id: String,
    /// Its company.
    pub company: String,
    /// Title.
    pub title: String,
    /// First day.
    pub start: Option<Date>,
    /// Last day.
    pub end: Option<Date>,
}

/// A labor assignment (PX 4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaborAssignment {
    /// Numeral.
    pub id: String,
    /// Its company.
    pub company: String,
    /// Name.
    pub name: String,
    /// First day.
    pub start: Option<Date>,
    /// Last day.
    pub end: Option<Date>,
    /// Organization, where it says so.
    pub organization: Option<String>,
    /// Position; not a job title for certain.
    pub position: Option<String>,
    /// Location, where it says so.
    pub location: Option<String>,
}

/// A name (PX 4.7).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// Family name; `None` for a firm.
    pub family: Option<String>,
    /// Given name, or the firm's name.
    pub given: String,
    /// Middle name.
    pub middle: Option<String>,
}

/// One status in a worker's history (PX 4.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Left out where no status of the company matches.
    pub id: Option<String>,
    /// ACTIVE, INACTIVE, TERMINATED, PENDING, IN_PROGRESS, TRANSFERRED.
    pub kind: String,
    /// HIRED, REHIRED, RESIGNED … CUSTOM_UNKNOWN.
    pub reason: String,
    /// From when on.
    pub effective: Date,
    /// Tells statuses of one day apart.
    pub order: u32,
}

/// A rate of pay (PX 4.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayRate {
    /// Numeral.
    pub id: String,
    /// HOURLY_RATE and the like.
    pub kind: String,
    /// Amount.
    pub amount: Decimal,
    /// First day.
    pub start: Date,
}

/// A worker (PX 4.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// 20 characters; the stable key.
    pub id: String,
    /// The company.
    pub company: String,
    /// Chosen by the employer; no key.
    pub employee_id: Option<String>,
    /// EMPLOYEE, CONTRACTOR, INDEPENDENT_CONTRACTOR.
    pub worker_type: String,
    /// FULL_TIME, PART_TIME, or nothing.
    pub employment_type: Option<String>,
    /// EXEMPT, NON_EXEMPT.
    pub exemption_type: Option<String>,
    /// Name.
    pub name: Name,
    /// Day of the first hire; stays on a rehire.
    pub hired: Date,
    /// Personal: only in the full projections.
    pub born: Date,
    /// Personal: only in the full projections.
    pub social_security_number: String,
    /// Home labor assignment.
    pub labor_assignment: Option<String>,
    /// Home location.
    pub location: Option<String>,
    /// Home costing job.
    pub job: Option<String>,
    /// Position.
    pub job_title: Option<String>,
    /// Home organization.
    pub organization: Option<String>,
    /// Supervisor.
    pub supervisor: Option<String>,
    /// Every status, past, present and future.
    pub history: Vec<Status>,
    /// Business mail address.
    pub email: Option<String>,
    /// Rates, up to 25.
    pub rates: Vec<PayRate>,
    /// When the record was made: what `from` and `to` compare (PX 4.7).
    pub created: Date,
}

impl Worker {
    /// The status that holds on a day: the last one that has begun (PX 4.7).
    pub fn status_on(&self, day: Date) -> Option<&Status> {
        self.history
            .iter()
            .filter(|status| status.effective <= day)
            .max_by_key(|status| (status.effective, status.order))
    }
}

/// What a component does to pay (PX 4.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Adds to pay.
    Addition,
    /// Reduces it.
    Reduction,
    /// An employer's contribution: no effect on pay.
    EmployerInformational,
    /// Counts for tax, is taken out of net again.
    AdditionWithInOut,
}

impl Effect {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Addition => "ADDITION",
            Self::Reduction => "REDUCTION",
            Self::EmployerInformational => "EMPLOYER_INFORMATIONAL",
            Self::AdditionWithInOut => "ADDITION_WITH_IN_OUT",
        }
    }
}

/// A pay component (PX 4.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayComponent {
    /// Numeral.
    pub id: String,
    /// Its company.
    pub company: String,
    /// Set by the employer.
    pub name: String,
    /// REGULAR, _401K and the like.
    pub classification: String,
    /// What it does.
    pub effect: Effect,
}

/// State of a pay period (PX 4.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodStatus {
    /// Open.
    Initial,
    /// Open, checks are entered.
    Entry,
    /// Closed and not readable.
    Processing,
    /// Final.
    Completed,
    /// Closed; the meaning is not published.
    CompletedByMec,
    /// Closed; the meaning is not published.
    Released,
    /// Closed; the meaning is not published.
    Reissued,
    /// Was final, is undone by a companion.
    Reversed,
}

impl PeriodStatus {
    /// As it is spelt.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Initial => "INITIAL",
            Self::Entry => "ENTRY",
            Self::Processing => "PROCESSING",
            Self::Completed => "COMPLETED",
            Self::CompletedByMec => "COMPLETED_BY_MEC",
            Self::Released => "RELEASED",
            Self::Reissued => "REISSUED",
            Self::Reversed => "REVERSED",
        }
    }

    pub(crate) const ALL: [Self; 8] = [
        Self::Initial,
        Self::Entry,
        Self::Processing,
        Self::Completed,
        Self::CompletedByMec,
        Self::Released,
        Self::Reissued,
        Self::Reversed,
    ];

    /// Whether its checks are processed ones.
    pub(crate) const fn closed(self) -> bool {
        !matches!(self, Self::Initial | Self::Entry | Self::Processing)
    }
}

/// A pay period (PX 4.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayPeriod {
    /// Numeral.
    pub id: String,
    /// Its company.
    pub company: String,
    /// BI_WEEKLY and the like; missing on special runs.
    pub interval: Option<String>,
    /// State.
    pub status: PeriodStatus,
    /// Text.
    pub description: String,
    /// First day.
    pub start: Date,
    /// Last day.
    pub end: Date,
    /// Pay day.
    pub check_date: Date,
    /// The period that this one undoes.
    pub original: Option<String>,
    /// From when on its closed state and its checks can be read.
    pub(crate) readable_from: Timestamp,
}

/// An earning, a deduction or an informational line (PX 4.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Pay component.
    pub component: String,
    /// Shared by the parts of a line that was split.
    pub check_component: String,
    /// Where the work was done, where labor is distributed.
    pub labor_assignment: Option<String>,
    /// Organization.
    pub organization: Option<String>,
    /// Costing job; earnings show its name, not its id.
    pub job: Option<String>,
    /// Amount.
    pub amount: Decimal,
    /// Rate.
    pub rate: Option<Decimal>,
    /// Hours.
    pub hours: Option<Decimal>,
    /// Hours are kept for information only.
    pub memoed: bool,
}

/// A tax (PX 4.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tax {
    /// Name.
    pub name: String,
    /// EMPLOYER_LIABILITY instead of EMPLOYEE_WITHHOLDING.
    pub employer: bool,
    /// Amount.
    pub amount: Decimal,
    /// Where the work was done, where labor is distributed.
    pub labor_assignment: Option<String>,
    /// Costing job; taxes show its id, not its name.
    pub job: Option<String>,
}

/// A check (PX 4.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Id after processing, and before unless the switch lets it change.
    pub id: String,
    /// Id while it was unprocessed.
    pub unprocessed_id: String,
    /// Pay period.
    pub period: String,
    /// Worker.
    pub worker: String,
    /// Regular and the like.
    pub kind: String,
    /// Printed number; can repeat.
    pub number: String,
    /// Earnings.
    pub earnings: Vec<Line>,
    /// Deductions.
    pub deductions: Vec<Line>,
    /// Employer's contributions and the like.
    pub informational: Vec<Line>,
    /// Taxes of both sides.
    pub taxes: Vec<Tax>,
}

/// A worker and what reads may see of the last change.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) now: Worker,
    /// What is seen until then; `None`: nothing.
    pub(crate) before: Option<Worker>,
    pub(crate) visible_from: Timestamp,
}

impl Kept {
    pub(crate) fn seen(&self, at: Timestamp) -> Option<&Worker> {
        if at >= self.visible_from {
            Some(&self.now)
        } else {
            self.before.as_ref()
        }
    }
}

/// Everything, by id; lists keep the order in which things were made.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) companies: BTreeMap<String, Company>,
    pub(crate) organizations: Vec<Organization>,
    pub(crate) locations: Vec<Location>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) job_titles: Vec<JobTitle>,
    pub(crate) labor_assignments: Vec<LaborAssignment>,
    pub(crate) components: Vec<PayComponent>,
    pub(crate) workers: Vec<Kept>,
    pub(crate) periods: Vec<PayPeriod>,
    pub(crate) checks: Vec<Check>,
    entropy: Entropy,
    numerals: u64,
    printed: u32,
}

impl Records {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            companies: BTreeMap::new(),
            organizations: Vec::new(),
            locations: Vec::new(),
            jobs: Vec::new(),
            job_titles: Vec::new(),
            labor_assignments: Vec::new(),
            components: Vec::new(),
            workers: Vec::new(),
            periods: Vec::new(),
            checks: Vec::new(),
            entropy: Entropy::new(seed),
            numerals: 0,
            printed: 10_000,
        }
    }

    /// An id of the family of 20 characters (PX 8).
    pub(crate) fn letters(&mut self) -> String {
        format!("00{}", self.entropy.text(LETTERS, 18))
    }

    /// An id of the family of numerals (PX 8).
    pub(crate) fn numeral(&mut self) -> String {
        self.numerals += 1 + self.entropy.next_u64() % 7;
        format!("{:015}", 700_000_000_000_000 + self.numerals)
    }

    /// A number to print on a check. It can repeat (PX 4.12): the counter starts again after 99999.
    pub(crate) fn printed(&mut self) -> String {
        self.printed = if self.printed >= 99_999 {
            10_000
        } else {
            self.printed + 1
        };
        self.printed.to_string()
    }

    pub(crate) fn period(&self, id: &str) -> Option<&PayPeriod> {
        self.periods.iter().find(|own| own.id == id)
    }

    pub(crate) fn worker(&self, id: &str, now: Timestamp) -> Option<&Worker> {
        self.workers
            .iter()
            .find(|kept| kept.now.id == id)?
            .seen(now)
    }

    pub(crate) fn checks_of<'a>(&'a self, period: &'a str) -> impl Iterator<Item = &'a Check> {
        self.checks.iter().filter(move |own| own.period == period)
    }

    pub(crate) fn component(&self, id: &str) -> Option<&PayComponent> {
        self.components.iter().find(|own| own.id == id)
    }

    pub(crate) fn organization(&self, id: &str) -> Option<&Organization> {
        self.organizations.iter().find(|own| own.id == id)
    }

    pub(crate) fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|own| own.id == id)
    }
}
