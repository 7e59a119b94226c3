//! Query members, paging and tags (PX 3.4, 5).

use super::Simulator;
use super::envelope::{Refusal, link};
use super::settings::{EtagRule, Switches};
use crate::wire::Target;
use jiff::Timestamp;
use jiff::civil::Date;
use ml_connector_core::http::HttpRequest;
use serde_json::{Map, Value, json};

/// The query of a call.
pub(crate) struct Query<'a> {
    target: &'a Target,
    case_sensitive: bool,
    plain_dates: bool,
}

impl<'a> Query<'a> {
    pub(crate) fn new(target: &'a Target, switches: &Switches) -> Self {
        Self {
            target,
            case_sensitive: switches.query_case_sensitive,
            plain_dates: switches.plain_dates,
        }
    }

    /// The first member of that name. A name in another case is a member that nobody knows (PX 5).
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Every member of that name: a repeated one means several values (PX 4.11).
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let case_sensitive = self.case_sensitive;
        let members = self.target.query.iter();
        let own = members.filter(move |(key, _)| {
            key == name || (!case_sensitive && key.eq_ignore_ascii_case(name))
        });
        own.map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A date-time; a plain date only where the switch lets it (PX 4.11, 8).
    pub(crate) fn date(&self, name: &str) -> Result<Option<Date>, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let invalid = || Refusal::invalid(format!("{name} is not a valid date"));
        let day: Date = text
            .get(..10)
            .unwrap_or(text)
            .parse()
            .map_err(|_| invalid())?;
        let whole = text.len() == 10 && self.plain_dates;
        if whole || text.parse::<Timestamp>().is_ok() {
            Ok(Some(day))
        } else {
            Err(invalid())
        }
    }

    /// `offset` and `limit`; `None` if neither is there: no paging then (PX 5).
    pub(crate) fn page(&self) -> Result<Option<(usize, usize)>, Refusal> {
        let number = |name: &str, default: usize| match self.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| Refusal::invalid(format!("{name} is not a number"))),
        };
        if !self.has("offset") && !self.has("limit") {
            return Ok(None);
        }
        let limit = number("limit", 20)?;
        if limit == 0 {
            return Err(Refusal::invalid("limit must be positive"));
        }
        Ok(Some((number("offset", 0)?, limit)))
    }
}

/// A page of a collection: the ids on it, and what the envelope says.
pub(crate) struct Page {
    pub(crate) ids: Vec<String>,
    pub(crate) pagination: Option<Value>,
    pub(crate) links: Vec<Value>,
    pub(crate) etag: Option<String>,
}

impl Simulator {
    /// Cuts one page out of a collection. The tag of the first page names a snapshot, which the following pages must
    /// ask for in a request header of the same name (PX 3.4).
    pub(super) fn page(
        &mut self,
        ids: Vec<String>,
        query: &Query<'_>,
        request: &HttpRequest,
        own: &str,
    ) -> Result<Page, Refusal> {
        let Some((offset, limit)) = query.page()? else {
            return Ok(Page {
                ids,
                pagination: None,
                links: Vec::new(),
                etag: None,
            });
        };
        let given = request.header("etag").map(str::to_owned);
        let known = given
            .as_ref()
            .and_then(|tag| self.snapshots.get(tag).cloned());
        let (mut all, tag) = if let (Some(snapshot), Some(tag)) = (known, given) {
            (snapshot, tag)
        } else {
            let tag = format!("\"{:016x}\"", self.entropy.next_u64());
            (ids, tag)
        };
        if offset > 0 && !self.snapshots.contains_key(&tag) {
            match self.switches.etag {
                EtagRule::Refused(status) => {
                    return Err(Refusal::new(
                        status,
                        "API-40",
                        "The ETag of the page before is missing",
                    ));
                }
                EtagRule::Shifted if !all.is_empty() => all.rotate_left(1),
                EtagRule::Ignored | EtagRule::Shifted => {}
            }
        }
        self.snapshots.insert(tag.clone(), all.clone());
        let size = limit.min(self.switches.page_max);
        let total = all.len();
        let page: Vec<String> = all.into_iter().skip(offset).take(size).collect();
        // itemCount is the size of the whole collection, not of the page (PX 5).
        let mut pagination = Map::new();
        pagination.insert("offset".to_owned(), json!(offset));
        pagination.insert("limit".to_owned(), json!(size));
        pagination.insert("itemCount".to_owned(), json!(total));
        if self.switches.total {
            pagination.insert("total".to_owned(), json!(total));
        }
        let mut links = Vec::new();
        // The links repeat offset and limit and nothing else (PX 5).
        if offset + page.len() < total && !page.is_empty() {
            let next = offset + page.len();
            links.push(link("next", &format!("{own}?offset={next}&limit={size}")));
        }
        if offset > 0 {
            let rel = if self.switches.prev {
                "prev"
            } else {
                "previous"
            };
            let before = offset.saturating_sub(size);
            links.push(link(rel, &format!("{own}?offset={before}&limit={size}")));
        }
        Ok(Page {
            ids: page,
            pagination: Some(Value::Object(pagination)),
            links,
            etag: Some(tag),
        })
    }
}
