//! Reads: repeatable, so a stale session is renewed and the read asked again, once.

use super::{Link, NOTHING, NotNow};
use crate::capture;
use ml_connector_core::delivery::{Class, Outcome, Trouble};
use ml_connector_core::plan::Operation;
use ml_connector_core::protocol::ReadResult;
use serde_json::Value as Document;
use std::sync::Arc;

/// What a read is asked with, beside its operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) input: &'a Document,
    /// Our reference, for look-ups.
    pub(crate) reference: Option<&'a str>,
    /// A poll's cursor.
    pub(crate) cursor: &'a Document,
    /// Which page; null for the first.
    pub(crate) page: &'a Document,
}

impl<'a> Asked<'a> {
    pub(crate) fn with(input: &'a Document) -> Self {
        Self {
            input,
            reference: None,
            cursor: &NOTHING,
            page: &NOTHING,
        }
    }
}

/// What a whole read gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Read {
    Found(Document),
    NotFound(String),
}

/// One page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Page {
    Found {
        result: Document,
        next: Option<Document>,
    },
    NotFound(String),
}

impl Link {
    /// One page of a read, through the gate.
    pub(crate) async fn read_page(
        self: &Arc<Self>,
        operation: &Operation,
        asked: Asked<'_>,
    ) -> Result<Page, NotNow> {
        let mut renewed = false;
        loop {
            let turn = self.enter(operation.anonymous).await?;
            let mut call = self.caller.call(operation, asked.input);
            (call.reference, call.cursor, call.page) = (asked.reference, asked.cursor, asked.page);
            let request = turn
                .encode(&call)
                .map_err(|error| self.not_encodable(&operation.name, &error))?;
            self.caller.counters.read();
            let answer = turn.send(&call, request).await;
            let outcome = match capture::meaning_of_read(&call, &answer, self.caller.now()) {
                ReadResult::Found { result, next } => {
                    turn.proven();
                    self.fine();
                    return Ok(Page::Found { result, next });
                }
                ReadResult::NotFound { why } => {
                    turn.proven();
                    self.fine();
                    return Ok(Page::NotFound(why));
                }
                ReadResult::Failed(outcome) => outcome,
            };
            if let Outcome::Reauthenticate { why } = &outcome {
                turn.stale(why).await;
                if !renewed {
                    renewed = true;
                    continue;
                }
            }
            return Err(self.failed(outcome));
        }
    }

    /// A whole read: every page, put together.
    pub(crate) async fn read(
        self: &Arc<Self>,
        operation: &Operation,
        asked: Asked<'_>,
    ) -> Result<Read, NotNow> {
        let pages_max = operation
            .paginate
            .as_ref()
            .map_or(1, |paginate| paginate.pages_max.max(1));
        let mut items: Option<Vec<Document>> = None;
        let mut page = asked.page.clone();
        for _ in 0..pages_max {
            match self
                .read_page(
                    operation,
                    Asked {
                        page: &page,
                        ..asked
                    },
                )
                .await?
            {
                Page::NotFound(why) => return Ok(Read::NotFound(why)),
                Page::Found { result, next } => {
                    let Document::Array(list) = result else {
                        return Ok(Read::Found(result));
                    };
                    items.get_or_insert_default().extend(list);
                    match next {
                        Some(next) => page = next,
                        None => return Ok(Read::Found(Document::Array(items.unwrap_or_default()))),
                    }
                }
            }
        }
        Err(NotNow::Trouble(Trouble::Lasting {
            class: Class::Configuration,
            why: format!("`{}` has more than {pages_max} pages", operation.name),
            help: "narrow the read, or raise `pages_max` in the connector".to_owned(),
            awaits: None,
        }))
    }

    /// Marks a failed read against the circuit, and says what it means for what waits for it.
    fn failed(&self, outcome: Outcome) -> NotNow {
        self.mark(&outcome);
        let trouble = match outcome {
            Outcome::Retry { after, class, why } => Trouble::Passing { class, why, after },
            Outcome::Throttle { after, why } => Trouble::Passing {
                class: Class::Capacity,
                why,
                after,
            },
            Outcome::Reauthenticate { why } => Trouble::Passing {
                class: Class::Authentication,
                why,
                after: None,
            },
            Outcome::Unknown { why } => Trouble::Passing {
                class: Class::Intermittent,
                why,
                after: None,
            },
            Outcome::Rejected {
                class: class @ Class::Authentication,
                why,
                ..
            } => Trouble::Passing {
                class,
                why,
                after: None,
            },
            Outcome::Rejected { class, why, help } => Trouble::Lasting {
                class,
                why,
                help,
                awaits: None,
            },
            Outcome::Succeeded { .. } | Outcome::AlreadyThere { .. } => Trouble::Lasting {
                class: Class::Configuration,
                why: "an outcome rule gives a read the meaning of a write".to_owned(),
                help: "correct the connector's outcomes".to_owned(),
                awaits: None,
            },
        };
        // If this was the trouble that opened the circuit, the record waits with the connection.
        if self.admits() || matches!(trouble, Trouble::Lasting { .. }) {
            NotNow::Trouble(trouble)
        } else {
            NotNow::Closed
        }
    }

    /// Marks what an answer shows about the system and our standing with it.
    pub(crate) fn mark(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Retry {
                class: class @ Class::Intermittent,
                why,
                ..
            } => {
                self.trouble(*class, why);
            }
            Outcome::Retry {
                class: Class::Authentication,
                why,
                ..
            }
            | Outcome::Rejected {
                class: Class::Authentication,
                why,
                ..
            } => {
                self.credentials_refused(why);
            }
            Outcome::Succeeded { .. }
            | Outcome::AlreadyThere { .. }
            | Outcome::Retry { .. }
            | Outcome::Rejected { .. } => self.fine(),
            Outcome::Throttle { after, .. } => self.slow_down(*after),
            // Marked where the token is dropped.
            Outcome::Reauthenticate { .. } => {}
            Outcome::Unknown { why } => self.trouble(Class::Intermittent, why),
        }
    }
}
