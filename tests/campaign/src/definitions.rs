//! The invented definitions, as two versions of one installation.

use anyhow::Result;
use ml_connector_core::plan::Plan;
use ml_connector_simulators::demo;
use std::sync::Arc;

const FILES: &[(&str, &str)] = &[
    (
        "connectors/payhub/connector.yaml",
        include_str!("../definitions/connectors/payhub/connector.yaml"),
    ),
    (
        "connectors/ledgerd/connector.yaml",
        include_str!("../definitions/connectors/ledgerd/connector.yaml"),
    ),
    (
        "schemas/payhub/event.json",
        include_str!("../definitions/schemas/payhub/event.json"),
    ),
    (
        "mappings/payhub-ledgerd/receipts.yaml",
        include_str!("../definitions/mappings/payhub-ledgerd/receipts.yaml"),
    ),
    (
        "mappings/payhub-ledgerd/keyed.yaml",
        include_str!("../definitions/mappings/payhub-ledgerd/keyed.yaml"),
    ),
    (
        "mappings/payhub-ledgerd/once.yaml",
        include_str!("../definitions/mappings/payhub-ledgerd/once.yaml"),
    ),
    (
        "mappings/payhub-ledgerd/batches.yaml",
        include_str!("../definitions/mappings/payhub-ledgerd/batches.yaml"),
    ),
    (
        "mappings/payhub-ledgerd/states.yaml",
        include_str!("../definitions/mappings/payhub-ledgerd/states.yaml"),
    ),
    (
        "mappings/payhub-ledgerd/tallies.yaml",
        include_str!("../definitions/mappings/payhub-ledgerd/tallies.yaml"),
    ),
    (
        "mappings/payhub-ledgerd/reversals.yaml",
        include_str!("../definitions/mappings/payhub-ledgerd/reversals.yaml"),
    ),
];

const SITE: &str = r"
version: 1
site: campaign
connections:
  payhub: { connector: payhub, secrets: { hook: hook } }
  ledgerd: { connector: ledgerd, secrets: { password: password } }
integrations:
  - use: payhub-ledgerd/receipts
  - use: payhub-ledgerd/keyed
  - use: payhub-ledgerd/once
  - use: payhub-ledgerd/batches
  - use: payhub-ledgerd/states
  - use: payhub-ledgerd/reversals
  - use: payhub-ledgerd/tallies
";

/// What the second version's references have behind the first one's.
pub(crate) const NEW_REFERENCE: char = '~';

/// What is written to a system that recognises keys, that recognises nothing, and that a repetition does not hurt.
const KEYED: &str = "\
    repeat: { idempotency_key: { header: Idempotency-Key } }
    request:
      method: POST
      path: /keyed";
const UNSAFE: &str = "\
    repeat: none
    request:
      method: POST
      path: /entries";
const NATURAL: &str = "\
    repeat: natural
    request:
      method: PUT
      path: \"/entries/{{ reference }}\"";

/// The plan of a version: 0, or 1 in which retries are spaced otherwise, a sequence waits otherwise, groups close sooner,
/// every reference is another one, what could be repeated by its key cannot be, and what could not be can.
pub(crate) fn plan(version: usize) -> Result<Arc<Plan>> {
    let files = FILES.iter().map(|(name, text)| {
        let text = if version == 0 {
            (*text).to_owned()
        } else {
            text.replace(
                "first: 5s, factor: 2, max: 10m, jitter: full",
                "first: 9s, factor: 3, max: 5m, jitter: none",
            )
            .replace("wait: { first: 10s", "wait: { first: 25s")
            .replace("failures: 4", "failures: 2")
            .replace("quiet: 5m", "quiet: 2m")
            .replace(
                "reference: \"{{ event.id }}\"",
                &format!("reference: \"{{{{ event.id }}}}{NEW_REFERENCE}\""),
            )
            .replace(
                "{{ group.number }}",
                &format!("{{{{ group.number }}}}{NEW_REFERENCE}"),
            )
            .replace(UNSAFE, NATURAL)
            .replace(KEYED, UNSAFE)
        };
        (*name, text)
    });
    demo::plan(files, SITE).map_err(anyhow::Error::msg)
}

#[cfg(test)]
mod tests {
    use super::{FILES, KEYED, UNSAFE};

    #[test]
    fn the_second_version_repeats_otherwise_than_the_first() {
        let texts = || FILES.iter().map(|(_, text)| text);
        for way in [KEYED, UNSAFE] {
            assert_eq!(
                texts().map(|text| text.matches(way).count()).sum::<usize>(),
                1
            );
        }
    }
}
