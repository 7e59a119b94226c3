//! The shipped definitions, carried in the binary so that a demonstration runs from any folder.

use ml_connector_core::definition::site::Site;
use ml_connector_core::plan::{Library, Plan};
use ml_connector_core::source::SourceSet;
use rust_embed::Embed;
use std::sync::Arc;

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

/// Binds definitions, paths and texts, to a site file.
///
/// # Errors
/// If there are findings: what they are.
pub fn plan<N: AsRef<str>, T: AsRef<str>>(
    definitions: impl IntoIterator<Item = (N, T)>,
    site: &str,
) -> Result<Arc<Plan>, String> {
    let mut sources = SourceSet::new();
    for (name, text) in definitions {
        sources.add(name.as_ref(), text.as_ref());
    }
    let site = sources.add("ml-connector.yaml", site);
    let (library, mut findings) = Library::load(&sources);
    let (site, of_site) = Site::load(&sources, site);
    findings.extend(of_site);
    match site {
        Some(site) if findings.is_empty() => {
            let (plan, of_plan) = Plan::bind(&library, &site);
            findings.extend(of_plan);
            if findings.is_empty() {
                return Ok(Arc::new(plan));
            }
        }
        _ => {}
    }
    Err(format!("{findings:#?}"))
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
