//! The outside world of a running engine, as this process has it.

use crate::definitions::beside;
use crate::failure::advise;
use crate::secrets::{NoSecrets, VaultSecrets};
use crate::site::Installation;
use anyhow::Context as _;
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::plan::{Connection, Plan};
use ml_connector_runtime::{HttpTransport, Seams, SecretSource, SystemClock, SystemEntropy};
use std::fs;
use std::sync::Arc;

/// Clock, random numbers, network and vault.
///
/// # Errors
/// If the vault cannot be opened though a connection needs it, a secret is not in it, or TLS cannot be set up.
pub(crate) fn seams(installation: &Installation, plan: &Plan) -> anyhow::Result<Seams> {
    with(installation, secrets(installation, plan)?)
}

/// The same for one connection whose secret `but` is still to be got.
///
/// # Errors
/// If the vault cannot be opened, another secret of the connection is not in it, or TLS cannot be set up.
pub(crate) fn seams_of(
    installation: &Installation,
    connection: &Connection,
    but: &str,
) -> anyhow::Result<Seams> {
    let place = installation.vault();
    let vault = place.open().context("cannot open the vault")?;
    let wanted = connection.secrets.iter().filter(|(name, _)| *name != but);
    let missing: Vec<String> = wanted
        .flat_map(|(_, stored)| stored)
        .filter(|name| vault.get(name).is_err())
        .map(|name| format!("`{name}`"))
        .collect();
    if !missing.is_empty() {
        return Err(not_there(&missing));
    }
    with(
        installation,
        Arc::new(VaultSecrets::new(&place.path, vault)),
    )
}

fn with(installation: &Installation, secrets: Arc<dyn SecretSource>) -> anyhow::Result<Seams> {
    let transport =
        HttpTransport::new(&certificates(installation)?).context("cannot set up the network")?;
    Ok(Seams {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        transport: Arc::new(transport),
        secrets,
    })
}

fn not_there(missing: &[String]) -> anyhow::Error {
    advise(
        format!("not in the vault: {}", missing.join(", ")),
        "store each with `ml-connector secrets set NAME`; a refresh token comes by `ml-connector connect CONNECTION`",
    )
}

/// The extra certificates that connections trust.
fn certificates(installation: &Installation) -> anyhow::Result<Vec<(ConnectionId, Vec<u8>)>> {
    let stated = installation.site.connections.iter();
    stated
        .filter_map(|(id, connection)| Some((id, connection.certificates.as_ref()?)))
        .map(|(id, file)| {
            let path = beside(&installation.file, file);
            let pem = fs::read(&path).with_context(|| {
                format!(
                    "cannot read the certificates of connection `{id}`: `{}`",
                    path.display()
                )
            })?;
            Ok((id.clone(), pem))
        })
        .collect()
}

fn secrets(installation: &Installation, plan: &Plan) -> anyhow::Result<Arc<dyn SecretSource>> {
    let place = installation.vault();
    let mut wanted = plan.connections.values().flat_map(|connection| {
        let names = connection.secrets.values().flatten();
        names.map(move |name| (&connection.id, name))
    });
    let Some(first) = wanted.next() else {
        return Ok(Arc::new(NoSecrets));
    };
    let vault = place.open().context("cannot open the vault")?;
    let missing: Vec<String> = std::iter::once(first)
        .chain(wanted)
        .filter(|(_, name)| vault.get(name).is_err())
        .map(|(connection, name)| format!("`{name}` (of connection `{connection}`)"))
        .collect();
    if !missing.is_empty() {
        return Err(not_there(&missing));
    }
    Ok(Arc::new(VaultSecrets::new(&place.path, vault)))
}
