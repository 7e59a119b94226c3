//! The simulators' own promises: each rule of the fact sheets is kept, and broken on purpose to see that it bites.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_collect,
    clippy::type_complexity,
    reason = "a test fails by panicking, and reads best in one place"
)]

mod gocardless;
mod oracle_ebs;
mod paychex;
mod sage_x3;
mod served;
mod support;
mod syspro;
