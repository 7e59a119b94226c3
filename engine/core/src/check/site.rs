//! Secrets that stand in a site file, where only their names in the vault should.

use super::rules::{looks_secret, secret_finding};
use crate::codes;
use crate::definition::site::Site;
use crate::diagnostic::{Diagnostic, Findings};
use serde_json::Value as Document;

/// Everything wrong with a site file that does not depend on the library.
pub fn check_site(site: &Site) -> Findings {
    let mut findings = Findings::new();
    for (id, connection) in &site.connections {
        let id = id.as_str();
        values(
            site,
            &["connections", id, "settings"],
            &connection.settings,
            &mut findings,
        );
        for (name, references) in &connection.secrets {
            for (number, reference) in references.iter().enumerate() {
                // A name of one's own is as long as one likes, and is not random.
                if looks_secret("", reference).is_none() {
                    continue;
                }
                let number = number.to_string();
                let mut path = vec!["connections", id, "secrets", name.as_str()];
                if references.len() > 1 {
                    path.push(&number);
                }
                let span = site.span(&path);
                findings.push(
                    Diagnostic::error(
                        codes::LITERAL_SECRET,
                        span,
                        format!("this looks like the value of `{name}`, not like its name in the vault"),
                    )
                    .help(format!(
                        "write a name, e.g. `{id}/{name}`, and put the value into the vault with `ml-connector secrets set`"
                    ))
                    .note("change the secret if this file has left your machine"),
                );
            }
        }
    }
    for integration in &site.integrations {
        let number = integration.at.to_string();
        values(
            site,
            &["integrations", &number, "params"],
            &integration.params,
            &mut findings,
        );
    }
    findings
}

fn values(site: &Site, path: &[&str], value: &Document, findings: &mut Findings) {
    match value {
        Document::String(text) => {
            let key = path.last().copied().unwrap_or_default();
            if let Some(why) = looks_secret(key, text) {
                findings.push(secret_finding(site.span(path), why));
            }
        }
        Document::Object(members) => {
            for (name, member) in members {
                values(site, &[path, &[name.as_str()]].concat(), member, findings);
            }
        }
        Document::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                values(
                    site,
                    &[path, &[number.to_string().as_str()]].concat(),
                    item,
                    findings,
                );
            }
        }
        Document::Null | Document::Bool(_) | Document::Number(_) => {}
    }
}
