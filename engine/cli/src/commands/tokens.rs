//! `tokens`: who may use the operator API. A token is printed once, where it is made; only its hash is kept.

use super::Format;
use crate::failure::{Exit, advise, describe};
use crate::moments::ahead_argument;
use crate::operator::{ActArgs, Operator, block_on};
use crate::site::{Installation, SiteArgs};
use crate::table::{Table, count};
use crate::terminal::Terminal;
use crate::views::moment;
use clap::Subcommand;
use jiff::Timestamp;
use ml_connector_runtime::operator::Act;
use ml_connector_runtime::{Clock as _, SystemClock};
use ml_connector_store::tokens::{NewToken, Role, Token, Tokens};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Document, json};

/// Arguments of `tokens`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector tokens create anna --role operator --reason 'month-end shift'\n  \
    ml-connector tokens create grafana --role viewer --expires 90d --reason 'dashboards'\n  \
    ml-connector tokens list\n  \
    ml-connector tokens revoke anna --reason 'left us'\n\n\
    Roles: viewer looks; operator also decides, pauses and fills matching tables; admin also does what may lead to a\n\
    second posting. The token is printed once, on stdout.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    site: SiteArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token and print it, once.
    Create {
        /// To whom it is given; the audit trail calls them so.
        name: String,
        /// What it may do: viewer, operator or admin.
        #[arg(long, value_name = "ROLE")]
        role: Role,
        /// From when on it is refused: a time, a date, or how long from now, e.g. `90d`. Without it: never.
        #[arg(long, value_name = "WHEN", value_parser = ahead_argument)]
        expires: Option<Timestamp>,
        #[command(flatten)]
        act: ActArgs,
    },
    /// List tokens, never themselves.
    List {
        /// For whom to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Refuse a token from now on.
    Revoke {
        /// Its name or id.
        token: String,
        #[command(flatten)]
        act: ActArgs,
    },
}

/// Output of `tokens list --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "tokens")]
pub(crate) struct TokensOutput {
    /// Version of this document's form.
    version: u32,
    /// In the order they were made.
    tokens: Vec<TokenView>,
}

/// A token, without itself.
#[derive(Debug, Serialize, JsonSchema)]
struct TokenView {
    /// Its public part; the audit trail names it.
    id: String,
    /// To whom it was given.
    name: String,
    /// What it may do: viewer, operator or admin.
    role: String,
    /// Whether it is accepted now.
    live: bool,
    /// When it was made.
    created_at: String,
    /// By whom.
    created_by: String,
    /// From when on it is refused; null if never.
    expires_at: Option<String>,
    /// When it was revoked; null if it was not.
    revoked_at: Option<String>,
    /// By whom.
    revoked_by: Option<String>,
}

impl TokenView {
    fn of(token: &Token, now: Timestamp) -> Self {
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            role: token.role.to_string(),
            live: token.is_live(now),
            created_at: token.created_at.to_string(),
            created_by: token.created_by.clone(),
            expires_at: token.expires_at.map(|at| at.to_string()),
            revoked_at: token.revoked_at.map(|at| at.to_string()),
            revoked_by: token.revoked_by.clone(),
        }
    }
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    let installation = args.site.read(terminal)?;
    let file = installation.tokens();
    let now = SystemClock.now();
    match &args.what {
        What::Create {
            name,
            role,
            expires,
            act,
        } => {
            let act = act.act(None)?;
            if expires.is_some_and(|end| end <= now) {
                return Err(crate::failure::usage("`--expires` is not in the future"));
            }
            let new = NewToken {
                name: name.clone(),
                role: *role,
                created_by: act.actor.clone(),
                expires_at: *expires,
            };
            let (token, text) = Tokens::create(&file, new, now)?;
            let facts = json!({ "token": token.id, "name": name, "role": role.as_str() });
            note(&installation, "token_made", act, facts, terminal);
            terminal.line(text.expose())?;
            terminal.tell(format!(
                "made the {role} token `{}` for {name}; it is shown this once",
                token.id
            ));
        }
        What::Revoke { token, act } => {
            let act = act.act(None)?;
            let revoked = Tokens::revoke(&file, token, &act.actor, now).map_err(|error| {
                advise(error.to_string(), "`ml-connector tokens list` shows them")
            })?;
            let facts = json!({ "token": revoked.id, "name": revoked.name });
            note(&installation, "token_revoked", act, facts, terminal);
            terminal.tell(format!("revoked `{}` of {}", revoked.id, revoked.name));
        }
        What::List { format } => list(&Tokens::read(&file)?, *format, now, terminal)?,
    }
    Ok(Exit::Fine)
}

/// Keeps who made or revoked a token in the audit trail. That has happened already, so a trail that cannot be written is
/// told and no failure.
fn note(
    installation: &Installation,
    kind: &str,
    act: Act,
    facts: Document,
    terminal: &mut Terminal,
) {
    if let Err(error) = block_on(Operator::note(installation, terminal, kind, act, facts)) {
        terminal.tell(format!(
            "warning: this is not in the audit trail\n{}",
            describe(&error)
        ));
    }
}

fn list(
    tokens: &Tokens,
    format: Format,
    now: Timestamp,
    terminal: &mut Terminal,
) -> anyhow::Result<()> {
    let views: Vec<TokenView> = tokens
        .list()
        .iter()
        .map(|token| TokenView::of(token, now))
        .collect();
    if format == Format::Json {
        terminal.json(&TokensOutput {
            version: 1,
            tokens: views,
        })?;
        return Ok(());
    }
    let mut table = Table::new(["ID", "NAME", "ROLE", "MADE", "BY", "ENDS", "REVOKED"]);
    for token in tokens.list() {
        table.row([
            token.id.clone(),
            token.name.clone(),
            token.role.to_string(),
            moment(token.created_at),
            token.created_by.clone(),
            token.expires_at.map(moment).unwrap_or_default(),
            token.revoked_at.map(moment).unwrap_or_default(),
        ]);
    }
    for line in table.lines() {
        terminal.line(line)?;
    }
    let live = views.iter().filter(|view| view.live).count();
    terminal.tell(count(live, "live token", "live tokens"));
    Ok(())
}
