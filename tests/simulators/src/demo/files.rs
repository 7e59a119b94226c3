//! The shipped definitions, carried in the binary so that a demonstration runs from any folder.

use rust_embed::Embed;

#[derive(Embed)]
#[folder = "../../connectors"]
struct Connectors;

#[derive(Embed)]
#[folder = "../../mappings"]
struct Mappings;

#[derive(Embed)]
#[folder = "../../schemas"]
struct Schemas;

/// Every file under `connectors/`, `mappings/` and `schemas/` as its path from the repository's root and its text.
pub fn definitions() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut add = |folder: &str, path: &str, file: Option<rust_embed::EmbeddedFile>| {
        if let Some(text) = file.and_then(|file| String::from_utf8(file.data.into_owned()).ok()) {
            files.push((format!("{folder}/{path}"), text));
        }
    };
    for path in Connectors::iter() {
        add("connectors", &path, Connectors::get(&path));
    }
    for path in Mappings::iter() {
        add("mappings", &path, Mappings::get(&path));
    }
    for path in Schemas::iter() {
        add("schemas", &path, Schemas::get(&path));
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_there() {
        let files = definitions();
        for wanted in [
            "connectors/gocardless/connector.yaml",
            "mappings/syspro-gocardless/payment-receipts.yaml",
        ] {
            let file = files.iter().find(|(path, _)| path == wanted);
            assert!(
                file.is_some_and(|(_, text)| text.contains("version: 1")),
                "{wanted}"
            );
        }
    }
}
