//! Cases: the analyst's unit tests, run without a network.

mod difference;
mod request;

pub use difference::{Difference, differences};
pub use request::request_document;
