//! `connect`: the first step of an OAuth2 authorization code, in the browser and back.

use crate::ask;
use crate::failure::{Exit, advise, describe, usage};
use crate::moments::ahead_argument;
use crate::operator::{Operator, block_on, user};
use crate::running::seams_of;
use crate::site::{Installation, SiteArgs};
use crate::terminal::Terminal;
use jiff::Timestamp;
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::plan::{Connection, Plan};
use ml_connector_runtime::connect::{
    self, Begun, Callback, Connected, Error, Listener, Pending, refresh_secret,
};
use ml_connector_runtime::operator::Act;
use ml_connector_runtime::{Seams, Secret};
use ml_connector_store::vault;
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::sync::Arc;

/// Arguments of `connect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ml-connector connect books                 # the browser brings the code to this machine\n  \
    ml-connector connect books --paste         # the browser runs elsewhere: paste where it ended\n  \
    ml-connector connect books --finish        # somebody agreed later: paste what came\n\n\
    For connections whose connector declares `authorize`. It prints the address to open; the code that comes of it is \
    exchanged once, and the refresh token is in the vault before the command ends. Address and code belong together for \
    minutes, or for as long as the system lets somebody think it over.\n\
    A code is never taken from the arguments: those stand in shell histories and process lists.\n\
    Exit codes: 0 connected, 3 not."
)]
pub(crate) struct Args {
    /// The connection.
    connection: String,
    /// Do not listen for the answer: it is pasted, or read from stdin.
    #[arg(long)]
    paste: bool,
    /// The answer to the address that was printed the last time has come: paste it, or give it on stdin.
    #[arg(long, conflicts_with = "paste")]
    finish: bool,
    /// How long to listen.
    #[arg(long, value_name = "TIME", value_parser = ahead_argument, default_value = "10m")]
    wait: Timestamp,
    #[command(flatten)]
    site: SiteArgs,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let installation = args.site.read(terminal)?;
    let (_, plan) = installation.plan(terminal)?;
    let connection = wanted(&args.connection, &plan)?;
    let refresh = refresh_secret(&connection).map_err(|error| advised(&error))?;
    let seams = seams_of(&installation, &connection, &refresh)?;
    let connected = block_on(connect(args, &installation, &connection, &seams, terminal))?;
    terminal.tell(format!(
        "connected `{}`: its refresh token is stored as `{}`",
        connection.id, connected.stored
    ));
    if let Some(tell) = &connected.tell {
        terminal.tell(tell);
    }
    terminal.tell(format!(
        "try it with `ml-connector ping {0}`; a running engine that had given up goes on with `ml-connector resume {0}`",
        connection.id
    ));
    Ok(Exit::Fine)
}

fn wanted(name: &str, plan: &Plan) -> anyhow::Result<Arc<Connection>> {
    let found = plan.connections.get(&ConnectionId::new(name));
    found.map(Arc::clone).ok_or_else(|| {
        let names: Vec<&str> = plan.connections.keys().map(ConnectionId::as_str).collect();
        usage(format!(
            "there is no connection `{name}`; there are: {}",
            names.join(", ")
        ))
    })
}

async fn connect(
    args: &Args,
    installation: &Installation,
    connection: &Arc<Connection>,
    seams: &Seams,
    terminal: &mut Terminal,
) -> anyhow::Result<Connected> {
    let (pending, callback) = if args.finish {
        let pending = taken_up(&connection.id, seams)?;
        (pending, pasted(terminal)?)
    } else {
        begin(args, connection, seams, terminal).await?
    };
    let connected = connect::finish(connection, seams, &pending, &callback)
        .await
        .map_err(|error| advised(&error))?;
    forget(&connection.id, installation)?;
    note(&connection.id, &connected, installation, terminal).await;
    Ok(connected)
}

/// Prints the address and waits for what comes of it.
async fn begin(
    args: &Args,
    connection: &Arc<Connection>,
    seams: &Seams,
    terminal: &mut Terminal,
) -> anyhow::Result<(Pending, Callback)> {
    let stated = connect::redirect_uri(connection, seams).map_err(|error| advised(&error))?;
    let listener = if args.paste {
        None
    } else {
        Listener::bind(stated.as_deref())
            .await
            .map_err(|error| advised(&error))?
    };
    let redirect_uri = match (&listener, stated) {
        (Some(listener), _) => listener.redirect_uri().to_owned(),
        (None, Some(stated)) => stated,
        // Nobody listens there: the browser shows an error, and its address line holds the answer.
        (None, None) => "http://127.0.0.1/callback".to_owned(),
    };
    let Begun { address, pending } =
        connect::begin(connection, seams, &redirect_uri).map_err(|error| advised(&error))?;
    put_away(&connection.id, &pending, seams)?;
    terminal.tell("open this address in a browser and agree there:");
    terminal.line(&address)?;
    terminal.flush()?;
    let callback = if let Some(listener) = listener {
        terminal.tell(format!("waiting for the answer at {redirect_uri}"));
        let waited = listener.wait(Arc::clone(&seams.clock), &pending, args.wait);
        waited.await.map_err(|error| advised(&error))?
    } else {
        terminal.tell(format!(
            "the answer goes to {redirect_uri}: paste the whole address that the browser ends at, what was posted there, or \
             the code. If somebody else has to agree first, end this and go on later with `ml-connector connect {} --finish`",
            connection.id
        ));
        pasted(terminal)?
    };
    Ok((pending, callback))
}

fn pasted(terminal: &mut Terminal) -> anyhow::Result<Callback> {
    let text = ask::once(terminal, "The answer")?;
    Callback::of_text(text.expose_secret()).ok_or_else(|| usage("nothing was pasted"))
}

/// Under which name an open request lies in the vault.
fn open_request(connection: &ConnectionId) -> String {
    format!("connect/{connection}")
}

fn put_away(connection: &ConnectionId, pending: &Pending, seams: &Seams) -> anyhow::Result<()> {
    let text = Secret::new(serde_json::to_string(pending)?);
    Ok(seams.secrets.put(&open_request(connection), &text)?)
}

fn taken_up(connection: &ConnectionId, seams: &Seams) -> anyhow::Result<Pending> {
    let none = || {
        advise(
            format!("no request of `{connection}` is open"),
            format!("begin one with `ml-connector connect {connection}`"),
        )
    };
    let text = seams.secrets.get(&open_request(connection));
    let text = text.map_err(|_| none())?;
    serde_json::from_str(text.expose()).map_err(|_| none())
}

fn forget(connection: &ConnectionId, installation: &Installation) -> anyhow::Result<()> {
    match installation
        .vault()
        .open()?
        .delete(&open_request(connection))
    {
        Ok(()) | Err(vault::Error::Missing(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Keeps who connected in the audit trail: names, never values.
async fn note(
    connection: &ConnectionId,
    connected: &Connected,
    installation: &Installation,
    terminal: &mut Terminal,
) {
    let act = Act {
        actor: user(),
        reason: "connected on the command line".to_owned(),
    };
    let facts = json!({ "connection": connection.as_str(), "name": connected.stored });
    let noted = Operator::note(installation, terminal, "connected", act, facts).await;
    if let Err(error) = noted {
        terminal.tell(format!(
            "warning: this is not in the audit trail\n{}",
            describe(&error)
        ));
    }
}

/// An error with its next step.
fn advised(error: &Error) -> anyhow::Error {
    let help = match error {
        Error::NotDeclared(_) => {
            "`connect` is for connectors with `authorize` in `http.auth`; others take their secrets by `ml-connector secrets \
             set`"
                .to_owned()
        }
        Error::Template(_) => "correct the connection's settings and secrets".to_owned(),
        Error::Listen { .. } => {
            "free the port, or paste the answer: `ml-connector connect CONNECTION --paste`".to_owned()
        }
        Error::NoAnswer(_) => {
            "if the browser shows an answer, go on with `ml-connector connect CONNECTION --finish`; else begin again"
                .to_owned()
        }
        Error::Denied(_) => "agree in the browser, as a user who may, and begin again".to_owned(),
        Error::OtherState => "begin again, and take the answer to that request".to_owned(),
        Error::NoCode(_) => "paste the whole address that the browser ends at".to_owned(),
        Error::NotExchanged { help, .. } => help.clone(),
        Error::NoRefreshToken => {
            "the application or its scope does not allow access while nobody is there; change that where it is registered"
                .to_owned()
        }
        Error::NotKept(_) => "mend the vault and begin again: the code is used up".to_owned(),
        Error::Random(_) => "see the system's log".to_owned(),
    };
    advise(error.to_string(), help)
}
