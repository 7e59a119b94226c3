//! Lists: newest first, cursors, filters (GC 1.2, 2.0, 3).

use super::Simulator;
use super::calendar::{parse_date, parse_stamp};
use super::error::Refusal;
use super::kind::Kind;
use super::spec::{self, RESOURCE_TYPES};
use super::store::{Row, text};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rows in a page where the caller names no limit (GC 3).
pub(crate) const LIMIT_DEFAULT: usize = 50;
/// Most rows in a page (GC 3).
pub(crate) const LIMIT_MAX: usize = 500;

/// A query member that a list takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    pub(crate) name: &'static str,
    pub(crate) test: Test,
}

/// How a filter looks at a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Test {
    /// `created_at[gt|gte|lt|lte]`, full timestamps.
    Created,
    /// The same brackets over a date member.
    DateRange(&'static str),
    /// Equals a text member.
    Member(&'static str),
    /// A text member is one of a comma list of at most so many.
    Several(&'static str, usize),
    /// Equals a link.
    Link(&'static str),
    /// The event is about this resource: "all events for the given payment" (GC 2.10).
    Subject(&'static str),
    /// Equals a boolean member.
    Flag(&'static str),
    /// `metadata[key]=value` or the text of a value.
    Metadata,
    /// Names what to embed; selects nothing.
    Include,
    /// Has no influence on which rows are there; takes one of these words.
    Ignored(&'static [&'static str]),
    /// Decided by [`own`] per resource.
    Own,
}

/// One filter with the value that was sent.
#[derive(Debug, Clone)]
enum Wanted {
    Created(Bound, Timestamp),
    Date(&'static str, Bound, Date),
    Member(&'static str, String),
    Several(&'static str, Vec<String>),
    Link(&'static str, String),
    Subject(&'static str, String),
    Flag(&'static str, bool),
    Metadata(String, String),
    Own(&'static str, String),
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Gt,
    Gte,
    Lt,
    Lte,
}

impl Bound {
    fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Gt => left > right,
            Self::Gte => left >= right,
            Self::Lt => left < right,
            Self::Lte => left <= right,
        }
    }
}

/// What a list call asks for.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) limit: usize,
    pub(crate) after: Option<String>,
    pub(crate) before: Option<String>,
    wanted: Vec<Wanted>,
    include: Option<&'static str>,
    sort: Option<(String, bool)>,
    names: BTreeSet<&'static str>,
}

impl Page {
    /// Reads a query. A parameter, value or combination that the list does not take is 400 `invalid_filters` (GC 1.2).
    pub(crate) fn parse(kind: Kind, query: &[(String, String)]) -> Result<Self, Refusal> {
        let filters = spec::of(kind).list.unwrap_or(&[]);
        let mut page = Self {
            limit: LIMIT_DEFAULT,
            after: None,
            before: None,
            wanted: Vec::new(),
            include: None,
            sort: None,
            names: BTreeSet::new(),
        };
        for (name, value) in query {
            match name.as_str() {
                "limit" => page.limit = limit(value)?,
                "after" => page.after = Some(value.clone()).filter(|id| !id.is_empty()),
                "before" => page.before = Some(value.clone()).filter(|id| !id.is_empty()),
                _ => page.take(filters, name, value)?,
            }
        }
        page.combinations(kind)?;
        Ok(page)
    }

    fn take(&mut self, filters: &'static [Filter], name: &str, value: &str) -> Result<(), Refusal> {
        let (base, bracket) = match name.split_once('[') {
            Some((base, rest)) => (base, rest.strip_suffix(']')),
            None => (name, None),
        };
        let Some(filter) = filters.iter().find(|filter| filter.name == base) else {
            return Err(Refusal::filter(format!(
                "{name} is not a filter of this list"
            )));
        };
        self.names.insert(filter.name);
        let wanted = match filter.test {
            Test::Created => {
                let at = parse_stamp(value)
                    .ok_or_else(|| Refusal::filter(format!("{name} is not a timestamp")))?;
                Wanted::Created(bound(name, bracket)?, at)
            }
            Test::DateRange(member) => {
                let date = parse_date(value)
                    .ok_or_else(|| Refusal::filter(format!("{name} is not a date")))?;
                Wanted::Date(member, bound(name, bracket)?, date)
            }
            Test::Metadata => {
                Wanted::Metadata(bracket.unwrap_or_default().to_owned(), value.to_owned())
            }
            _ if bracket.is_some() => {
                return Err(Refusal::filter(format!(
                    "{name} is not a filter of this list"
                )));
            }
            Test::Member(member) => Wanted::Member(member, value.to_owned()),
            Test::Several(member, most) => {
                let values: Vec<String> = value.split(',').map(str::to_owned).collect();
                if values.len() > most {
                    return Err(Refusal::filter(format!(
                        "{name} takes at most {most} values"
                    )));
                }
                Wanted::Several(member, values)
            }
            Test::Link(link) => Wanted::Link(link, value.to_owned()),
            Test::Subject(link) => Wanted::Subject(link, value.to_owned()),
            Test::Flag(member) => match value {
                "true" => Wanted::Flag(member, true),
                "false" => Wanted::Flag(member, false),
                _ => return Err(Refusal::filter(format!("{name} is true or false"))),
            },
            Test::Own => Wanted::Own(filter.name, value.to_owned()),
            Test::Include => {
                let kind = Kind::ALL.into_iter().find(|kind| kind.singular() == value);
                self.include = Some(
                    kind.ok_or_else(|| Refusal::filter("unknown include"))?
                        .plural(),
                );
                return Ok(());
            }
            Test::Ignored(words) => return self.sort_or_ignore(name, value, words),
        };
        self.wanted.push(wanted);
        Ok(())
    }

    fn sort_or_ignore(&mut self, name: &str, value: &str, words: &[&str]) -> Result<(), Refusal> {
        if !words.contains(&value) {
            return Err(Refusal::filter(format!(
                "{name} is one of {}",
                words.join(", ")
            )));
        }
        let sort = self.sort.take();
        self.sort = match name {
            "sort_field" => Some((
                value.to_owned(),
                sort.is_some_and(|(_, ascending)| ascending),
            )),
            "sort_direction" => Some((
                sort.map_or_else(|| "created_at".to_owned(), |(field, _)| field),
                value == "asc",
            )),
            _ => sort,
        };
        Ok(())
    }

    /// Filters that exclude or need each other (GC 2.0, GC 2.10).
    fn combinations(&self, kind: Kind) -> Result<(), Refusal> {
        let given = |names: &[&str]| {
            names
                .iter()
                .filter(|name| self.names.contains(*name))
                .count()
        };
        if kind == Kind::Payments && given(&["creditor", "customer"]) > 1 {
            return Err(Refusal::filter("creditor and customer exclude each other"));
        }
        if kind == Kind::Mandates && given(&["creditor", "customer", "customer_bank_account"]) > 1 {
            return Err(Refusal::filter(
                "only one of creditor, customer and customer_bank_account",
            ));
        }
        if kind == Kind::PayoutItems && given(&["payout"]) == 0 {
            return Err(Refusal::filter("payout is required"));
        }
        if kind == Kind::Events {
            let ids = self
                .wanted
                .iter()
                .filter(|wanted| matches!(wanted, Wanted::Subject(..)))
                .count();
            if given(&["resource_type"]) > 0 && ids > 0 {
                return Err(Refusal::filter(
                    "resource_type cannot be combined with an id",
                ));
            }
            if self.include.is_some() && given(&["resource_type"]) == 0 {
                return Err(Refusal::filter("include needs resource_type"));
            }
            for wanted in &self.wanted {
                if let Wanted::Member("resource_type", value) = wanted
                    && !RESOURCE_TYPES.contains(&value.as_str())
                {
                    return Err(Refusal::filter("unknown resource_type"));
                }
            }
        }
        Ok(())
    }

    /// The value of a link filter.
    pub(crate) fn link(&self, name: &str) -> Option<&str> {
        self.wanted.iter().find_map(|wanted| {
            let Wanted::Link(link, value) = wanted else {
                return None;
            };
            (*link == name).then_some(value.as_str())
        })
    }
}

fn limit(value: &str) -> Result<usize, Refusal> {
    match value.parse::<usize>() {
        Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        _ => Err(Refusal::filter(format!(
            "limit is a number from 1 to {LIMIT_MAX}"
        ))),
    }
}

fn bound(name: &str, bracket: Option<&str>) -> Result<Bound, Refusal> {
    match bracket {
        Some("gt") => Ok(Bound::Gt),
        Some("gte") => Ok(Bound::Gte),
        Some("lt") => Ok(Bound::Lt),
        Some("lte") => Ok(Bound::Lte),
        _ => Err(Refusal::filter(format!(
            "{name} needs one of [gt], [gte], [lt], [lte]"
        ))),
    }
}

impl Simulator {
    /// Answers a list call.
    pub(crate) fn list(&self, kind: Kind, page: &Page, now: Timestamp) -> Result<Value, Refusal> {
        let (rows, older, newer) = match &page.sort {
            None => self.window(kind, page, now)?,
            Some((field, ascending)) => self.sorted(kind, page, field, *ascending, now)?,
        };
        let first = rows.first().filter(|_| newer).map(|row| row.id.as_str());
        let last = rows.last().filter(|_| older).map(|row| row.id.as_str());
        let bodies: Vec<Value> = rows
            .iter()
            .map(|row| Value::Object(row.body.clone()))
            .collect();
        let mut answer = self.envelope(kind, &bodies, first, last, page.limit);
        if let Some(include) = page.include {
            let linked = self.linked(include, &rows);
            if let Some(object) = answer.as_object_mut() {
                object.insert("linked".to_owned(), json!({ include: linked }));
            }
        }
        Ok(answer)
    }

    /// The body of a page; the unused cursor is null, or left out if the switch says so (GC 3).
    pub(crate) fn envelope(
        &self,
        kind: Kind,
        bodies: &[Value],
        before: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Value {
        let mut cursors = serde_json::Map::new();
        for (name, value) in [("before", before), ("after", after)] {
            if value.is_some() || !self.settings.unused_cursor_left_out {
                cursors.insert(name.to_owned(), json!(value));
            }
        }
        json!({ kind.plural(): bodies, "meta": { "cursors": cursors, "limit": limit } })
    }

    /// Rows of a page newest first, and whether older and newer ones exist.
    fn window(
        &self,
        kind: Kind,
        page: &Page,
        now: Timestamp,
    ) -> Result<(Vec<&Row>, bool, bool), Refusal> {
        let table = self.store.table(kind);
        let place = |id: &Option<String>| match id {
            None => Ok(None),
            Some(id) => table
                .position(id)
                .map(Some)
                .ok_or_else(|| Refusal::filter("unknown cursor")),
        };
        let (after, before) = (place(&page.after)?, place(&page.before)?);
        let all = table.rows();
        let newer_than = before.map_or(0, |at| at + 1);
        let older_than = after.unwrap_or(all.len());
        let span = all.get(newer_than..older_than).unwrap_or(&[]);
        let fits = |row: &&Row| self.fits(kind, page, row, now);
        if before.is_some() && after.is_none() {
            let mut rows: Vec<&Row> = span.iter().filter(fits).take(page.limit + 1).collect();
            let newer = rows.len() > page.limit;
            rows.truncate(page.limit);
            rows.reverse();
            return Ok((rows, true, newer));
        }
        let mut rows: Vec<&Row> = span
            .iter()
            .rev()
            .filter(fits)
            .take(page.limit + 1)
            .collect();
        let older = rows.len() > page.limit;
        rows.truncate(page.limit);
        Ok((rows, older, after.is_some()))
    }

    fn sorted(
        &self,
        kind: Kind,
        page: &Page,
        field: &str,
        ascending: bool,
        now: Timestamp,
    ) -> Result<(Vec<&Row>, bool, bool), Refusal> {
        let mut rows: Vec<&Row> = self
            .store
            .rows(kind)
            .iter()
            .filter(|row| self.fits(kind, page, row, now))
            .collect();
        rows.sort_by(|left, right| {
            let key = |row: &Row| (row.integer(field), row.text(field).to_owned(), row.created);
            let order = key(left).cmp(&key(right));
            if ascending { order } else { order.reverse() }
        });
        let mut newer = false;
        if let Some(id) = &page.after {
            let at = rows.iter().position(|row| &row.id == id);
            rows.drain(..=at.ok_or_else(|| Refusal::filter("unknown cursor"))?);
            newer = true;
        }
        if let Some(id) = &page.before {
            let at = rows.iter().position(|row| &row.id == id);
            rows.truncate(at.ok_or_else(|| Refusal::filter("unknown cursor"))?);
        }
        let older = rows.len() > page.limit;
        rows.truncate(page.limit);
        Ok((rows, older, newer))
    }

    fn fits(&self, kind: Kind, page: &Page, row: &Row, now: Timestamp) -> bool {
        !row.removed
            && (kind != Kind::Events || self.event_visible(row, now))
            && Self::default_view(kind, page, row)
            && page
                .wanted
                .iter()
                .all(|wanted| self.holds(kind, wanted, row))
    }

    /// Without `refund_type` only refunds of payments are listed (GC 2.7).
    fn default_view(kind: Kind, page: &Page, row: &Row) -> bool {
        kind != Kind::Refunds || page.names.contains("refund_type") || row.link("payment").is_some()
    }

    fn holds(&self, kind: Kind, wanted: &Wanted, row: &Row) -> bool {
        match wanted {
            Wanted::Created(bound, at) => bound.holds(&row.created, at),
            Wanted::Date(member, bound, date) => {
                parse_date(row.text(member)).is_some_and(|own| bound.holds(&own, date))
            }
            Wanted::Member(member, value) => row.text(member) == value,
            Wanted::Several(member, values) => values.iter().any(|value| row.text(member) == value),
            Wanted::Link(name, id) => row.link(name) == Some(id),
            Wanted::Subject(name, id) => {
                let own = row.text("resource_type").strip_suffix('s') == Some(name);
                own && row.link(name) == Some(id)
            }
            Wanted::Flag(member, value) => {
                row.body.get(*member).and_then(Value::as_bool) == Some(*value)
            }
            Wanted::Metadata(key, value) => {
                let metadata = row.body.get("metadata").and_then(Value::as_object);
                metadata.is_some_and(|metadata| text(metadata, key) == value)
            }
            Wanted::Own(name, value) => self.own(kind, name, value, row),
        }
    }

    /// Filters that look beyond the row itself.
    fn own(&self, kind: Kind, name: &str, value: &str, row: &Row) -> bool {
        let mandate_customer = || {
            let mandate = self.store.get(Kind::Mandates, row.link("mandate")?)?;
            mandate.link("customer").map(|id| id == value)
        };
        match (kind, name) {
            (Kind::Payments | Kind::Subscriptions, "customer") => {
                mandate_customer().unwrap_or(false)
            }
            (Kind::Refunds, "refund_type") => (value == "payment") == row.link("payment").is_some(),
            (Kind::Customers, "currency") => self
                .store
                .rows(Kind::CustomerBankAccounts)
                .iter()
                .any(|account| {
                    account.link("customer") == Some(&row.id) && account.text("currency") == value
                }),
            _ => false,
        }
    }

    fn linked(&self, include: &str, events: &[&Row]) -> Vec<Value> {
        let Some(kind) = Kind::of(include) else {
            return Vec::new();
        };
        let ids: BTreeSet<&str> = events
            .iter()
            .filter_map(|event| event.link(kind.singular()))
            .collect();
        ids.into_iter()
            .filter_map(|id| self.store.get(kind, id))
            .map(|row| Value::Object(row.body.clone()))
            .collect()
    }
}
