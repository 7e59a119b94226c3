//! Asking an installation: its running engine over the control socket, or its store where none runs. Same commands, same
//! code behind them.

use crate::failure::{Advised as _, advise, usage};
use crate::running::seams;
use crate::site::Installation;
use crate::store;
use crate::terminal::Terminal;
use ml_connector_runtime::SystemClock;
use ml_connector_runtime::operator::{self, Act, CallError, Command, Reply, Workbench};
use ml_connector_store::Store;
use serde_json::Value as Document;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Who acts, and why. The audit trail keeps both.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ActArgs {
    /// Why, in your words.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who decides. Without it: the name of the user who runs the command.
    #[arg(long, value_name = "NAME", env = "ML_CONNECTOR_ACTOR")]
    actor: Option<String>,
}

impl ActArgs {
    /// The act, with `otherwise` as reason where none is demanded of a person.
    pub(crate) fn act(&self, otherwise: Option<&str>) -> anyhow::Result<Act> {
        let reason = self
            .reason
            .as_deref()
            .or(otherwise)
            .map(str::trim)
            .unwrap_or_default();
        if reason.is_empty() {
            return Err(usage(
                "say why with `--reason TEXT`: the audit trail keeps it",
            ));
        }
        Ok(Act {
            actor: self.actor.clone().unwrap_or_else(user),
            reason: reason.to_owned(),
        })
    }
}

/// The user who runs the command, as the environment names them.
#[expect(
    clippy::disallowed_methods,
    reason = "who runs a command is known to the environment only"
)]
pub(crate) fn user() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Who answers.
#[derive(Debug)]
pub(crate) enum Operator {
    /// A running engine.
    Engine(PathBuf),
    /// The store alone, which this process has opened.
    Store(Store),
    /// The store with the installation's definitions and secrets, for what prepares records.
    Workbench(Box<Workbench>),
}

impl Operator {
    /// Finds who answers for an installation. Where nothing has been stored yet there is nobody.
    pub(crate) async fn of(
        installation: &Installation,
        terminal: &mut Terminal,
    ) -> anyhow::Result<Self> {
        match Self::engine(installation).await? {
            Some(engine) => Ok(engine),
            None => Ok(Self::Store(store::open_existing(
                &installation.store(),
                terminal,
            )?)),
        }
    }

    /// As [`Operator::of`], and makes the store where there is none: matching tables are filled before the first start.
    pub(crate) async fn of_new(
        installation: &Installation,
        terminal: &mut Terminal,
    ) -> anyhow::Result<Self> {
        match Self::engine(installation).await? {
            Some(engine) => Ok(engine),
            None => Ok(Self::Store(store::open(&installation.store(), terminal)?)),
        }
    }

    /// As [`Operator::of`], with the definitions: a running engine has them, otherwise they are loaded here.
    pub(crate) async fn with_definitions(
        installation: &Installation,
        terminal: &mut Terminal,
    ) -> anyhow::Result<Self> {
        if let Some(engine) = Self::engine(installation).await? {
            return Ok(engine);
        }
        let (definitions, plan) = installation.plan(terminal)?;
        // The texts are needed for findings only, and there are none.
        drop(definitions);
        let seams = seams(installation, &plan)?;
        let store = store::open_existing(&installation.store(), terminal)?;
        let bench = Workbench::new(Arc::new(plan), store, seams)?;
        Ok(Self::Workbench(Box::new(bench)))
    }

    async fn engine(installation: &Installation) -> anyhow::Result<Option<Self>> {
        let socket = installation.control();
        if !socket.exists() {
            return Ok(None);
        }
        match operator::call(&socket, &Command::Status).await {
            Ok(_) => Ok(Some(Self::Engine(socket))),
            // The socket of an engine that is gone: the store is free.
            Err(CallError::NoEngine { .. }) => Ok(None),
            Err(error @ CallError::Failed(_)) => Err(error.into()),
        }
    }

    /// Asks. A refusal is an error with its next step.
    pub(crate) async fn ask(&self, command: Command) -> anyhow::Result<Reply> {
        let reply = match self {
            Self::Engine(socket) => operator::call(socket, &command).await.advise(
                || "cannot ask the running engine".to_owned(),
                || "see its log; `ml-connector status` says whether it runs".to_owned(),
            )?,
            Self::Store(store) => operator::execute(store, None, &SystemClock, command).await,
            Self::Workbench(bench) => bench.execute(command).await,
        };
        accepted(reply)
    }

    /// Asks once: finds who answers, asks, lets go.
    pub(crate) async fn ask_once(
        installation: &Installation,
        terminal: &mut Terminal,
        command: Command,
    ) -> anyhow::Result<Reply> {
        let operator = Self::of(installation, terminal).await?;
        let reply = operator.ask(command).await;
        operator.close().await?;
        reply
    }

    /// Keeps a note of an act in the audit trail, where there is one yet.
    pub(crate) async fn note(
        installation: &Installation,
        terminal: &mut Terminal,
        kind: &str,
        act: Act,
        facts: Document,
    ) -> anyhow::Result<()> {
        let operator = match Self::engine(installation).await? {
            Some(engine) => engine,
            None if store::exists(&installation.store()) => {
                Self::of(installation, terminal).await?
            }
            None => return Ok(()),
        };
        let kind = kind.to_owned();
        let noted = operator.ask(Command::Note { kind, act, facts }).await;
        operator.close().await?;
        noted.map(drop)
    }

    /// Lets go of the store, if this process holds it.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Engine(_) => Ok(()),
            Self::Store(store) => Ok(store.close().await?),
            Self::Workbench(bench) => Ok(bench.close().await?),
        }
    }
}

/// A reply that is no refusal; a refusal is an error with its next step.
pub(crate) fn accepted(reply: Reply) -> anyhow::Result<Reply> {
    if let Reply::Refused { error, help, .. } = reply {
        return Err(if help.is_empty() {
            anyhow::anyhow!(error)
        } else {
            advise(error, help)
        });
    }
    Ok(reply)
}

/// An engine that answers something else than it was asked is of another version.
pub(crate) fn unexpected() -> anyhow::Error {
    advise(
        "the engine answered something else than it was asked",
        "use a command of the same version as the running engine",
    )
}

/// How long the end of a command waits for blocking work that was abandoned.
const ABANDONED_MAX: Duration = Duration::from_secs(1);

/// Runs an asynchronous command to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .advise(
            || "cannot start the asynchronous runtime".to_owned(),
            || "are there threads and file handles left on this machine?".to_owned(),
        )?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(ABANDONED_MAX);
    done
}
