//! Lists of deliveries: what a selection leaves, by id.

use super::Shared;
use crate::Error;
use crate::index::key;
use crate::index::row::Row;
use crate::model::{Delivery, Selection};
use crate::read;
use ml_connector_core::delivery::DeliveryState;
use ml_connector_core::identity::{ConnectionId, DeliveryId, InstanceId};
use serde_json::Value as Document;

/// Rows read from the index at once while listing.
const LIST_CHUNK: usize = 512;

impl Shared {
    /// The numbers of names, unless there are none: then everything is meant.
    fn numbers<'a>(&self, names: impl ExactSizeIterator<Item = &'a str>) -> Option<Vec<u32>> {
        (names.len() > 0).then(|| {
            let levels = self.view.levels();
            names.filter_map(|name| levels.names.number(name)).collect()
        })
    }

    /// The named deliveries that the rest of the selection leaves.
    fn list_named(&self, selection: &Selection) -> Result<Vec<Delivery>, Error> {
        let mut ids = selection.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let mut found = Vec::new();
        for id in ids {
            if selection.after.is_some_and(|after| id <= after) {
                continue;
            }
            if found.len() == selection.limit {
                break;
            }
            let fits = |(row, delivery): &(Row, Delivery)| {
                let instances = &selection.instances;
                let lanes = &selection.lanes;
                (instances.is_empty() || instances.contains(&delivery.instance))
                    && (lanes.is_empty() || lanes.contains(&delivery.lane))
                    && may_match(selection, None, None, row)
                    && matches(selection, delivery)
            };
            let named = self.delivery(id)?.filter(fits);
            found.extend(named.map(|(_, delivery)| delivery));
        }
        Ok(found)
    }

    pub(super) fn list(&self, selection: &Selection) -> Result<Vec<Delivery>, Error> {
        if !selection.ids.is_empty() {
            return self.list_named(selection);
        }
        let instances = self.numbers(selection.instances.iter().map(InstanceId::as_str));
        let lanes = self.numbers(selection.lanes.iter().map(ConnectionId::as_str));
        let end = key::behind(&[key::ROW]);
        let mut from = selection.after.map_or(0, |after| after.0.saturating_add(1));
        let mut found = Vec::new();
        while found.len() < selection.limit {
            let rows = self
                .view
                .range(&key::row(DeliveryId(from)), &end, LIST_CHUNK)?;
            let last_chunk = rows.len() < LIST_CHUNK;
            for (key, row) in rows {
                let odd = || Error::Index("a row cannot be read".to_owned());
                let id = DeliveryId(key::last_number(&key).ok_or_else(odd)?);
                let row = Row::decode(&row).ok_or_else(odd)?;
                from = id.0.saturating_add(1);
                if !may_match(selection, instances.as_deref(), lanes.as_deref(), &row) {
                    continue;
                }
                let delivery = read::delivery(&self.journal, id, row.position)?;
                if matches(selection, &delivery) {
                    found.push(delivery);
                    if found.len() == selection.limit {
                        break;
                    }
                }
            }
            if last_chunk {
                break;
            }
        }
        Ok(found)
    }
}

/// What the row alone can tell.
fn may_match(
    selection: &Selection,
    instances: Option<&[u32]>,
    lanes: Option<&[u32]>,
    row: &Row,
) -> bool {
    instances.is_none_or(|instances| instances.contains(&row.instance))
        && lanes.is_none_or(|lanes| lanes.contains(&row.lane))
        && (selection.states.is_empty() || selection.states.contains(&row.kind))
        && (selection.classes.is_empty()
            || row
                .class
                .is_some_and(|class| selection.classes.contains(&class)))
        && selection
            .since
            .is_none_or(|since| row.created_s >= since.as_second() - 1)
        && selection
            .until
            .is_none_or(|until| row.created_s <= until.as_second() + 1)
}

/// What needs the delivery itself.
fn matches(selection: &Selection, delivery: &Delivery) -> bool {
    let text = |text: &String| {
        delivery.event_id == *text
            || delivery.dedup_key.as_str() == text
            || delivery
                .order_key
                .as_ref()
                .is_some_and(|key| key.as_str() == text)
            || delivery
                .reference
                .as_ref()
                .is_some_and(|reference| reference.as_str() == text)
            || matches!(&delivery.state, DeliveryState::Delivered { receipt }
                if receipt.0.values().any(|value| says(value, text)))
    };
    selection
        .since
        .is_none_or(|since| delivery.created_at >= since)
        && selection
            .until
            .is_none_or(|until| delivery.created_at < until)
        && selection.text.as_ref().is_none_or(text)
}

/// Whether a value of a receipt is this text, be it text or number.
fn says(value: &Document, text: &str) -> bool {
    match value {
        Document::String(value) => value == text,
        Document::Number(value) => value.to_string() == text,
        Document::Null | Document::Bool(_) | Document::Array(_) | Document::Object(_) => false,
    }
}
