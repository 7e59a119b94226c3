//! A connection's secret values, kept until the vault changes.

use crate::seams::{Secret, SecretError, SecretSource, SecretTurn};
use crate::telemetry;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a connection's secrets come from, by the names its connector uses.
#[derive(Debug)]
pub(crate) struct SecretTable {
    source: Arc<dyn SecretSource>,
    names: IndexMap<String, Vec<String>>,
    kept: Mutex<Option<Arc<Resolved>>>,
}

/// The values at one version of the vault.
pub(crate) struct Resolved {
    version: u64,
    values: HashMap<String, Vec<Arc<Secret>>>,
    missing: Vec<SecretError>,
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("version", &self.version)
            .field("names", &self.values.keys())
            .field("missing", &self.missing)
            .finish()
    }
}

impl SecretTable {
    pub(crate) fn new(source: Arc<dyn SecretSource>, names: IndexMap<String, Vec<String>>) -> Self {
        Self {
            source,
            names,
            kept: Mutex::default(),
        }
    }

    /// The present values. What is not there is missing from them, and said in
    /// [`Resolved::missing`].
    pub(crate) fn resolve(&self) -> Arc<Resolved> {
        let version = self.source.version();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resolved) = kept.as_ref().filter(|resolved| resolved.version == version) {
            return Arc::clone(resolved);
        }
        let mut resolved = Resolved {
            version,
            values: HashMap::new(),
            missing: Vec::new(),
        };
        for (name, stored) in &self.names {
            for stored in stored {
                match self.source.get(stored) {
                    Ok(value) => {
                        let value = Arc::new(value);
                        telemetry::keep_out_of_logs(&value);
                        resolved.values.entry(name.clone()).or_default().push(value);
                    }
                    Err(error) => resolved.missing.push(error),
                }
            }
        }
        let resolved = Arc::new(resolved);
        // What failed is asked for again, so that a vault that comes back needs no new version.
        *kept = resolved.missing.is_empty().then(|| Arc::clone(&resolved));
        resolved
    }

    /// Stores a new value under the first vault name of a secret.
    pub(crate) fn put(&self, name: &str, value: &Secret) -> Result<(), SecretError> {
        self.source.put(self.stored(name)?, value)
    }

    /// See [`SecretSource::try_turn`], of the first vault name of a secret.
    pub(crate) fn try_turn(&self, name: &str) -> Result<Option<SecretTurn>, SecretError> {
        self.source.try_turn(self.stored(name)?)
    }

    /// The first vault name of a secret.
    pub(crate) fn stored(&self, name: &str) -> Result<&str, SecretError> {
        let stored = self.names.get(name).and_then(|names| names.first());
        stored
            .map(String::as_str)
            .ok_or_else(|| SecretError::Missing(name.to_owned()))
    }
}

impl Resolved {
    /// Every live value of a secret.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.values
            .get(name)
            .into_iter()
            .flatten()
            .map(|value| value.expose())
            .collect()
    }

    /// The first live value of a secret.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.first().map(|value| value.expose())
    }

    /// Whether every name has the same values here and there, so that what one was refused the other
    /// would be refused too.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let mut names: Vec<&String> = self.values.keys().chain(other.values.keys()).collect();
        names.dedup();
        names
            .into_iter()
            .all(|name| self.all(name) == other.all(name))
    }

    /// Why values are missing.
    pub(crate) fn missing(&self) -> &[SecretError] {
        &self.missing
    }

    /// Names and first values, for templates that the runtime evaluates itself.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().filter_map(|(name, values)| {
            Some((name.as_str(), values.first().map(|value| value.expose())?))
        })
    }
}
