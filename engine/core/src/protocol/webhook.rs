//! Webhooks: who sent a body, and which events are in it.

use crate::hex;
use crate::plan::{EventId, SignatureEncoding, Verify, Webhook};
use crate::template::Leg;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Document;
use serde_json::value::RawValue;
use sha2::Sha256;
use std::collections::{HashMap, HashSet};
use std::fmt;
use subtle::ConstantTimeEq;

/// How deep an event may be nested.
pub const EVENT_DEPTH_MAX: usize = 64;

/// The longest id of an event, in bytes.
const ID_BYTES_MAX: usize = 256;

/// One event cut out of a webhook's body. `Debug` shows its id and size only.
#[derive(Clone, PartialEq)]
pub struct RawEvent {
    /// Its id as declared by the trigger.
    pub id: String,
    /// Its bytes as received.
    pub raw: Bytes,
    /// Parsed.
    pub document: Document,
}

impl fmt::Debug for RawEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawEvent({}, {} bytes)", self.id, self.raw.len())
    }
}

/// A webhook that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No or wrong signature.
    #[error("the signature does not match")]
    NotGenuine,
    /// Genuine, but not readable as declared.
    #[error("the body is not what the trigger declares: {why}")]
    Malformed {
        /// Why, without content.
        why: String,
    },
}

impl WebhookError {
    fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed { why: why.into() }
    }
}

/// Whether a webhook is genuine: which of the live secrets matched. Constant time over the raw
/// bytes, before any parsing.
///
/// Every secret is tried, whether or not an earlier one matched. An empty secret matches nothing.
///
/// # Errors
/// If none matches; also for a missing, short or unreadable signature.
pub fn verify(
    webhook: &Webhook,
    header: &dyn Fn(&str) -> Option<String>,
    body: &[u8],
    secrets: &[&str],
) -> Result<usize, WebhookError> {
    let matches: Box<dyn Fn(&str) -> bool> = match &webhook.verify {
        Verify::HmacSha256 {
            header: name,
            encoding,
            prefix,
            ..
        } => {
            let field = header(name).ok_or(WebhookError::NotGenuine)?;
            let given = signature(&field, *encoding, prefix).ok_or(WebhookError::NotGenuine)?;
            Box::new(move |secret| {
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
                    return false;
                };
                mac.update(body);
                mac.finalize().into_bytes().as_slice().ct_eq(&given).into()
            })
        }
        Verify::SharedSecret { header: name, .. } => {
            let given = header(name).ok_or(WebhookError::NotGenuine)?;
            Box::new(move |secret| secret.as_bytes().ct_eq(given.as_bytes()).into())
        }
        Verify::Basic { .. } => {
            let field = header("authorization").ok_or(WebhookError::NotGenuine)?;
            let given = basic(&field).ok_or(WebhookError::NotGenuine)?;
            Box::new(move |secret| secret.as_bytes().ct_eq(&given).into())
        }
    };
    let mut matched = None;
    for (at, secret) in secrets.iter().enumerate() {
        // Evaluated in any case: how long this takes must not tell which secret it was.
        let hit = matches(secret) & !secret.is_empty();
        if hit && matched.is_none() {
            matched = Some(at);
        }
    }
    matched.ok_or(WebhookError::NotGenuine)
}

fn signature(field: &str, encoding: SignatureEncoding, prefix: &str) -> Option<Vec<u8>> {
    let written = field.trim().strip_prefix(prefix)?;
    match encoding {
        SignatureEncoding::Hex => hex::read(written),
        SignatureEncoding::Base64 => BASE64_STANDARD
            .decode(written)
            .or_else(|_| BASE64_STANDARD_NO_PAD.decode(written))
            .ok(),
    }
}

fn basic(field: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = field.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    BASE64_STANDARD.decode(rest.trim()).ok()
}

/// Cuts a genuine body into its events, keeping each one's bytes as received.
///
/// Where `each` is a plain path such as `$.events[*]`, the bytes are exactly those of the body, and
/// everything around the events is passed over without being built. For other paths each event is
/// written anew from its parsed form.
///
/// # Errors
/// If the body is not UTF-8 or not JSON, has more events than allowed, nothing where the events
/// should stand, or an event that is nested too deep, or has no id, or one that another event of
/// the body has too.
pub fn split(
    webhook: &Webhook,
    id: &EventId,
    body: &Bytes,
    now: Timestamp,
) -> Result<Vec<RawEvent>, WebhookError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        WebhookError::malformed(format!("not UTF-8 at byte {}", error.valid_up_to()))
    })?;
    check_depth(text)?;
    let limit = usize::try_from(webhook.events_max).unwrap_or(usize::MAX);
    // An index from the end is known only when the list is.
    let from_start = |legs: &&[Leg]| !legs.iter().any(|leg| matches!(leg, Leg::Index(..0)));
    let mut events = match webhook.each.legs().filter(from_start) {
        Some(legs) => slices(text, legs, limit)?
            .into_iter()
            .map(|raw| event(body.slice_ref(raw.as_bytes()), raw, (id, now)))
            .collect::<Result<Vec<_>, _>>()?,
        None => rewritten(text, webhook, (id, now), limit)?,
    };
    once_each(&mut events)?;
    events.shrink_to_fit();
    Ok(events)
}

/// An event that stands twice is one event; two with the same id that differ cannot both be kept.
fn once_each(events: &mut Vec<RawEvent>) -> Result<(), WebhookError> {
    let mut seen: HashMap<String, Bytes> = HashMap::with_capacity(events.len());
    let mut differ = false;
    events.retain(|event| {
        if let Some(raw) = seen.get(&event.id) {
            differ |= *raw != event.raw;
            false
        } else {
            seen.insert(event.id.clone(), event.raw.clone());
            true
        }
    });
    if differ {
        return Err(WebhookError::malformed(
            "two different events have the same id",
        ));
    }
    Ok(())
}

fn event(raw: Bytes, text: &str, id: (&EventId, Timestamp)) -> Result<RawEvent, WebhookError> {
    let document = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    let id = id_of(&document, id)?;
    Ok(RawEvent { id, raw, document })
}

fn id_of(document: &Document, (id, now): (&EventId, Timestamp)) -> Result<String, WebhookError> {
    let found = id.of(document, now);
    let found = found.ok_or_else(|| WebhookError::malformed("an event has no id"))?;
    if found.len() > ID_BYTES_MAX {
        let why = format!("an event's id is longer than {ID_BYTES_MAX} bytes");
        return Err(WebhookError::malformed(why));
    }
    Ok(found)
}

fn rewritten(
    text: &str,
    webhook: &Webhook,
    id: (&EventId, Timestamp),
    limit: usize,
) -> Result<Vec<RawEvent>, WebhookError> {
    let whole: Document = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    let found = webhook.each.all(&whole);
    if found.len() > limit {
        return Err(too_many(limit));
    }
    let make = |document: &Document| {
        let raw = Bytes::from(document.to_string());
        Ok(RawEvent {
            id: id_of(document, id)?,
            raw,
            document: document.clone(),
        })
    };
    found.into_iter().map(make).collect()
}

fn too_many(limit: usize) -> WebhookError {
    WebhookError::malformed(format!("it has more than {limit} events"))
}

fn not_json(error: &serde_json::Error) -> WebhookError {
    let what = if error.is_eof() {
        "it is cut off"
    } else {
        "it is not JSON"
    };
    WebhookError::malformed(format!(
        "{what} (line {}, column {})",
        error.line(),
        error.column()
    ))
}

/// Bounds nesting before any parser recurses: brackets outside of strings.
fn check_depth(text: &str) -> Result<(), WebhookError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > EVENT_DEPTH_MAX {
            let why = format!("it is nested deeper than {EVENT_DEPTH_MAX}");
            return Err(WebhookError::malformed(why));
        }
    }
    Ok(())
}

/// The texts of the selected nodes, in place.
fn slices<'t>(text: &'t str, legs: &[Leg], limit: usize) -> Result<Vec<&'t str>, WebhookError> {
    let mut found = Found {
        texts: Vec::new(),
        limit,
        exceeded: false,
        reached: false,
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let walked = Walk {
        legs,
        found: &mut found,
    }
    .deserialize(&mut json)
    .and_then(|()| json.end());
    if found.exceeded {
        return Err(too_many(limit));
    }
    walked.map_err(|error| not_json(&error))?;
    if !found.reached {
        return Err(WebhookError::malformed(
            "there is nothing where the events should stand",
        ));
    }
    Ok(found.texts)
}

struct Found<'t> {
    texts: Vec<&'t str>,
    limit: usize,
    exceeded: bool,
    /// Whether the place of the events was there, even if it held none.
    reached: bool,
}

/// Walks a JSON text along a path, keeping only where the selected nodes stand.
struct Walk<'l, 'f, 't> {
    legs: &'l [Leg],
    found: &'f mut Found<'t>,
}

impl<'t> DeserializeSeed<'t> for Walk<'_, '_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.legs.is_empty() {
            let raw: &'t RawValue = serde::Deserialize::deserialize(deserializer)?;
            self.found.reached = true;
            if self.found.texts.len() >= self.found.limit {
                self.found.exceeded = true;
                return Err(serde::de::Error::custom("too many events"));
            }
            self.found.texts.push(raw.get());
            return Ok(());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Walk<'_, '_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place of the events")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((leg, legs)) = self.legs.split_first() else {
            return Ok(());
        };
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let wanted = match leg {
                Leg::Name(wanted) => *wanted == name,
                Leg::All => true,
                Leg::Index(_) => false,
            };
            if !wanted {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.found.reached |= matches!(leg, Leg::All);
            // Two members of one name: which is meant would depend on who reads it.
            if !names.insert(name) {
                return Err(serde::de::Error::custom("a member stands twice"));
            }
            map.next_value_seed(Walk {
                legs,
                found: &mut *self.found,
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((leg, legs)) = self.legs.split_first() else {
            return Ok(());
        };
        self.found.reached |= matches!(leg, Leg::All);
        let mut at = 0_i64;
        loop {
            let wanted = match leg {
                Leg::All => true,
                Leg::Index(wanted) => *wanted == at,
                Leg::Name(_) => false,
            };
            let more = if wanted {
                list.next_element_seed(Walk {
                    legs,
                    found: &mut *self.found,
                })?
                .is_some()
            } else {
                list.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(());
            }
            at += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
