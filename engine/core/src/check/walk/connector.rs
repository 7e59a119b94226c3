//! The expressions of a connector and what each may read.

use super::super::locate::{Owner, Route, route};
use super::super::scope::{Entry, Scope};
use super::{Call, Walk, Wants, result};
use crate::plan::{
    Action, Auth, Connector, Content, Health, LookUpSpec, Operation, OperationKind, OutcomeRule, Repeat, Request,
    Step, Template as _, TriggerKind, Write,
};
use indexmap::IndexMap;
use std::rc::Rc;
