//! `secrets`: the encrypted vault. Values come from a prompt or stdin and are never printed.

use super::Format;
use crate::ask;
use crate::failure::{Exit, describe, usage};
use crate::operator::{Operator, block_on, user};
use crate::site::{Installation, VaultArgs};
use crate::table::{Table, count};
use crate::terminal::Terminal;
use crate::vault::{KeySource, VaultPlace, parse};
use crate::views::moment;
use anyhow::Context as _;
use clap::Subcommand;
use ml_connector_runtime::operator::Act;
use ml_connector_runtime::{Clock as _, SystemClock};
use ml_connector_store::vault::{Key, Secret};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Value as Document, json};

/// Arguments of `secrets`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    ml-connector secrets init\n  \
    ml-connector secrets set payfast/token                     # asks for the value\n  \
    ml-connector secrets set payfast/token < token.txt\n  \
    ml-connector secrets list\n\n\
    A value is never taken from the arguments: those stand in shell histories and process lists.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    vault: VaultArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the vault, and its key file if it has one and it is not there yet.
    Init,
    /// Store a value: asked for on a terminal, else read from stdin.
    Set {
        /// Its name, as the site file refers to it.
        name: String,
    },
    /// List names, never values.
    List {
        /// For whom to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Remove a value.
    Delete {
        /// Its name.
        name: String,
    },
    /// Encrypt the vault under a new key.
    ///
    /// A key file is replaced. A key from the environment or a credentials directory cannot be: then the new one is read
    /// from stdin.
    Rotate,
    /// Print a new key, for the environment or a credentials directory.
    NewKey,
}

/// Output of `secrets list --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "secrets")]
pub(crate) struct SecretsOutput {
    /// Version of this document's form.
    version: u32,
    /// Names and times, by name.
    secrets: Vec<SecretView>,
}

/// A stored secret, without its value.
#[derive(Debug, Serialize, JsonSchema)]
struct SecretView {
    /// Its name.
    name: String,
    /// When it was last set.
    set_at: String,
}

pub(super) fn perform(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    if matches!(args.what, What::NewKey) {
        let (_, text) = Key::generate()?;
        terminal.line(text.expose())?;
        return Ok(Exit::Fine);
    }
    let (place, installation) = args.vault.place(terminal)?;
    let noted = match &args.what {
        What::Init => {
            init(&place, terminal)?;
            Some(("vault_made", json!({})))
        }
        What::Set { name } => {
            set(&place, name, terminal)?;
            Some(("secret_set", json!({ "name": name })))
        }
        What::Delete { name } => {
            place.open()?.delete(name)?;
            terminal.tell(format!("deleted `{name}`"));
            Some(("secret_deleted", json!({ "name": name })))
        }
        What::Rotate => {
            rotate(&place, terminal)?;
            Some(("vault_key_changed", json!({})))
        }
        What::List { format } => {
            list(&place, *format, terminal)?;
            None
        }
        What::NewKey => None,
    };
    if let (Some((kind, facts)), Some(installation)) = (noted, installation) {
        note(&installation, kind, facts, terminal);
    }
    Ok(Exit::Fine)
}

/// Keeps who changed the vault in the audit trail: names, never values. The vault has changed already, so a trail that
/// cannot be written is told and no failure.
fn note(installation: &Installation, kind: &str, facts: Document, terminal: &mut Terminal) {
    let act = Act {
        actor: user(),
        reason: "changed on the command line".to_owned(),
    };
    if let Err(error) = block_on(Operator::note(installation, terminal, kind, act, facts)) {
        terminal.tell(format!(
            "warning: this is not in the audit trail\n{}",
            describe(&error)
        ));
    }
}

fn init(place: &VaultPlace, terminal: &mut Terminal) -> anyhow::Result<()> {
    let (_, new_key) = place.create()?;
    terminal.tell(format!("made the vault `{}`", place.path.display()));
    if let (true, KeySource::File(file)) = (new_key, &place.key) {
        terminal.tell(format!(
            "made its key `{}`: keep a copy elsewhere, and never beside a backup of the vault",
            file.display()
        ));
    }
    Ok(())
}

fn set(place: &VaultPlace, name: &str, terminal: &mut Terminal) -> anyhow::Result<()> {
    // Opened first, so that nobody types a secret for a vault that cannot take it.
    let mut vault = place.open()?;
    let value = ask::secret(terminal, name)?;
    let value = Secret::new(value.expose_secret().to_owned());
    vault.set(name, &value, SystemClock.now())?;
    terminal.tell(format!("stored `{name}`"));
    Ok(())
}

fn list(place: &VaultPlace, format: Format, terminal: &mut Terminal) -> anyhow::Result<()> {
    let listed = place.open()?.list();
    match format {
        Format::Json => {
            let secrets = listed.into_iter().map(|one| SecretView {
                name: one.name,
                set_at: one.set_at.to_string(),
            });
            terminal.json(&SecretsOutput {
                version: 1,
                secrets: secrets.collect(),
            })?;
        }
        Format::Text => {
            let mut table = Table::new(["NAME", "SET"]);
            for one in &listed {
                table.row([one.name.clone(), moment(one.set_at)]);
            }
            for line in table.lines() {
                terminal.line(line)?;
            }
            terminal.tell(count(listed.len(), "secret", "secrets"));
        }
    }
    Ok(())
}

fn rotate(place: &VaultPlace, terminal: &mut Terminal) -> anyhow::Result<()> {
    match &place.key {
        KeySource::File(file) => {
            place.change_key_file(file)?;
            terminal.tell(format!("the vault has a new key, in `{}`", file.display()));
        }
        KeySource::Env(name) | KeySource::Credential(name) => {
            let mut vault = place.open()?;
            let text = ask::secret(terminal, "the new key")?;
            let key = parse(text.expose_secret()).context("cannot use the new key")?;
            if matches!((&key, place.key.read()?), (Key::Bytes(new), Key::Bytes(old)) if *new == old)
            {
                return Err(usage("the new key is the present one"));
            }
            vault.rotate(key)?;
            terminal.tell(format!("the vault has a new key: put it into `{name}` now"));
        }
    }
    terminal.tell(
        "a running engine goes on with the values it has; restart it so that it reads new ones",
    );
    Ok(())
}
