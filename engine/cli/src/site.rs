//! The site file: which installation a command is about, and where its parts lie on this machine.

use crate::definitions::{Definitions, beside, tell_errors};
use crate::failure::{Told, advise};
use crate::files::{self, display_name};
use crate::terminal::Terminal;
use crate::vault::{KeySource, VaultPlace};
use ml_connector_core::definition::site::{Site, VaultKey};
use ml_connector_core::plan::Plan;
use ml_connector_core::source::SourceSet;
use std::path::PathBuf;

/// The site file where none is named.
const SITE_FILE: &str = "ml-connector.yaml";
/// The variable that names another.
const SITE_VARIABLE: &str = "ML_CONNECTOR_SITE";

/// Which installation.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SiteArgs {
    /// The site file.
    #[arg(long, value_name = "FILE", env = SITE_VARIABLE, default_value = SITE_FILE, global = true)]
    pub(crate) site: PathBuf,
}

/// Which vault, where it is not the one of a site file.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct VaultArgs {
    #[command(flatten)]
    site: SiteArgs,
    /// The vault file, in place of the site file's.
    #[arg(long, value_name = "FILE", global = true)]
    vault: Option<PathBuf>,
    /// The file with the vault's key, in place of what the site file says.
    #[arg(long, value_name = "FILE", global = true)]
    key_file: Option<PathBuf>,
    /// The environment variable with the vault's key.
    #[arg(long, value_name = "NAME", global = true, conflicts_with = "key_file")]
    key_env: Option<String>,
    /// The file with the vault's key in the service manager's credentials directory.
    #[arg(long, value_name = "NAME", global = true, conflicts_with_all = ["key_file", "key_env"])]
    key_credential: Option<String>,
}

/// A site file that was read: enough for everything that runs no definitions.
#[derive(Debug)]
pub(crate) struct Installation {
    /// The file.
    pub(crate) file: PathBuf,
    /// What it says.
    pub(crate) site: Site,
}

/// The site file where it is expected if there is one, else the present folder.
#[expect(
    clippy::disallowed_methods,
    reason = "the variable that `--site` also reads, for a command that takes paths instead"
)]
pub(crate) fn default_path() -> PathBuf {
    let file =
        std::env::var_os(SITE_VARIABLE).map_or_else(|| PathBuf::from(SITE_FILE), PathBuf::from);
    if file.is_file() {
        file
    } else {
        PathBuf::from(".")
    }
}

impl SiteArgs {
    /// Reads the site file. What is wrong with it is told, and ends the command.
    pub(crate) fn read(&self, terminal: &mut Terminal) -> anyhow::Result<Installation> {
        if !self.site.is_file() {
            return Err(advise(
                format!("there is no site file `{}`", self.site.display()),
                format!("name it with `--site FILE` or {SITE_VARIABLE}"),
            ));
        }
        let mut sources = SourceSet::new();
        let id = sources.add_bytes(&display_name(&self.site), &files::read(&self.site)?);
        let (site, findings) = Site::load(&sources, id);
        tell_errors(findings, &sources, terminal)?;
        // A file without errors that is no site cannot be; it is refused all the same.
        let site = site.ok_or(Told)?;
        Ok(Installation {
            file: self.site.clone(),
            site,
        })
    }
}

impl Installation {
    /// The store's folder.
    pub(crate) fn store(&self) -> PathBuf {
        beside(&self.file, &self.site.store)
    }

    /// Where a running engine takes commands.
    pub(crate) fn control(&self) -> PathBuf {
        self.store().join("control.sock")
    }

    /// Its vault.
    pub(crate) fn vault(&self) -> VaultPlace {
        let key = match &self.site.vault_key {
            VaultKey::File(file) => KeySource::File(beside(&self.file, file)),
            VaultKey::Env(name) => KeySource::Env(name.clone()),
            VaultKey::Credential(name) => KeySource::Credential(name.clone()),
        };
        VaultPlace {
            path: beside(&self.file, &self.site.vault),
            key,
        }
    }

    /// The file of operator tokens, beside the vault.
    pub(crate) fn tokens(&self) -> PathBuf {
        let vault = beside(&self.file, &self.site.vault);
        let mut name = vault.into_os_string();
        name.push(".tokens.json");
        PathBuf::from(name)
    }

    /// What it runs. What is wrong with its definitions is told, and ends the command.
    pub(crate) fn plan(&self, terminal: &mut Terminal) -> anyhow::Result<(Definitions, Plan)> {
        let root = beside(&self.file, &self.site.definitions);
        let mut definitions = Definitions::load(&root)?;
        let bound = definitions.bind(&self.file)?;
        definitions.sound(terminal)?;
        let (_, plan) = bound.ok_or(Told)?;
        Ok((definitions, plan))
    }
}

impl VaultArgs {
    /// The vault that is meant, and the installation it belongs to unless it was named by itself.
    pub(crate) fn place(
        &self,
        terminal: &mut Terminal,
    ) -> anyhow::Result<(VaultPlace, Option<Installation>)> {
        let key = match (&self.key_file, &self.key_env, &self.key_credential) {
            (Some(file), ..) => Some(KeySource::File(file.clone())),
            (_, Some(name), _) => Some(KeySource::Env(name.clone())),
            (.., Some(name)) => Some(KeySource::Credential(name.clone())),
            (None, None, None) => None,
        };
        if let (Some(path), Some(key)) = (&self.vault, &key) {
            let place = VaultPlace {
                path: path.clone(),
                key: key.clone(),
            };
            return Ok((place, None));
        }
        let installation = self.site.read(terminal)?;
        let mut place = installation.vault();
        if let Some(path) = &self.vault {
            place.path.clone_from(path);
        }
        if let Some(key) = key {
            place.key = key;
        }
        Ok((place, Some(installation)))
    }
}
