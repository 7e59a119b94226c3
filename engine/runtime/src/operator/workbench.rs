//! A store with its definitions and the outside world, but no engine: for commands that prepare records while none runs.

use super::execute::{Operator, carry_out};
use super::{Command, Reply};
use crate::connection::{Links, Unusable};
use crate::context::Context;
use crate::seams::Seams;
use crate::telemetry::Traces;
use ml_connector_core::plan::Plan;
use ml_connector_store::{Error, Store};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What an engine works with, without its listeners, pollers and workers. It reads from other systems and never writes to
/// them.
#[derive(Debug)]
pub struct Workbench {
    context: Arc<Context>,
    links: Arc<Links>,
}

impl Workbench {
    /// Takes over an opened store.
    ///
    /// # Errors
    /// If a connection's settings do not make sense.
    pub fn new(plan: Arc<Plan>, store: Store, seams: Seams) -> Result<Self, Unusable> {
        let stops = (CancellationToken::new(), CancellationToken::new());
        let context = Context::new(plan, store, seams, &stops, Traces::default());
        let context = Arc::new(context);
        let links = Arc::new(Links::new(&context)?);
        Ok(Self { context, links })
    }

    /// Carries a command out.
    pub async fn execute(&self, command: Command) -> Reply {
        let operator = Operator {
            store: &self.context.store,
            engine: None,
            bench: Some((Arc::clone(&self.context), Arc::clone(&self.links))),
            clock: self.context.seams.clock.as_ref(),
        };
        carry_out(&operator, command).await
    }

    /// Logs off what was logged on for reads, and closes the store.
    ///
    /// # Errors
    /// If the store could not be closed in order.
    pub async fn close(self) -> Result<(), Error> {
        for scope in self.links.sessions.all() {
            scope.close().await;
        }
        self.context.store.close().await
    }
}
