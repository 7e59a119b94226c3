//! .
use super::answer::Exception;
use super::company::Company;
use super::{Outcome, Run};
pub(super) fn post(_c: &mut Company, _p: &str, _d: &str, _r: &Run<'_>) -> Outcome {
    Err(Exception::not_licensed())
}
pub(super) fn query(_c: &Company, _d: &str) -> Outcome {
    Err(Exception::not_licensed())
}
pub(super) fn set_up(_c: &mut Company, _o: &str, _p: &str, _d: &str, _r: &Run<'_>) -> Outcome {
    Err(Exception::not_licensed())
}
