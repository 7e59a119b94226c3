//! Names and numbers that must never be mixed up, each a type of its own.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name that has been checked where it was read.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Reads the printed form, with or without the prefix.
            ///
            /// # Errors
            /// If what follows the prefix is not a number.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text.strip_prefix(concat!($prefix, "_")).unwrap_or(text);
                digits.parse().map(Self).map_err(|_| IdError { text: text.to_owned(), prefix: $prefix })
            }
        }
    };
}

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id; expected `{prefix}_` and a number")]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

text_id!(
    /// A connector's name, e.g. the name of its folder.
    ConnectorId
);
text_id!(
    /// A configured connection of a site: one connector with settings and secrets.
    ConnectionId
);
text_id!(
    /// An integration file's name: `<pairing>/<flow>`.
    IntegrationId
);
text_id!(
    /// An integration as a site runs it. The same integration may run for several customers, each under its own name.
    InstanceId
);
text_id!(
    /// A trigger's stream of events. A poll may feed the stream of a webhook, so both share one space of event ids.
    StreamId
);
text_id!(
    /// A matching table: source key to target values.
    CrosswalkId
);
text_id!(
    /// Which of its events an integration has had; unique within the instance, kept for years.
    DedupKey
);
text_id!(
    /// Deliveries of one instance with the same order key go one after another.
    OrderKey
);
text_id!(
    /// Our reference inside the target's document; the look-up finds it by this.
    Reference
);

number_id!(
    /// One accepted event (a message): the sequence number of its journal frame.
    MessageId,
    "msg"
);
number_id!(
    /// One message on its way through one integration instance.
    DeliveryId,
    "dlv"
);

impl StreamId {
    /// The stream of a connection's trigger.
    pub fn of(connection: &ConnectionId, trigger: &str) -> Self {
        Self::new(format!("{connection}/{trigger}"))
    }
}
