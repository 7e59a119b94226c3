//! The lockbox: transmissions, the interface table, the interim tables, and the program that moves rows between them
//! over time (EB 5.4, 5.5, 7).

use super::faults::Fault;
use super::input::{Columns, Inputs, number};
use super::receipts::{attributes_of, decimals};
use super::requests::{Phase, Request};
use super::settings::{Scale, Settings, Switches};
use super::tables::{Draft, Invoice, Lockbox, OrgId, Tables};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// STATUS of a row that has not been looked at (EB 5.4).
pub(super) const PAYMENTS: &str = "AR_PLB_NEW_RECORD";
/// STATUS of a validated row, where such rows stay.
const GOOD: &str = "AR_PLB_TRANS_OK";

/// A transmission (AR_TRANSMISSIONS_ALL).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmission {
    /// TRANSMISSION_ID, and TRANSMISSION_REQUEST_ID too.
    pub id: u64,
    /// TRANSMISSION_NAME.
    pub name: String,
    /// REQUESTED_LOCKBOX_ID.
    pub lockbox: u64,
    /// NB until its rows were taken.
    pub status: &'static str,
    /// LATEST_REQUEST_ID.
    pub latest_request: Option<u64>,
    /// ORG_ID.
    pub org: OrgId,
}

/// A validated row that waits for Post QuickCash.
#[derive(Debug, Clone)]
struct Interim {
    transmission: u64,
    columns: Columns,
    draft: Draft,
    applications: Vec<(u64, Decimal)>,
}

/// What the program was called with.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments {
    new: String,
    transmission: u64,
    origin: u64,
    import: String,
    format: u64,
    validate: String,
    lockbox: u64,
    pub(super) gl_date: Option<Date>,
    complete_batches_only: bool,
    post: bool,
    ignore_invalid: bool,
    org: OrgId,
    source: String,
}

impl Arguments {
    /// The arguments for rows that have been inserted already, as the table of EB 5.5 has them.
    pub(super) fn of_inserted_rows(
        transmission: u64,
        lockbox: u64,
        format: u64,
        org: OrgId,
    ) -> Self {
        Self {
            new: "N".to_owned(),
            transmission,
            origin: transmission,
            import: "N".to_owned(),
            format,
            validate: "Y".to_owned(),
            lockbox,
            gl_date: None,
            complete_batches_only: false,
            post: true,
            ignore_invalid: true,
            org,
            source: "L".to_owned(),
        }
    }

    /// Reads them from a call. GL_DATE is FND_STANDARD_DATE, `YYYY/MM/DD HH24:MI:SS`.
    pub(super) fn read(inputs: &Inputs, org: Option<OrgId>) -> Self {
        let id = |name: &str| inputs.id(name).unwrap_or(0);
        let day = inputs
            .text("GL_DATE")
            .get(..10)
            .map(|day| day.replace('/', "-"));
        Self {
            new: inputs.text("NEW_TRANSMISSION").to_owned(),
            transmission: id("LB_TRANSMISSION_ID"),
            origin: id("ORIG_REQUEST_ID"),
            import: inputs.text("SUBMIT_IMPORT").to_owned(),
            format: id("TRANSMISSION_FORMAT_ID"),
            validate: inputs.text("SUBMIT_VALIDATION").to_owned(),
            lockbox: id("LOCKBOX_ID"),
            gl_date: day.and_then(|day| day.parse().ok()),
            complete_batches_only: inputs.text("COMPLETE_BATCHES_ONLY") != "N",
            post: inputs.text("SUBMIT_POSTBATCH") == "Y",
            ignore_invalid: inputs.text("IGNORE_INVALID_TXN_NUM") == "Y",
            org: inputs.id("ORG_ID").or(org).unwrap_or(0),
            source: inputs.text("SOURCE_TYPE_FLAG").to_owned(),
        }
    }
}

/// What lies between the gateway and the receipts.
#[derive(Debug, Clone, Default)]
pub(super) struct Lockboxes {
    transmissions: Vec<Transmission>,
    rows: Vec<Columns>,
    interim: Vec<Interim>,
    requests: Vec<Request>,
    numbers: u64,
}

/// How time passes for the concurrent manager.
pub(super) struct Progress<'a> {
    pub(super) settings: &'a Settings,
    pub(super) switches: &'a Switches,
    pub(super) now: Timestamp,
    pub(super) down_until: Option<Timestamp>,
}

impl Progress<'_> {
    pub(super) fn local(&self, at: Timestamp) -> DateTime {
        super::local(at, &self.settings.zone)
    }
}

impl Lockboxes {
    pub(super) fn interface(&self) -> impl Iterator<Item = &Columns> {
        self.rows.iter()
    }

    pub(super) fn interim(&self) -> impl Iterator<Item = &Columns> {
        self.interim.iter().map(|interim| &interim.columns)
    }

    pub(super) fn request(&self, id: u64) -> Option<&Request> {
        self.requests.iter().find(|request| request.id == id)
    }

    pub(super) fn request_mut(&mut self, id: u64) -> Option<&mut Request> {
        self.requests.iter_mut().find(|request| request.id == id)
    }

    pub(super) fn requests(&self) -> &[Request] {
        &self.requests
    }

    pub(super) fn transmissions(&self) -> &[Transmission] {
        &self.transmissions
    }

    pub(super) fn transmission(&self, id: u64) -> Option<&Transmission> {
        self.transmissions.iter().find(|own| own.id == id)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Transmission> {
        self.transmissions.iter().find(|own| own.name == name)
    }

    pub(super) fn open(&mut self, id: u64, name: &str, lockbox: u64, org: OrgId) {
        self.transmissions.push(Transmission {
            id,
            name: name.to_owned(),
            lockbox,
            status: "NB",
            latest_request: None,
            org,
        });
    }

    /// How many rows of a transmission are in the interface.
    pub(super) fn staged(&self, id: u64) -> usize {
        let rows = self.rows.iter();
        rows.filter(|row| id_of(row, "TRANSMISSION_ID") == id)
            .count()
    }

    /// Whether a transmission holds this check number, in the interface or validated.
    pub(super) fn holds(&self, id: u64, check: &str) -> bool {
        let own = |row: &Columns| {
            id_of(row, "TRANSMISSION_ID") == id && text(row, "CHECK_NUMBER") == check
        };
        self.rows.iter().any(own) || self.interim().any(own)
    }

    /// Plain INSERT: types, lengths and keys are checked, nothing else (EB 4.2). Gives the number of rows.
    pub(super) fn insert(&mut self, rows: Vec<Columns>, atomic: bool) -> Result<usize, String> {
        let before = self.rows.len();
        for row in rows {
            let refused = super::interface::check(&row).err().or_else(|| {
                let id = row.get("TRANSMISSION_RECORD_ID")?;
                let taken = self
                    .rows
                    .iter()
                    .any(|own| own.get("TRANSMISSION_RECORD_ID") == Some(id));
                taken.then(|| "ORA-00001: unique constraint violated".to_owned())
            });
            if let Some(text) = refused {
                if atomic {
                    self.rows.truncate(before);
                }
                return Err(text);
            }
            self.rows.push(row);
        }
        Ok(self.rows.len() - before)
    }

    /// The rows themselves, for UPDATE and DELETE.
    pub(super) fn rows_mut(&mut self) -> &mut Vec<Columns> {
        &mut self.rows
    }

    /// Submits the program. 0: not submitted, because an argument that it cannot do without is unusable (EB 5.5).
    pub(super) fn submit(&mut self, tables: &Tables, arguments: &Arguments, at: Timestamp) -> u64 {
        let format = tables
            .lockboxes
            .values()
            .any(|own| own.format_id == arguments.format);
        if !["Y", "N"].contains(&arguments.new.as_str()) || !format || arguments.source.is_empty() {
            return 0;
        }
        self.numbers += 1;
        let id = 6_190_000 + self.numbers;
        let own = self
            .transmissions
            .iter_mut()
            .find(|own| own.id == arguments.transmission);
        if let Some(own) = own {
            own.latest_request = Some(id);
        }
        self.requests.push(Request::new(id, arguments.clone(), at));
        id
    }

    /// Lets the managers work until now.
    pub(super) fn advance(&mut self, tables: &mut Tables, progress: &Progress<'_>) {
        for at in 0..self.requests.len() {
            let Some(mut request) = self.requests.get(at).cloned() else {
                continue;
            };
            self.run(&mut request, tables, progress);
            if let Some(place) = self.requests.get_mut(at) {
                *place = request;
            }
        }
    }

    fn run(&mut self, request: &mut Request, tables: &mut Tables, progress: &Progress<'_>) {
        let half = progress.settings.running / 2;
        request.unmanaged = progress
            .down_until
            .is_some_and(|until| progress.now < until);
        if request.phase == Phase::Pending && !request.stuck() && !request.unmanaged {
            let due = later(request.submitted, progress.settings.pending);
            let due = progress.down_until.map_or(due, |until| due.max(until));
            if progress.now >= due {
                request.phase = Phase::Running { since: due };
            }
        }
        if let Phase::Running { since } = request.phase
            && progress.now >= later(since, half)
        {
            if let Some(Fault::Ends(letter)) = request.fate {
                request.finish(letter, "The program has ended with an error");
                return;
            }
            // A new transmission is imported from a file on the server, and there is none (EB 5.5).
            if request.arguments.new == "Y" || request.arguments.import == "Y" {
                request.finish('E', "The data file cannot be opened");
                return;
            }
            let local = progress.local(later(since, half));
            request.rejected = self.validate(request, tables, progress.switches, local);
            request.phase = Phase::Validated { since };
        }
        if let Phase::Validated { since } = request.phase {
            let end = later(since, progress.settings.running);
            if progress.now >= end {
                let posts = request.arguments.post && request.fate != Some(Fault::NotPosted);
                if posts {
                    let transmission = request.arguments.transmission;
                    self.post(transmission, tables, progress.switches, progress.local(end));
                }
                match request.rejected {
                    0 => request.finish('C', ""),
                    1 => request.finish('G', "1 receipt rejected"),
                    many => request.finish('G', &format!("{many} receipts rejected")),
                }
            }
        }
    }

    /// Looks at every row of the transmission: moves the good ones to the interim tables, names what is wrong with the
    /// others. Gives the number of those.
    fn validate(
        &mut self,
        request: &Request,
        tables: &Tables,
        switches: &Switches,
        now: DateTime,
    ) -> usize {
        let arguments = &request.arguments;
        // Without L the rows take another path; without a parent they are never picked up (EB 10 nos. 11, 13).
        let parent = self.transmission(arguments.transmission);
        if arguments.source != "L"
            || arguments.validate != "Y"
            || arguments.new != "N"
            || parent.is_none_or(|own| own.id != arguments.origin || own.org != arguments.org)
        {
            return 0;
        }
        let Some(lockbox) = tables.lockboxes.get(&arguments.lockbox).cloned() else {
            return 1;
        };
        let own = |row: &Columns| {
            id_of(row, "TRANSMISSION_ID") == arguments.transmission
                && id_of(row, "TRANSMISSION_REQUEST_ID") == arguments.origin
                && text(row, "RECORD_TYPE") == lockbox.payment_record
                && text(row, "STATUS") != GOOD
        };
        let (mut mine, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.rows).into_iter().partition(own);
        self.rows = others;
        if request.fate == Some(Fault::LosesRow) && !mine.is_empty() {
            mine.remove(0);
        }
        // A failure at this level stops everything below: the rows stay as they are (EB 7.4).
        let strange = |row: &Columns| {
            !text(row, "LOCKBOX_NUMBER").is_empty() && text(row, "LOCKBOX_NUMBER") != lockbox.number
        };
        if mine.iter().any(strange) {
            let rows = mine.len();
            self.rows.extend(mine);
            return rows;
        }
        let check = Check {
            tables,
            switches,
            arguments,
            lockbox: &lockbox,
            today: now.date(),
        };
        let all = mine.clone();
        let checked = mine.into_iter().map(|row| {
            let result = check.row(&row, &all);
            (row, result)
        });
        let checked: Vec<(Columns, Result<(Draft, Vec<(u64, Decimal)>), &str>)> = checked.collect();
        let bad_batches: BTreeSet<String> = checked
            .iter()
            .filter(|(_, result)| result.is_err())
            .map(|(row, _)| text(row, "BATCH_NAME").to_owned())
            .collect();
        let mut rejected = 0;
        for (mut row, result) in checked {
            match result {
                Err(name) => {
                    row.insert("STATUS".to_owned(), name.to_owned());
                    rejected += 1;
                    self.rows.push(row);
                }
                Ok(_)
                    if arguments.complete_batches_only
                        && bad_batches.contains(text(&row, "BATCH_NAME")) =>
                {
                    self.rows.push(row);
                }
                Ok((draft, applications)) => {
                    self.interim.push(Interim {
                        transmission: arguments.transmission,
                        columns: row.clone(),
                        draft,
                        applications,
                    });
                    if switches.good_rows_stay {
                        row.insert("STATUS".to_owned(), GOOD.to_owned());
                        self.rows.push(row);
                    }
                }
            }
        }
        let own = self
            .transmissions
            .iter_mut()
            .find(|own| own.id == arguments.transmission);
        if let Some(own) = own {
            own.status = if rejected == 0 { "CL" } else { "OOB" };
        }
        rejected
    }

    /// Post QuickCash: receipts and their applications, then the interim rows are deleted (EB 5.4).
    fn post(&mut self, transmission: u64, tables: &mut Tables, switches: &Switches, now: DateTime) {
        let (mine, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.interim)
            .into_iter()
            .partition(|own| own.transmission == transmission);
        self.interim = others;
        for own in mine {
            let receipt = tables.create(own.draft.clone(), now, switches);
            for (schedule, amount) in own.applications {
                let open = tables
                    .invoices
                    .get(&schedule)
                    .map(|invoice| invoice.remaining);
                // Paid meanwhile: the receipt keeps the money unapplied.
                if open.is_some_and(|open| open >= amount) {
                    tables.apply(receipt, schedule, amount, own.draft.date, now);
                }
            }
            tables.touch(receipt, now);
        }
    }
}

/// Validation of one row.
struct Check<'a> {
    tables: &'a Tables,
    switches: &'a Switches,
    arguments: &'a Arguments,
    lockbox: &'a Lockbox,
    today: Date,
}

impl Check<'_> {
    /// What the row becomes, or the message name that it gets (EB 7.4; AR_PLB_DUP_ITEM is our name for a check whose
    /// real name is not known).
    fn row(
        &self,
        row: &Columns,
        all: &[Columns],
    ) -> Result<(Draft, Vec<(u64, Decimal)>), &'static str> {
        let twin = |name: &str| {
            let value = text(row, name);
            !value.is_empty() && all.iter().filter(|own| text(own, name) == value).count() > 1
        };
        if twin("ITEM_NUMBER") || twin("CHECK_NUMBER") {
            return Err("AR_PLB_DUP_ITEM");
        }
        let currency = text(row, "CURRENCY_CODE").to_owned();
        let amount = self.amount(row, "REMITTANCE_AMOUNT", &currency);
        let amount = amount
            .filter(|amount| *amount > Decimal::ZERO)
            .ok_or("AR_PLB_INVALID_RECEIPT")?;
        let date = day(row, "RECEIPT_DATE").unwrap_or(self.today);
        let gl_date = day(row, "GL_DATE")
            .or(self.arguments.gl_date)
            .unwrap_or(date);
        if !self.tables.is_open(self.lockbox.org, gl_date) {
            return Err("AR_PLB_GL_PERIOD_CLOSED");
        }
        // Bank data of the mandate only leads to conflicts (EB 10 no. 12).
        if !text(row, "TRANSIT_ROUTING_NUMBER").is_empty() || !text(row, "ACCOUNT").is_empty() {
            return Err("AR_PLB_BAD_MICR_NUM");
        }
        let named = self.customer(row)?;
        let (customer, applications) = self.invoices(row, named, &currency, amount)?;
        let method = self.tables.methods.get(&self.lockbox.method);
        let account = method.and_then(|method| method.accounts.get(&currency));
        let bank_account = *account.ok_or("AR_PLB_INVALID_RECEIPT")?;
        let draft = Draft {
            number: text(row, "CHECK_NUMBER").to_owned(),
            date,
            gl_date,
            amount,
            currency,
            misc: false,
            customer,
            method: self.lockbox.method,
            bank_account,
            reference: text(row, "CUSTOMER_REFERENCE").to_owned(),
            comments: text(row, "COMMENTS").to_owned(),
            attributes: attributes_of(row),
            org: self.lockbox.org,
            lockbox: true,
        };
        Ok((draft, applications))
    }

    /// An amount in the unit of the transmission format: a factor of a hundred posts without complaint (EB 10 no. 10).
    fn amount(&self, row: &Columns, name: &str, currency: &str) -> Option<Decimal> {
        let amount = number(text(row, name))?;
        match self.switches.lockbox_amounts {
            Scale::Major => Some(amount.normalize()),
            Scale::Minor => {
                let unit = Decimal::from(10_u64.pow(decimals(currency)));
                Some((amount / unit).normalize())
            }
        }
    }

    fn customer(&self, row: &Columns) -> Result<Option<u64>, &'static str> {
        let org = self.lockbox.org;
        let number = text(row, "CUSTOMER_NUMBER");
        let id = text(row, "CUSTOMER_ID").parse::<u64>().ok();
        let by_id = id.map(|id| {
            self.tables
                .customer(org, id)
                .ok_or("AR_PLB_CUSTOMER_CONFLICT")
        });
        let by_number = (!number.is_empty()).then(|| {
            let mut own = self.tables.customers.values();
            own.find(|own| own.org == org && own.account_number == number)
                .ok_or("AR_PLB_CUSTOMER_CONFLICT")
        });
        match (by_id.transpose()?, by_number.transpose()?) {
            (Some(id), Some(number)) if id.account_id != number.account_id => {
                Err("AR_PLB_CUSTOMER_CONFLICT")
            }
            (Some(found), _) | (None, Some(found)) => Ok(Some(found.account_id)),
            (None, None) => Ok(None),
        }
    }

    /// Matches the invoice numbers and checks what is to be applied.
    fn invoices(
        &self,
        row: &Columns,
        named: Option<u64>,
        currency: &str,
        amount: Decimal,
    ) -> Result<(Option<u64>, Vec<(u64, Decimal)>), &'static str> {
        let mut customer = named;
        let mut applications = Vec::new();
        for at in 1..=8 {
            let number = text(row, &format!("INVOICE{at}"));
            if number.is_empty() {
                continue;
            }
            let wanted = |invoice: &&Invoice| {
                invoice.org == self.lockbox.org
                    && ["INV", "DM", "CB"].contains(&invoice.class)
                    && invoice.number == number
                    && !invoice.remaining.is_zero()
                    && invoice.currency == currency
            };
            let found: Vec<&Invoice> = self.tables.invoices.values().filter(wanted).collect();
            let own: Vec<&&Invoice> = found
                .iter()
                .filter(|own| customer.is_none_or(|customer| customer == own.customer))
                .collect();
            let invoice = match (own.as_slice(), found.is_empty()) {
                ([invoice], _) => invoice,
                ([], false) => return Err("AR_PLB_CUSTOMER_CONFLICT"),
                ([], true)
                    if self.arguments.ignore_invalid == self.switches.ignore_keeps_receipt =>
                {
                    continue;
                }
                _ => return Err("AR_PLB_INVALID_RECEIPT"),
            };
            let applied = self
                .amount(row, &format!("AMOUNT_APPLIED{at}"), currency)
                .unwrap_or(amount.min(invoice.remaining));
            if applied <= Decimal::ZERO || applied > invoice.remaining {
                return Err("AR_PLB_INVALID_RECEIPT");
            }
            customer = Some(invoice.customer);
            applications.push((invoice.schedule_id, applied));
        }
        let sum: Decimal = applications.iter().map(|(_, amount)| *amount).sum();
        if sum > amount {
            return Err("AR_PLB_INVALID_RECEIPT");
        }
        Ok((customer, applications))
    }
}

pub(super) fn text<'a>(row: &'a Columns, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}

fn id_of(row: &Columns, name: &str) -> u64 {
    text(row, name).parse().unwrap_or(0)
}

fn day(row: &Columns, name: &str) -> Option<Date> {
    text(row, name).get(..10)?.parse().ok()
}

fn later(at: Timestamp, by: std::time::Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
