//! Reading records back by their position.

use crate::Error;
use crate::entry::{Entry, EventEntry, Kind};
use crate::journal::{Damage, Journal, StoredFrame};
use crate::model::{AuditRecord, Delivery, KeptContent, Message};
use base64::Engine as _;
use jiff::Timestamp;
use ml_connector_core::hex;
use ml_connector_core::identity::{DeliveryId, MessageId};
use serde_json::Value as Document;

/// The entry of a stored frame.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn entry(journal: &Journal, position: u64, frame: &StoredFrame) -> Result<Entry, Error> {
    Entry::read(frame.header.kind, frame.meta())
        .map_err(|why| unreadable(journal, position, frame, why))
}

/// The event recorded at a position.
///
/// # Errors
/// If there is none.
pub(crate) fn event(journal: &Journal, position: u64) -> Result<(StoredFrame, EventEntry), Error> {
    let frame = journal.read(position)?;
    match entry(journal, position, &frame)? {
        Entry::Event(event) => Ok((frame, event)),
        Entry::Intake(_)
        | Entry::Transition(_)
        | Entry::Crosswalk(_)
        | Entry::Note(_)
        | Entry::Pause(_)
        | Entry::Kept(_) => Err(Error::Index(format!(
            "record {} is not an event",
            frame.header.sequence
        ))),
    }
}

/// A delivery as the record at this position left it.
///
/// # Errors
/// If the record is about something else.
pub(crate) fn delivery(
    journal: &Journal,
    id: DeliveryId,
    position: u64,
) -> Result<Delivery, Error> {
    let frame = journal.read(position)?;
    let header = frame.header;
    let found = match entry(journal, position, &frame)? {
        Entry::Transition(transition) => Some(transition.delivery),
        Entry::Event(event) => event
            .deliveries
            .iter()
            .find(|made| made.id == id)
            .map(|made| {
                let at = time(header.time_us);
                made.delivery(&event.event_id, MessageId(header.sequence), at)
            }),
        Entry::Intake(_)
        | Entry::Crosswalk(_)
        | Entry::Note(_)
        | Entry::Pause(_)
        | Entry::Kept(_) => None,
    };
    found
        .filter(|delivery| delivery.id == id)
        .ok_or_else(|| Error::Index(format!("record {} is not about {id}", header.sequence)))
}

/// What was kept with a delivery's claim.
///
/// # Errors
/// If the record is about something else.
pub(crate) fn kept(journal: &Journal, id: DeliveryId, position: u64) -> Result<KeptContent, Error> {
    let frame = journal.read(position)?;
    match entry(journal, position, &frame)? {
        Entry::Kept(kept) if kept.delivery == id => Ok(KeptContent(frame.into_body())),
        Entry::Kept(_)
        | Entry::Event(_)
        | Entry::Transition(_)
        | Entry::Intake(_)
        | Entry::Crosswalk(_)
        | Entry::Note(_)
        | Entry::Pause(_) => Err(Error::Index(format!(
            "record {} does not keep what was prepared for {id}",
            frame.header.sequence
        ))),
    }
}

/// The event of a frame.
///
/// # Errors
/// If the frame is something else.
pub(crate) fn message(
    journal: &Journal,
    position: u64,
    frame: StoredFrame,
) -> Result<Option<Message>, Error> {
    let Entry::Event(event) = entry(journal, position, &frame)? else {
        return Ok(None);
    };
    Ok(Some(Message {
        id: MessageId(frame.header.sequence),
        event_id: event.event_id,
        connection: event.connection,
        stream: event.stream,
        received_at: time(frame.header.time_us),
        deliveries: event.deliveries.iter().map(|made| made.id).collect(),
        raw: frame.into_body(),
    }))
}

/// Everything about a delivery from the record at `position` back to its event, oldest first.
///
/// # Errors
/// If a record on the way cannot be read.
pub(crate) fn history(
    journal: &Journal,
    id: DeliveryId,
    mut position: u64,
) -> Result<Vec<AuditRecord>, Error> {
    let mut records = Vec::new();
    loop {
        let frame = journal.read(position)?;
        let before = match entry(journal, position, &frame)? {
            Entry::Transition(transition) if transition.delivery.id == id => {
                Some(transition.before)
            }
            Entry::Event(event) if event.deliveries.iter().any(|made| made.id == id) => None,
            Entry::Transition(_)
            | Entry::Event(_)
            | Entry::Intake(_)
            | Entry::Crosswalk(_)
            | Entry::Note(_)
            | Entry::Pause(_)
            | Entry::Kept(_) => {
                let sequence = frame.header.sequence;
                return Err(Error::Index(format!("record {sequence} is not about {id}")));
            }
        };
        records.push(audit(&frame).map_err(|why| unreadable(journal, position, &frame, why))?);
        match before.filter(|before| *before < position) {
            Some(before) => position = before,
            None => break,
        }
    }
    records.reverse();
    Ok(records)
}

/// The record at a position as an auditor sees it.
///
/// # Errors
/// If its JSON cannot be read.
pub(crate) fn record(
    journal: &Journal,
    position: u64,
    frame: &StoredFrame,
) -> Result<AuditRecord, Error> {
    audit(frame).map_err(|why| unreadable(journal, position, frame, why))
}

/// A frame as an auditor sees it.
///
/// # Errors
/// If its JSON cannot be read.
pub(crate) fn audit(frame: &StoredFrame) -> Result<AuditRecord, String> {
    audit_record(&frame.header, frame.meta(), frame.body(), frame.hash())
}

/// See [`audit`].
///
/// # Errors
/// If its JSON cannot be read.
pub(crate) fn audit_record(
    header: &crate::journal::frame::Header,
    meta: &[u8],
    body: &[u8],
    hash: crate::journal::frame::Hash,
) -> Result<AuditRecord, String> {
    let mut content: Document = serde_json::from_slice(meta).map_err(|error| error.to_string())?;
    if matches!(Kind::of(header.kind), Some(Kind::Event | Kind::Kept))
        && let Some(members) = content.as_object_mut()
    {
        // Raw bytes are text nearly always; what is not is kept exactly all the same.
        let (name, raw) = if let Ok(text) = std::str::from_utf8(body) {
            ("raw", text.to_owned())
        } else {
            let encoded = base64::engine::general_purpose::STANDARD.encode(body);
            ("raw_base64", encoded)
        };
        members.insert(name.to_owned(), Document::from(raw));
    }
    let kind = Kind::of(header.kind).map_or("unknown", Kind::as_str);
    Ok(AuditRecord {
        sequence: header.sequence,
        at: time(header.time_us),
        kind: kind.to_owned(),
        content,
        hash: hex::of(&hash),
        previous: hex::of(&header.previous),
    })
}

/// The time in a frame header.
pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

fn unreadable(journal: &Journal, position: u64, frame: &StoredFrame, why: String) -> Error {
    let segments = journal.segments();
    let segment = segments
        .iter()
        .rfind(|segment| segment.header.base <= position);
    Error::Damaged(Damage {
        file: journal.medium().describe(
            &segment
                .map(crate::journal::segment::Segment::name)
                .unwrap_or_default(),
        ),
        offset: position - segment.map_or(0, |segment| segment.header.base),
        sequence: Some(frame.header.sequence),
        why,
    })
}
