//! The tables of the definition language: what each kind of definition may say.
//!
//! Words in `docs` are the manual's words.

mod auth;
pub(super) mod case;
pub(super) mod connector;
pub(super) mod content;
pub(super) mod integration;
pub(super) mod operation;
mod reconcile;
pub(super) mod scopes;
pub(super) mod site;
pub(super) mod trigger;

use super::table::Table;

/// The kinds of definition files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DefinitionKind {
    /// Everything about one system.
    Connector,
    /// One flow.
    Integration,
    /// A test of an integration.
    Case,
    /// One installation.
    Site,
}

impl DefinitionKind {
    /// All, in the order the manual lists them.
    pub const ALL: [Self; 4] = [Self::Connector, Self::Integration, Self::Case, Self::Site];

    /// The key that says that a file is of this kind, also the name of its schema file.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Integration => "integration",
            Self::Case => "case",
            Self::Site => "site",
        }
    }

    /// What such a file may say.
    pub const fn table(self) -> &'static Table {
        match self {
            Self::Connector => &connector::CONNECTOR,
            Self::Integration => &integration::INTEGRATION,
            Self::Case => &case::CASE,
            Self::Site => &site::SITE,
        }
    }
}
