//! .
use super::answer::Exception;
use super::company::Company;
use super::{Outcome, Run};
pub(super) fn post(_c: &mut Company, _p: &str, _d: &str, _r: &Run<'_>) -> Outcome {
    Err(Exception::not_licensed())
}
