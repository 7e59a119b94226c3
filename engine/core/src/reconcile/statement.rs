//! One statement: what was read for it, its lines, and what is found for each.

use super::{Amount, Answers, Expected, Found, Named, Question, Reconciling, Turn, at, decimal};
use crate::delivery::{Receipt, Trouble};
use crate::mapping::failure;
use crate::plan::{Each, Fetch, FoundRule, LineRule, PostedKey};
use crate::template::{Scope, Shared};
use crate::value::scalar_text;
use jiff::Timestamp;
use jiff::civil::{Date, time};
use jiff::tz::TimeZone;
use serde_json::{Value as Document, json};

/// A statement with everything that is read for it.
#[derive(Debug)]
pub struct Statement<'a> {
    reconciling: Reconciling<'a>,
    /// `statement`, and what was read, by name.
    known: Vec<(&'a str, Shared<'a>)>,
}

/// A delivery that posted something, as expressions read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Its id, e.g. `dlv_42`.
    pub id: String,
    /// Its event's id in the source.
    pub event_id: String,
    /// Its dedup key.
    pub dedup_key: String,
    /// Its order key.
    pub order_key: Option<String>,
    /// Our reference.
    pub reference: Option<String>,
    /// What the target called it.
    pub receipt: Receipt,
}

impl Posting {
    fn document(&self) -> Document {
        json!({
            "id": self.id,
            "event_id": self.event_id,
            "dedup_key": self.dedup_key,
            "order_key": self.order_key,
            "reference": self.reference,
            "receipt": self.receipt,
        })
    }
}

impl<'a> Reconciling<'a> {
    /// A statement with everything that is read for it.
    ///
    /// # Errors
    /// If a template has no value.
    pub fn statement(
        &self,
        statement: &Document,
        answers: &Answers,
    ) -> Result<Turn<Statement<'a>>, Trouble> {
        let mut known = vec![("statement", Shared::owned(statement.clone()))];
        for fetch in &self.rule.fetch {
            let asked = self.read(fetch, &self.seeing(&known), "reconcile")?;
            match answered(fetch, asked, answers) {
                Ok(answer) => known.push(answer),
                Err(question) => return Ok(open(fetch, question)),
            }
        }
        Ok(Turn::Done(Statement {
            reconciling: *self,
            known,
        }))
    }

    fn seeing<'s>(&self, known: &'s [(&'a str, Shared<'a>)]) -> Scope<'s>
    where
        'a: 's,
    {
        let mut scope: Scope<'s> = self.scope();
        for (name, shared) in known {
            scope.share(name, shared);
        }
        scope
    }
}

impl Statement<'_> {
    /// Its lines, in the order of the definition and of its lists.
    ///
    /// # Errors
    /// If a template has no value, an amount is none, or a date is none.
    pub fn lines(&self) -> Result<Vec<Expected>, Trouble> {
        let mut lines = Vec::new();
        for (number, rule) in self.reconciling.rule.lines.iter().enumerate() {
            let place = format!("reconcile.lines.{}", rule.kind);
            let scope = self.reconciling.seeing(&self.known);
            for element in elements(rule.each.as_ref(), &scope, &place)? {
                lines.push(self.line(number, rule, element, &place)?);
            }
        }
        Ok(lines)
    }

    fn line(
        &self,
        number: usize,
        rule: &LineRule,
        element: Document,
        place: &str,
    ) -> Result<Expected, Trouble> {
        let scope = self.of_line(rule, &element);
        let text = |template: &crate::template::Template, key: &str| {
            let place = format!("{place}.{key}");
            template.text(&scope).map_err(at(&place))
        };
        let date = text(&rule.date, "date")?;
        let moment = moment(&date)
            .ok_or_else(|| failure(format!("{place}.date: it is neither a date nor a time")))?;
        let by = match &rule.posted.by {
            PostedKey::OrderKey(key) => {
                let place = format!("{place}.posted.order_key");
                let value = key.value(&scope).map_err(at(&place))?;
                let keys = match value.as_array() {
                    Some(list) => list.iter().map(scalar_text).collect(),
                    None => scalar_text(&value).map(|one| vec![one]),
                };
                Named::OrderKeys(keys.ok_or_else(|| failure(format!("{place}: it is no text")))?)
            }
            PostedKey::DedupKey(key) => Named::DedupKey(text(key, "posted.dedup_key")?),
            PostedKey::Reference(key) => Named::Reference(text(key, "posted.reference")?),
        };
        Ok(Expected {
            kind: rule.kind.clone(),
            key: text(&rule.key, "key")?,
            amount: Amount {
                value: decimal(&rule.amount, &scope, &format!("{place}.amount"))?,
                currency: text(&rule.currency, "currency")?,
            },
            at: moment,
            date,
            integration: rule.posted.integration.clone(),
            by,
            rule: number,
            element,
        })
    }

    /// What stands in the target for a line, by what a delivery posted.
    ///
    /// # Errors
    /// If a template has no value, or an amount is none.
    pub fn found(
        &self,
        line: &Expected,
        posting: &Posting,
        answers: &Answers,
    ) -> Result<Turn<Vec<Found>>, Trouble> {
        let Some(rule) = self.reconciling.rule.lines.get(line.rule) else {
            return Ok(Turn::Done(Vec::new()));
        };
        let place = format!("reconcile.lines.{}", rule.kind);
        let delivery = posting.document();
        let mut known: Vec<(&str, Shared<'_>)> = Vec::new();
        for fetch in &rule.fetch {
            let mut scope = self
                .of_line(rule, &line.element)
                .with("delivery", &delivery);
            for (name, shared) in &known {
                scope.share(name, shared);
            }
            let asked = self.reconciling.read(fetch, &scope, &place)?;
            match answered(fetch, asked, answers) {
                Ok(answer) => known.push(answer),
                Err(question) => return Ok(open(fetch, question)),
            }
        }
        let mut scope = self
            .of_line(rule, &line.element)
            .with("delivery", &delivery);
        for (name, shared) in &known {
            scope.share(name, shared);
        }
        let place = format!("{place}.found");
        let mut found = Vec::new();
        for element in elements(rule.found.each.as_ref(), &scope, &place)? {
            let mut scope = scope.clone();
            if let Some(each) = &rule.found.each {
                scope.set_owned(each.name.as_str(), element);
            }
            found.push(document(
                &rule.found,
                &scope,
                &line.amount.currency,
                &place,
            )?);
        }
        Ok(Turn::Done(found))
    }

    fn of_line<'s>(&'s self, rule: &'s LineRule, element: &'s Document) -> Scope<'s> {
        let mut scope: Scope<'s> = self.reconciling.seeing(&self.known);
        if let Some(each) = &rule.each {
            scope.set(&each.name, element);
        }
        scope
    }
}

/// A question that is asked first.
fn open<T>(fetch: &Fetch, question: Question) -> Turn<T> {
    Turn::Ask {
        read: fetch.name.clone(),
        question,
    }
}

/// What a read gave, under its name; or the question that is still open.
fn answered<'a>(
    fetch: &'a Fetch,
    asked: Option<Question>,
    answers: &Answers,
) -> Result<(&'a str, Shared<'a>), Question> {
    let answer = match asked {
        None => Document::Null,
        Some(question) => match answers.to(&question) {
            Some(answer) => answer.clone(),
            None => return Err(question),
        },
    };
    Ok((fetch.name.as_str(), Shared::owned(answer)))
}

/// The elements of a list; where there is none, one that says nothing.
fn elements(each: Option<&Each>, scope: &Scope<'_>, place: &str) -> Result<Vec<Document>, Trouble> {
    let Some(each) = each else {
        return Ok(vec![Document::Null]);
    };
    let place = format!("{place}.for");
    match each.list.value(scope).map_err(at(&place))? {
        Document::Array(list) => Ok(list),
        // What is not there has no elements.
        Document::Null => Ok(Vec::new()),
        Document::Bool(_) | Document::Number(_) | Document::String(_) | Document::Object(_) => {
            Err(failure(format!("{place}: it is not a list")))
        }
    }
}

fn document(
    rule: &FoundRule,
    scope: &Scope<'_>,
    currency: &str,
    place: &str,
) -> Result<Found, Trouble> {
    let currency = match &rule.currency {
        Some(currency) => currency
            .text(scope)
            .map_err(at(&format!("{place}.currency")))?,
        None => currency.to_owned(),
    };
    let name = match &rule.document {
        Some(name) => name
            .optional_text(scope)
            .map_err(at(&format!("{place}.document")))?,
        None => None,
    };
    Ok(Found {
        amount: Amount {
            value: decimal(&rule.amount, scope, &format!("{place}.amount"))?,
            currency,
        },
        document: name,
    })
}

/// A time, or the middle of a day: what posts a line of that day may have been accepted at any hour.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let date: Date = text.parse().ok()?;
    let noon = date.to_datetime(time(12, 0, 0, 0));
    Some(noon.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
