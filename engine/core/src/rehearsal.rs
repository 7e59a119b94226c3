//! One event through one integration without a network: what `test` and `preview` show, and nothing else runs.
//!
//! It takes the same path as a real delivery (route, prepare, encode), with the same code; only what a system or a matching
//! table would answer is handed in. Credentials are masks, so that no secret can be needed or shown.

mod discreet;
mod group;
mod origin;

pub use origin::{Origin, origins};

use crate::delivery::{Awaited, Class, Outcome, Trouble};
use crate::http::{HttpRequest, HttpResponse};
use crate::identity::{ConnectionId, CrosswalkId, DedupKey, DeliveryId, OrderKey, Reference};
use crate::mapping::{self, Next, Preparation, Prepared, RequiredKey, Route, Supply};
use crate::masking::masked;
use crate::plan::{Connection, Instance, Operation, Repeat};
use crate::protocol::{self, Call, EncodeError, Masked, ReadResult};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value as Document;
use std::borrow::Cow;
use std::sync::Arc;

/// One event and the instance that shall take it.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsal<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// The connections it names.
    pub connections: &'a IndexMap<ConnectionId, Arc<Connection>>,
    /// The event; a list of them where several make one delivery.
    pub event: &'a Document,
    /// Which delivery of its key a group of events makes, and how many events came under that key in all if not just these.
    pub group: (u32, Option<u64>),
    /// What answers that name a time are measured from.
    pub now: Timestamp,
    /// Whether requests are written with masks in place of values that schemas declare as personal.
    pub mask_personal: bool,
}

/// Something the preparation wants to know before it can go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// The name under which the integration sees it.
    pub name: String,
    /// What is asked.
    pub what: Asked,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// A read operation.
    Read {
        /// Which connection.
        connection: ConnectionId,
        /// Operation.
        operation: String,
        /// Its input.
        input: Document,
        /// The request, credentials masked; why there is none, if it cannot be written down.
        request: Result<HttpRequest, EncodeError>,
    },
    /// A crosswalk entry.
    Crosswalk {
        /// Which table.
        table: CrosswalkId,
        /// The key.
        key: String,
    },
    /// Another delivery's receipt.
    Delivery {
        /// The integration that makes it.
        integration: String,
        /// Its dedup key or reference.
        key: String,
    },
}

/// What is handed in for a need.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// The result itself; null says that it is not there.
    Document(Document),
    /// A raw answer, read by the operation's rules.
    Response(HttpResponse),
    /// For a required delivery: it is there but not finished.
    NotYet,
}

/// A need with what was made of the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// What was asked.
    pub need: Need,
    /// What the mapping sees; null if it is not there.
    pub document: Document,
}

/// How a rehearsal went.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    /// Which of its events the integration has had, if it is one of its events.
    pub dedup_key: Option<DedupKey>,
    /// Its place in order.
    pub order_key: Option<OrderKey>,
    /// What the mapping reads in place of an event, where several make one delivery.
    pub subject: Option<Document>,
    /// What was asked on the way, in order.
    pub answered: Vec<Answered>,
    /// Where it ended.
    pub end: End,
}

/// Where a rehearsal ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It is not one of the integration's events.
    NotRouted,
    /// It needs nothing.
    Skipped {
        /// In the integration's words.
        reason: String,
    },
    /// It would be held, or tried again later.
    Trouble(Trouble),
    /// Nothing was handed in for this need.
    NotGiven(Box<Need>),
    /// It cannot be written down as a request.
    Unwritable(EncodeError),
    /// It would be sent.
    Deliver(Box<Written>),
}

/// What would be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// What the mapping made.
    pub prepared: Prepared,
    /// The key derived for it, where the operation is repeated by key.
    pub idempotency_key: Option<String>,
    /// The request, credentials masked; of a sequence its first step's.
    pub request: HttpRequest,
    /// What the answer that was handed in would lead to; nothing for a sequence, whose first answer does not tell.
    pub verdict: Option<Verdict>,
}

/// What an answer to a rehearsed write would lead to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What it means.
    pub outcome: Outcome,
    /// Crosswalk entries written with it: table, key, values; why there are none, if they cannot be made.
    pub remembered: Result<Vec<(CrosswalkId, String, Document)>, Trouble>,
}

impl Rehearsal<'_> {
    /// Takes the event as far as it goes.
    ///
    /// `give` hands in what is needed; `None` ends the rehearsal there. `answer` is what the target would answer.
    pub fn run(
        &self,
        give: &mut dyn FnMut(&Need) -> Option<Given>,
        answer: Option<&HttpResponse>,
    ) -> Rehearsed {
        if self.instance.integration.aggregate.is_some() {
            return self.run_group(give, answer);
        }
        let route = mapping::route(self.instance, &self.event_id(self.event), self.event);
        let (dedup_key, order_key) = match route {
            Route::NotMine => return Rehearsed::at_once(None, End::NotRouted),
            Route::Failed { dedup_key, trouble } => {
                return Rehearsed::at_once(Some(dedup_key), End::Trouble(trouble));
            }
            Route::Mine {
                dedup_key,
                order_key,
                joins: _,
            } => (dedup_key, order_key),
        };
        self.go_on(self.event, (dedup_key, order_key), give, answer)
    }

    /// From the keys of a delivery on.
    fn go_on(
        &self,
        event: &Document,
        (dedup_key, order_key): (DedupKey, Option<OrderKey>),
        give: &mut dyn FnMut(&Need) -> Option<Given>,
        answer: Option<&HttpResponse>,
    ) -> Rehearsed {
        let mut preparation = Preparation::new(self.instance, event);
        let mut answered = Vec::new();
        let end = loop {
            let next = preparation.next();
            let name = preparation.needs().unwrap_or_default().to_owned();
            let need = match next {
                Next::Ready(prepared) => {
                    break self.written(*prepared, &dedup_key, &preparation, answer);
                }
                Next::Skip { reason } => break End::Skipped { reason },
                Next::Trouble(trouble) => break End::Trouble(trouble),
                Next::Read {
                    connection,
                    operation,
                    input,
                } => self.read(name, &connection, &operation, input),
                Next::Crosswalk { table, key } => Need {
                    name,
                    what: Asked::Crosswalk { table, key },
                },
                Next::Delivery { integration, by } => Need {
                    name,
                    what: Asked::Delivery {
                        integration: integration.to_string(),
                        key: match by {
                            RequiredKey::DedupKey(key) => key.to_string(),
                            RequiredKey::Reference(reference) => reference.to_string(),
                        },
                    },
                },
            };
            let Some(given) = give(&need) else {
                break End::NotGiven(Box::new(need));
            };
            let supply = self.supply(&need, given);
            let document = match &supply {
                Supply::Found(document) => document.clone(),
                Supply::Missing { .. } | Supply::NotYet { .. } | Supply::Failed(_) => {
                    Document::Null
                }
            };
            preparation.supply(supply);
            answered.push(Answered { need, document });
        };
        Rehearsed {
            dedup_key: Some(dedup_key),
            order_key,
            subject: None,
            answered,
            end,
        }
    }

    /// The event's id as its trigger declares it; empty where it has none.
    fn event_id(&self, event: &Document) -> String {
        let source = &self.instance.integration.source;
        let connector = self
            .instance
            .integration
            .connections
            .get(&source.connection);
        let trigger = connector.and_then(|connector| connector.triggers.get(&source.trigger));
        trigger
            .and_then(|trigger| trigger.id.of(event, self.now))
            .unwrap_or_default()
    }

    fn read(&self, name: String, id: &ConnectionId, operation: &str, input: Document) -> Need {
        let request = match self.operation(id, operation) {
            Some((connection, found)) => {
                let shown = self.shown(found, &input);
                protocol::encode(&call(connection, found, &shown, None, None), &Masked)
            }
            None => Err(EncodeError::NoVariant {
                operation: operation.to_owned(),
            }),
        };
        let what = Asked::Read {
            connection: id.clone(),
            operation: operation.to_owned(),
            input,
            request,
        };
        Need { name, what }
    }

    fn operation(&self, id: &ConnectionId, name: &str) -> Option<(&Connection, &Operation)> {
        let connection = self.connections.get(id)?;
        let operation = connection.connector.operations.get(name)?;
        Some((connection, operation))
    }

    /// An operation's input as requests may show it.
    fn shown<'d>(&self, operation: &Operation, input: &'d Document) -> Cow<'d, Document> {
        if self.mask_personal {
            Cow::Owned(masked(input, &operation.input))
        } else {
            Cow::Borrowed(input)
        }
    }

    fn supply(&self, need: &Need, given: Given) -> Supply {
        match given {
            Given::Document(Document::Null) => missing(need),
            Given::Document(document) => Supply::Found(document),
            Given::NotYet => Supply::NotYet {
                awaits: Awaited::Delivery {
                    delivery: DeliveryId(0),
                },
                why: format!("`{}` is not finished", need.name),
            },
            Given::Response(response) => self.answered(need, &response),
        }
    }

    /// What a read makes of a raw answer.
    fn answered(&self, need: &Need, response: &HttpResponse) -> Supply {
        let Asked::Read {
            connection,
            operation,
            input,
            ..
        } = &need.what
        else {
            return missing(need);
        };
        let Some((connection, operation)) = self.operation(connection, operation) else {
            return missing(need);
        };
        let call = call(connection, operation, input, None, None);
        let answer = Ok(protocol::decode(&call, response));
        match protocol::classify_read(&call, &answer, self.now) {
            ReadResult::Found { result, .. } => Supply::Found(result),
            ReadResult::NotFound { why } => Supply::Missing { awaits: None, why },
            ReadResult::Failed(outcome) => Supply::Failed(failed(outcome)),
        }
    }

    fn written(
        &self,
        prepared: Prepared,
        dedup_key: &DedupKey,
        preparation: &Preparation<'_>,
        answer: Option<&HttpResponse>,
    ) -> End {
        let Some((connection, operation)) =
            self.operation(&prepared.connection, &prepared.operation)
        else {
            return End::Unwritable(EncodeError::NoVariant {
                operation: prepared.operation,
            });
        };
        let idempotency_key = self.key(operation, dedup_key);
        let reference = prepared.reference.as_ref().map(Reference::as_str);
        let call = call(
            connection,
            operation,
            &prepared.input,
            reference,
            idempotency_key.as_deref(),
        );
        let (request, verdict_possible) = match self.first_request(&call, dedup_key) {
            Ok(request) => request,
            Err(error) => return End::Unwritable(error),
        };
        let verdict = answer.filter(|_| verdict_possible).map(|response| {
            let answer = Ok(protocol::decode(&call, response));
            let outcome = protocol::classify_write(&call, &answer, self.now);
            let remembered = match &outcome {
                Outcome::Succeeded { receipt, .. } | Outcome::AlreadyThere { receipt } => {
                    preparation.remember(receipt)
                }
                Outcome::Retry { .. }
                | Outcome::Throttle { .. }
                | Outcome::Reauthenticate { .. }
                | Outcome::Rejected { .. }
                | Outcome::Unknown { .. } => Ok(Vec::new()),
            };
            Verdict {
                outcome,
                remembered,
            }
        });
        End::Deliver(Box::new(Written {
            prepared,
            idempotency_key,
            request,
            verdict,
        }))
    }
}

impl Rehearsal<'_> {
    /// The request that is sent first, and whether its answer is the whole write's. A sequence's is its first step's, and what
    /// that answers says nothing of the steps behind it.
    fn first_request(
        &self,
        call: &Call<'_>,
        dedup_key: &DedupKey,
    ) -> Result<(HttpRequest, bool), EncodeError> {
        let Some(step) = protocol::steps(protocol::variant(call)?).first() else {
            let shown = self.shown(call.operation, call.input);
            let call = Call {
                input: &shown,
                ..call.clone()
            };
            return Ok((protocol::encode(&call, &Masked)?, true));
        };
        let input = protocol::step_input(call, step)?;
        let Some(operation) = call.connector.operations.get(&step.operation) else {
            return Err(EncodeError::NoVariant {
                operation: step.operation.clone(),
            });
        };
        // Each step is a request of its own, so each has a key of its own.
        let own_key = DedupKey::new(format!("{dedup_key}#{}", step.name));
        let key = self.key(operation, &own_key);
        let shown = self.shown(operation, &input);
        let call = Call {
            operation,
            input: &shown,
            idempotency_key: key.as_deref(),
            ..call.clone()
        };
        Ok((protocol::encode(&call, &Masked)?, false))
    }

    /// The key that a write of this operation carries.
    fn key(&self, operation: &Operation, dedup_key: &DedupKey) -> Option<String> {
        match operation.write().map(|write| &write.repeat) {
            Some(Repeat::IdempotencyKey { length_max, .. }) => Some(mapping::idempotency_key(
                &self.instance.id,
                dedup_key,
                *length_max,
            )),
            Some(Repeat::LookUp(_) | Repeat::Natural | Repeat::None) | None => None,
        }
    }
}

impl Rehearsed {
    fn at_once(dedup_key: Option<DedupKey>, end: End) -> Self {
        Self {
            dedup_key,
            order_key: None,
            subject: None,
            answered: Vec::new(),
            end,
        }
    }
}

fn call<'a>(
    connection: &'a Connection,
    operation: &'a Operation,
    input: &'a Document,
    reference: Option<&'a str>,
    idempotency_key: Option<&'a str>,
) -> Call<'a> {
    Call {
        connector: &connection.connector,
        settings: &connection.settings,
        operation,
        input,
        reference,
        idempotency_key,
        steps: None,
        page: &Document::Null,
        cursor: &Document::Null,
    }
}

fn missing(need: &Need) -> Supply {
    match &need.what {
        Asked::Read { operation, .. } => Supply::Missing {
            awaits: None,
            why: format!("`{operation}` found nothing"),
        },
        Asked::Crosswalk { table, key } => Supply::Missing {
            awaits: Some(Awaited::Crosswalk {
                table: table.clone(),
                key: key.clone(),
            }),
            why: format!("crosswalk `{table}` has no entry `{key}`"),
        },
        Asked::Delivery { integration, key } => Supply::Missing {
            awaits: None,
            why: format!("`{integration}` has had no `{key}`"),
        },
    }
}

/// A failed read as the preparation sees it.
fn failed(outcome: Outcome) -> Trouble {
    let passing = |class, why, after| Trouble::Passing { class, why, after };
    match outcome {
        Outcome::Retry { after, class, why } => passing(class, why, after),
        Outcome::Throttle { after, why } => passing(Class::Capacity, why, after),
        Outcome::Reauthenticate { why } => passing(Class::Authentication, why, None),
        Outcome::Unknown { why } => passing(Class::Intermittent, why, None),
        Outcome::Rejected { class, why, help } => Trouble::Lasting {
            class,
            why,
            help,
            awaits: None,
        },
        Outcome::Succeeded { .. } | Outcome::AlreadyThere { .. } => passing(
            Class::Intermittent,
            "the read gave no result".to_owned(),
            None,
        ),
    }
}
