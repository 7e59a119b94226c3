//! A rehearsal of several events that make one delivery.

use super::{End, Given, Need, Rehearsal, Rehearsed};
use crate::delivery::{Class, Trouble};
use crate::http::HttpResponse;
use crate::identity::{DedupKey, OrderKey};
use crate::mapping::{self, Gathered, Joins, Route};
use serde_json::Value as Document;

/// The events of one delivery, and its keys.
struct Group<'a> {
    keys: (DedupKey, Option<OrderKey>),
    joins: Joins,
    events: Vec<&'a Document>,
}

impl Rehearsal<'_> {
    /// Takes the events as far as they go: those of the integration, as one delivery.
    pub(super) fn run_group(
        &self,
        give: &mut dyn FnMut(&Need) -> Option<Given>,
        answer: Option<&HttpResponse>,
    ) -> Rehearsed {
        let group = match self.gathered() {
            Ok(Some(group)) => group,
            Ok(None) => return Rehearsed::at_once(None, End::NotRouted),
            Err(error) => {
                let (key, trouble) = *error;
                return Rehearsed::at_once(key, End::Trouble(trouble));
            }
        };
        let count = u64::try_from(group.events.len()).unwrap_or(u64::MAX);
        let (number, total) = self.group;
        let gathered = Gathered {
            key: group.joins.key,
            number,
            count,
            total: total.unwrap_or(count),
            first_at: self.now,
            last_at: self.now,
        };
        let events = group.events.into_iter().cloned().collect();
        let subject = mapping::subject(events, &gathered);
        let mut rehearsed = self.go_on(&subject, group.keys, give, answer);
        rehearsed.subject = Some(subject);
        rehearsed
    }

    fn gathered(&self) -> Result<Option<Group<'_>>, Box<(Option<DedupKey>, Trouble)>> {
        let events = match self.event {
            Document::Array(events) => events.as_slice(),
            one @ (Document::Null
            | Document::Bool(_)
            | Document::Number(_)
            | Document::String(_)
            | Document::Object(_)) => std::slice::from_ref(one),
        };
        let mut group: Option<Group<'_>> = None;
        for event in events {
            match mapping::route(self.instance, &self.event_id(event), event) {
                Route::NotMine => {}
                Route::Failed { dedup_key, trouble } => {
                    return Err(Box::new((Some(dedup_key), trouble)));
                }
                Route::Mine {
                    dedup_key,
                    order_key,
                    joins,
                } => {
                    let Some(joins) = joins else { continue };
                    let Some(group) = &mut group else {
                        group = Some(Group {
                            keys: (dedup_key, order_key),
                            joins,
                            events: vec![event],
                        });
                        continue;
                    };
                    group.joins.weight = group.joins.weight.saturating_add(joins.weight);
                    group.events.push(event);
                    if group.joins.key != joins.key {
                        return Err(Box::new((None, several("they have different keys"))));
                    }
                    let many = group.events.len() > joins.events_max as usize;
                    if many || group.joins.weight > joins.weight_max {
                        return Err(Box::new((None, several("they are more than one may hold"))));
                    }
                }
            }
        }
        Ok(group)
    }
}

fn several(why: &str) -> Trouble {
    Trouble::Lasting {
        class: Class::Value,
        why: format!("the events make more than one delivery: {why}"),
        help: "give the events of one delivery".to_owned(),
        awaits: None,
    }
}
