//! XML: structured content to documents and back.

mod read;
mod write;

pub(super) use read::{looks_like_xml, read};
pub(super) use write::{Writing, write};

/// How deep elements may be nested, in both directions.
pub(super) const DEPTH_MAX: usize = 128;
