//! One poll of one list: its pages, its items, and in which order they are accepted.

use super::backlog::{BYTES_MAX, Backlog, Item, oldest_first};
use super::cursor::{back, moment, word, written};
use super::{Failed, Poller, definition, not_now};
use crate::connection::{Asked, Page};
use crate::intake::Router;
use bytes::Bytes;
use jiff::Timestamp;
use ml_connector_core::delivery::{Class, Trouble};
use ml_connector_core::hex;
use ml_connector_core::identity::StreamId;
use ml_connector_core::plan::{Cursor, Operation, Poll, Trigger};
use ml_connector_core::protocol::{self, RawEvent};
use ml_connector_core::template::Scope;
use ml_connector_store::IntakeEvent;
use serde_json::Value as Document;
use sha2::{Digest as _, Sha256};

/// Items that are accepted in one commit.
const COMMIT_ITEMS_MAX: usize = 500;
/// A page of so many items of which not one is as declared is a mistake of the connector, not of
/// the items: holding every record of a system would bury what is wrong.
const ODD_PAGE_MIN: usize = 10;

/// See the module.
pub(super) struct Reading<'a> {
    pub(super) poller: &'a Poller,
    pub(super) trigger: &'a Trigger,
    pub(super) poll: &'a Poll,
    pub(super) operation: &'a Operation,
    /// When it began. No later value counts, so that a clock that is ahead at the source does not
    /// move the cursor past what is still to come.
    pub(super) now: Timestamp,
}

/// One item of a list.
pub(super) enum Listed {
    /// As declared.
    Fine(Item),
    /// Not as declared: `why`, after "the item".
    Odd { id: String, raw: Bytes, why: String },
}

/// How far everything is stored.
#[derive(Debug, Clone, Copy)]
struct Floor {
    at: Timestamp,
    /// Whether what has exactly this time is stored too.
    whole: bool,
}

impl Floor {
    fn covers(self, at: Timestamp) -> bool {
        at < self.at || self.whole && at == self.at
    }
}

/// What one walk over the list is for.
#[derive(Debug, Clone, Copy)]
enum Walk {
    /// To collect what is newer than the floor, and accept it oldest first.
    Collect,
    /// There are more items of this one time than can be held. Everything up to it is accepted as
    /// it comes: among items of one time the cursor knows no order.
    Through(Timestamp),
}

impl Reading<'_> {
    /// A list without a cursor: page by page, in its own order.
    pub(super) async fn as_listed(&self) -> Result<(), Failed> {
        for over in self.over().await? {
            let mut pages = Pages::over(self, Document::Null, over)?;
            while let Some(items) = pages.next().await? {
                let listed = self.listed(None, items)?;
                self.poller.accept(self.trigger, listed, None).await?;
            }
        }
        Ok(())
    }

    /// The items that the poll goes over; nothing, once, where it goes over none.
    pub(super) async fn over(&self) -> Result<Vec<Option<Document>>, Failed> {
        let Some(over) = &self.poll.over else {
            return Ok(vec![None]);
        };
        let plan = self.poller.link.plan();
        let missing = || definition(format!("there is no operation `{}`", over.operation));
        let operation = plan.connector.operations.get(&over.operation);
        let operation = operation.ok_or_else(missing)?;
        let now = Document::from(self.now.to_string());
        let scope = Scope::new()
            .with("settings", &plan.settings)
            .with("now", &now);
        let input = protocol::input(operation, &over.with, &scope).map_err(definition)?;
        let mut pages = Pages::of(self, operation, input, Document::Null);
        let mut found = Vec::new();
        while let Some(items) = pages.next().await? {
            for item in items {
                let scope = Scope::new()
                    .with("settings", &plan.settings)
                    .with("over", &item)
                    .with("now", &now);
                let wanted = match &over.when {
                    Some(when) => when.holds(&scope).map_err(definition)?,
                    None => true,
                };
                drop(scope);
                found.extend(wanted.then_some(Some(item)));
            }
        }
        Ok(found)
    }

    /// Everything since the cursor, oldest first. Usually one walk; after each that could not hold
    /// everything another one begins further on.
    pub(super) async fn in_order(&self, cursor: &Cursor) -> Result<(), Failed> {
        let (mut floor, mut from) = self.begin(cursor).await?;
        let mut walk = Some(Walk::Collect);
        while let Some(present) = walk {
            walk = match present {
                Walk::Collect => self.collect(cursor, &mut floor, from).await?,
                Walk::Through(until) => self.through(cursor, &mut floor, until, from).await?,
            };
            from = back(floor.at, cursor.overlap).unwrap_or(Timestamp::MIN);
        }
        Ok(())
    }

    /// How far everything is stored, and from where on it is asked. The first beginning is stored
    /// before anything is asked.
    async fn begin(&self, cursor: &Cursor) -> Result<(Floor, Timestamp), Failed> {
        let poller = self.poller;
        let stored = poller.context.store.cursor(&poller.cursor_id()).await;
        let floor = |at| Floor { at, whole: false };
        if let Some(value) = stored.map_err(Failed::Store)? {
            let at = moment(cursor.kind, &value);
            let from = at.and_then(|at| Some((floor(at), back(at, cursor.overlap)?)));
            return from.ok_or_else(|| definition("the stored cursor cannot be read"));
        }
        let settings = &poller.link.plan().settings;
        let initial = protocol::duration(&cursor.initial, settings).map_err(definition)?;
        let from = back(self.now, initial).unwrap_or(Timestamp::MIN);
        self.move_to(cursor, from, Vec::new()).await?;
        Ok((floor(from), from))
    }

    /// Accepts items, after which everything up to a time is stored.
    async fn move_to(
        &self,
        cursor: &Cursor,
        at: Timestamp,
        items: Vec<Listed>,
    ) -> Result<(), Failed> {
        let value = Some(written(cursor.kind, at));
        self.poller.accept(self.trigger, items, value).await
    }

    /// What to do next, if anything.
    async fn collect(
        &self,
        cursor: &Cursor,
        floor: &mut Floor,
        from: Timestamp,
    ) -> Result<Option<Walk>, Failed> {
        let mut pages = Pages::new(self, written(cursor.kind, from).into())?;
        let mut backlog = Backlog::new(BYTES_MAX);
        let mut greatest = floor.at;
        while let Some(items) = pages.next().await? {
            let (mut at_once, mut late, mut passing) = (Vec::new(), Vec::new(), Vec::new());
            for listed in self.listed(Some(cursor), items)? {
                match listed {
                    Listed::Fine(item) if floor.covers(item.at) => late.push(item),
                    Listed::Fine(item) => {
                        greatest = greatest.max(item.at);
                        passing.extend(backlog.take(item));
                    }
                    odd @ Listed::Odd { .. } => at_once.push(odd),
                }
            }
            at_once.extend(oldest_first(late).into_iter().map(Listed::Fine));
            at_once.extend(passing.into_iter().map(Listed::Fine));
            self.poller.accept(self.trigger, at_once, None).await?;
        }
        let (kept, beyond) = backlog.finish();
        let kept_to = kept.last().map(|item| item.at);
        self.accept_in_order(cursor, *floor, kept).await?;
        let Some(beyond) = beyond else {
            if greatest > kept_to.unwrap_or(floor.at) {
                self.move_to(cursor, greatest, Vec::new()).await?;
            }
            return Ok(None);
        };
        tracing::info!(
            poll = self.poller.name(),
            "a long list; it is read in parts"
        );
        Ok(Some(match kept_to {
            Some(at) => {
                *floor = Floor { at, whole: true };
                Walk::Collect
            }
            None => Walk::Through(beyond),
        }))
    }

    /// Items oldest first, in several commits. After each the cursor stands before the next item.
    async fn accept_in_order(
        &self,
        cursor: &Cursor,
        floor: Floor,
        items: Vec<Item>,
    ) -> Result<(), Failed> {
        let mut stored_to = floor.at;
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let part: Vec<Item> = items.by_ref().take(COMMIT_ITEMS_MAX).collect();
            let next = items.peek().map(|item| item.at);
            let whole = part
                .iter()
                .map(|item| item.at)
                .filter(|at| next.is_none_or(|next| *at < next));
            let moved = whole.max().filter(|at| *at > stored_to);
            let part = part.into_iter().map(Listed::Fine).collect();
            match moved {
                Some(at) => {
                    self.move_to(cursor, at, part).await?;
                    stored_to = at;
                }
                None => self.poller.accept(self.trigger, part, None).await?,
            }
        }
        Ok(())
    }

    async fn through(
        &self,
        cursor: &Cursor,
        floor: &mut Floor,
        until: Timestamp,
        from: Timestamp,
    ) -> Result<Option<Walk>, Failed> {
        let mut pages = Pages::new(self, written(cursor.kind, from).into())?;
        let mut more = false;
        while let Some(items) = pages.next().await? {
            let mut listed = self.listed(Some(cursor), items)?;
            listed.retain(|listed| {
                let newer = matches!(listed, Listed::Fine(item) if item.at > until);
                more |= newer;
                !newer
            });
            self.poller.accept(self.trigger, listed, None).await?;
        }
        self.move_to(cursor, until, Vec::new()).await?;
        *floor = Floor {
            at: until,
            whole: true,
        };
        Ok(more.then_some(Walk::Collect))
    }

    /// A page's items, each looked at by itself.
    pub(super) fn listed(
        &self,
        cursor: Option<&Cursor>,
        items: Vec<Document>,
    ) -> Result<Vec<Listed>, Failed> {
        let listed = items
            .into_iter()
            .map(|document| self.look_at(cursor, &document))
            .collect::<Result<Vec<_>, _>>()?;
        let mut odd = listed.iter().filter_map(|listed| match listed {
            Listed::Odd { id, why, .. } => Some((id, why)),
            Listed::Fine(_) => None,
        });
        if let Some((_, why)) = odd.clone().next()
            && listed.len() >= ODD_PAGE_MIN
            && odd.clone().count() == listed.len()
        {
            return Err(definition(format!(
                "no item of a page is as declared: each {why}"
            )));
        }
        odd.by_ref().for_each(|(event_id, why)| {
            let poll = self.poller.name();
            tracing::warn!(
                poll,
                event_id,
                why,
                "an item is not as declared; it is held"
            );
        });
        Ok(listed)
    }

    fn look_at(&self, cursor: Option<&Cursor>, document: &Document) -> Result<Listed, Failed> {
        let raw = Bytes::from(serde_json::to_vec(document).map_err(definition)?);
        let Some(id) = self.trigger.id.of(document, self.now) else {
            // The same content is the same item when it is listed again.
            let id = format!("no id, sha256 {}", hex::of(&Sha256::digest(&raw)));
            let why = format!("has no `{}`", self.trigger.id.words());
            return Ok(Listed::Odd { id, raw, why });
        };
        let Some(cursor) = cursor else {
            let at = self.now;
            return Ok(Listed::Fine(Item { id, raw, at }));
        };
        let path = cursor.value.source();
        let why = match cursor.value.first(document).and_then(Document::as_str) {
            None => format!("has no `{path}`"),
            Some(value) => match moment(cursor.kind, value) {
                Some(at) => {
                    let at = at.min(self.now);
                    return Ok(Listed::Fine(Item { id, raw, at }));
                }
                None => format!("has a `{path}` that is not a {}", word(cursor.kind)),
            },
        };
        Ok(Listed::Odd { id, raw, why })
    }
}

/// What the instances make of an item.
pub(super) fn route(
    router: &Router,
    stream: &StreamId,
    listed: Listed,
    now: Timestamp,
) -> Result<IntakeEvent, serde_json::Error> {
    let (id, raw, why) = match listed {
        Listed::Fine(Item { id, raw, .. }) => (id, raw, None),
        Listed::Odd { id, raw, why } => (id, raw, Some(why)),
    };
    let document = serde_json::from_slice(&raw)?;
    let event = RawEvent { id, raw, document };
    Ok(match why {
        None => router.route_one(stream, event, now),
        Some(why) => {
            let trouble = Trouble::Lasting {
                class: Class::Value,
                why: format!("the listed item {why}"),
                help: "correct it at its source or the connector, and retry it; or discard it"
                    .to_owned(),
                awaits: None,
            };
            router.hold(stream, event, &trouble, now)
        }
    })
}

/// The pages of a list, one after the other.
pub(super) struct Pages<'a> {
    reading: &'a Reading<'a>,
    operation: &'a Operation,
    input: Document,
    from: Document,
    page: Option<Document>,
    read: u32,
}

impl<'a> Pages<'a> {
    fn new(reading: &'a Reading<'a>, from: Document) -> Result<Self, Failed> {
        Self::over(reading, from, None)
    }

    /// The pages for one of the items that the poll goes over.
    pub(super) fn over(
        reading: &'a Reading<'a>,
        from: Document,
        over: Option<Document>,
    ) -> Result<Self, Failed> {
        let settings = &reading.poller.link.plan().settings;
        let now = Document::from(reading.now.to_string());
        let mut scope = Scope::new()
            .with("settings", settings)
            .with("cursor", &from)
            .with("now", &now);
        if let Some(over) = over {
            scope.set_owned("over", over);
        }
        let with = &reading.poll.with;
        let input = protocol::input(reading.operation, with, &scope).map_err(definition)?;
        drop(scope);
        Ok(Self::of(reading, reading.operation, input, from))
    }

    fn of(
        reading: &'a Reading<'a>,
        operation: &'a Operation,
        input: Document,
        from: Document,
    ) -> Self {
        Self {
            reading,
            operation,
            input,
            from,
            page: Some(Document::Null),
            read: 0,
        }
    }

    /// The items of the next page, if there is one.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Document>>, Failed> {
        let Some(page) = self.page.take() else {
            return Ok(None);
        };
        let (poller, operation) = (self.reading.poller, self.operation);
        let paginate = operation.paginate.as_ref();
        let pages_max = paginate.map_or(1, |paginate| paginate.pages_max.max(1));
        if self.read >= pages_max {
            return Err(definition(format!(
                "more than {pages_max} pages; the cursor stays where it is. Raise `pages_max` in \
                 the connector, or poll more often"
            )));
        }
        self.read += 1;
        let asked = Asked {
            input: &self.input,
            reference: None,
            cursor: &self.from,
            page: &page,
        };
        let read = poller.link.read_page(operation, asked).await;
        let (result, next) = match read.map_err(not_now)? {
            Page::Found { result, next } => (result, next),
            Page::NotFound(_) => (Document::Null, None),
        };
        self.page = next;
        Ok(Some(match result {
            Document::Array(items) => items,
            Document::Null => Vec::new(),
            one @ (Document::Object(_)
            | Document::String(_)
            | Document::Number(_)
            | Document::Bool(_)) => vec![one],
        }))
    }
}
