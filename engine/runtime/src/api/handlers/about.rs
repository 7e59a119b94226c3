//! What runs here, how definitions are read again, and what can be asked.

use crate::api::bodies::Reason;
use crate::api::documents::{Integrations, OpenApi, Overview, Version};
use crate::api::problem::Problem;
use crate::api::route::{Answer, Ask, Handled};
use crate::operator::{Command, Reply};
use ml_connector_core::hex;

pub(in crate::api) fn overview(ask: Ask) -> Handled {
    Box::pin(async move {
        match ask.execute(Command::Status).await {
            Reply::Status(status) => Answer::of(&Overview::of(&status, ask.engine.version())),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn version(ask: Ask) -> Handled {
    Box::pin(async move {
        let plan = ask.engine.plan();
        Answer::of(&Version {
            version: ask.engine.version().to_owned(),
            api: "v1",
            site: plan.site.clone(),
            plan: hex::of(&plan.hash),
        })
    })
}

pub(in crate::api) fn integrations(ask: Ask) -> Handled {
    Box::pin(async move {
        match ask.execute(Command::Integrations).await {
            Reply::Integrations { integrations } => Answer::of(&Integrations { integrations }),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn reload(ask: Ask) -> Handled {
    Box::pin(async move {
        let Reason { reason } = ask.body()?;
        let command = Command::Reload {
            act: ask.act(reason),
        };
        match ask.execute(command).await {
            Reply::Reloaded(status) => Answer::of(&status),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn openapi(ask: Ask) -> Handled {
    Box::pin(async move {
        let version = ask.engine.version();
        Answer::of(&OpenApi(crate::api::openapi::document(version)))
    })
}
