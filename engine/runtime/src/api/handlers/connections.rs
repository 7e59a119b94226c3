//! Connections: how they stand, stop them, let them go on, try them. Integrations are stopped and let go on in the same
//! way.

use super::done;
use crate::api::bodies::Reason;
use crate::api::documents::Connections;
use crate::api::problem::Problem;
use crate::api::route::{Answer, Ask, Handled};
use crate::operator::view::ConnectionView;
use crate::operator::{Command, Reply};
use ml_connector_core::identity::{ConnectionId, InstanceId};

pub(in crate::api) fn connections(ask: Ask) -> Handled {
    Box::pin(async move {
        match ask.execute(Command::Status).await {
            Reply::Status(status) => Answer::of(&Connections {
                connections: status.connections.iter().map(ConnectionView::of).collect(),
            }),
            other => Err(Problem::of(other)),
        }
    })
}

pub(in crate::api) fn pause(ask: Ask) -> Handled {
    Box::pin(async move {
        let Reason { reason } = ask.body()?;
        let command = Command::Pause {
            connection: ConnectionId::new(ask.part("connection")),
            act: ask.act(reason),
        };
        done(&ask, command).await
    })
}

pub(in crate::api) fn resume(ask: Ask) -> Handled {
    Box::pin(async move {
        let Reason { reason } = ask.body()?;
        let command = Command::Resume {
            connection: ConnectionId::new(ask.part("connection")),
            act: ask.act(reason),
        };
        done(&ask, command).await
    })
}

pub(in crate::api) fn pause_integration(ask: Ask) -> Handled {
    Box::pin(async move {
        let Reason { reason } = ask.body()?;
        let command = Command::PauseIntegration {
            instance: InstanceId::new(ask.part("integration")),
            act: ask.act(reason),
        };
        done(&ask, command).await
    })
}

pub(in crate::api) fn resume_integration(ask: Ask) -> Handled {
    Box::pin(async move {
        let Reason { reason } = ask.body()?;
        let command = Command::ResumeIntegration {
            instance: InstanceId::new(ask.part("integration")),
            act: ask.act(reason),
        };
        done(&ask, command).await
    })
}

pub(in crate::api) fn ping(ask: Ask) -> Handled {
    Box::pin(async move {
        let connection = ConnectionId::new(ask.part("connection"));
        match ask.execute(Command::Ping { connection }).await {
            Reply::Pinged(pinged) => Answer::of(&pinged),
            other => Err(Problem::of(other)),
        }
    })
}
