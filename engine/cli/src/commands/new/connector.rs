//! `new connector`: the folder of a system that nobody has described yet, from its OpenAPI document if it has one.
//!
//! What is written validates as it is. What no document can say (how a write may be repeated, what a refusal means) is
//! written down in its most careful form, with a comment.

use serde_json::{Map, Value as Document, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Files of the new connector, from the root of the definitions.
pub(super) type Files = Vec<(String, String)>;

/// References inside references that are followed before anything is taken.
const DEPTH_MAX: u32 = 6;

/// Keywords of a payload's schema that are taken over.
const KEYWORDS: &[&str] = &[
    "type",
    "enum",
    "const",
    "format",
    "maxLength",
    "minLength",
    "pattern",
    "minimum",
    "maximum",
    "required",
];

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One operation of the document.
struct Found<'a> {
    name: String,
    method: &'a str,
    path: &'a str,
    operation: &'a Document,
    /// Parameters of the path itself, which hold for all its operations.
    shared: &'a Document,
}

/// The connector's files; of its operations those of an OpenAPI document, if there is one.
pub(super) fn files(name: &str, openapi: Option<&Document>) -> Files {
    let mut files = Files::new();
    let mut operations = String::new();
    let mut first_read = None;
    for found in openapi.map(operations_of).unwrap_or_default() {
        if found.method == "get" && first_read.is_none() && !found.path.contains('{') {
            first_read = Some(found.name.clone());
        }
        let document = openapi.unwrap_or(&Document::Null);
        operation(name, document, &found, &mut operations, &mut files);
    }
    if operations.is_empty() {
        operations.push_str(
            "  status:\n    kind: read\n    request: { method: GET, path: / }\n    \
             result: { schema: {} }\n",
        );
        first_read = Some("status".to_owned());
    }
    let health = first_read.map_or_else(String::new, |read| {
        format!("# A harmless read that shows whether the connection works.\nhealth: {{ operation: {read} }}\n")
    });
    let base_url = openapi
        .and_then(|openapi| openapi.pointer("/servers/0/url")?.as_str())
        .filter(|url| url.starts_with("https://") && !url.contains('{'))
        .map_or_else(String::new, |url| format!(", default: {}", quoted(url)));
    let title = openapi
        .and_then(|openapi| openapi.pointer("/info/title")?.as_str())
        .unwrap_or(name);
    let text = format!(
        "version: 1\nconnector: {name}\ntitle: {title}\nsettings:\n  base_url: {{ type: string{base_url} }}\n\
         secrets:\n  token: {{ description: what the system gives out for programs }}\n\
         http:\n  base_url: \"{{{{ settings.base_url }}}}\"\n  # See the reference for basic, api_key, session, \
         oauth_client, oauth_refresh and jwt.\n  auth: {{ kind: bearer, token: \"{{{{ secrets.token }}}}\" }}\n  \
         timeout: 30s\n{health}operations:\n{operations}\
         # What answers mean; the first rule that holds decides. A 200 can be a failure: read the system's documentation.\n\
         outcomes:\n  - {{ when: status >= 200 and status < 300, outcome: succeeded }}\n  \
         - {{ when: status == 404, outcome: not_found }}\n  \
         - {{ when: status == 401, outcome: rejected, class: authentication, why: the credentials are refused, help: \
         set the token }}\n  - {{ when: status == 429, outcome: throttle }}\n  \
         - {{ when: status >= 400 and status < 500, outcome: rejected, class: value, why: \"status {{{{ status }}}}\" }}\n",
        title = quoted(title),
    );
    let readme = format!(
        "# {title}\n\n## What the administrator sets up\n\n\
         Say here which user or application the system needs, and which rights.\n\n## Settings\n\n\
         | setting | default | why |\n|---|---|---|\n| `base_url` | | Where the system is reached. |\n\n\
         ## Not verified\n\nSay here what no document settles, and which careful default was taken.\n"
    );
    files.insert(0, (format!("connectors/{name}/connector.yaml"), text));
    files.push((format!("connectors/{name}/README.md"), readme));
    files
}

fn operations_of(openapi: &Document) -> Vec<Found<'_>> {
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for (path, item) in openapi["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let given = operation["operationId"].as_str();
            let named = given.map_or_else(|| format!("{method} {path}"), str::to_owned);
            let mut name = identifier(&named);
            while !names.insert(name.clone()) {
                name.push_str("_too");
            }
            all.push(Found {
                name,
                method,
                path,
                operation,
                shared: &item["parameters"],
            });
        }
    }
    all
}

fn operation(
    connector: &str,
    openapi: &Document,
    found: &Found<'_>,
    out: &mut String,
    files: &mut Files,
) {
    let (mut input, mut query) = (String::new(), String::new());
    let mut path = found.path.to_owned();
    let own = &found.operation["parameters"];
    let parameters = found.shared.as_array().into_iter().flatten();
    for parameter in parameters.chain(own.as_array().into_iter().flatten()) {
        let parameter = resolved(openapi, parameter);
        let Some(given) = parameter["name"].as_str() else {
            continue;
        };
        let name = identifier(given);
        // Writing to a text cannot fail.
        match parameter["in"].as_str() {
            Some("path") => {
                let inserted = format!("{{{{ input.{name} }}}}");
                path = path.replace(&format!("{{{given}}}"), &inserted);
                let _written = write!(input, "{name}: {{ type: string }}, ");
            }
            Some("query") => {
                let _written = write!(input, "{name}: {{ optional: true }}, ");
                let given = quoted(given);
                let _written = write!(query, "{given}: \"{{{{ input.{name} }}}}\", ");
            }
            _ => {}
        }
    }
    let is_read = found.method == "get";
    let has_body = !is_read && !found.operation["requestBody"].is_null();
    if has_body {
        input.push_str("body: { type: object }, ");
    }
    let schema = answer(connector, openapi, found, files);
    let kind = if is_read { "read" } else { "write" };
    let _written = write!(out, "  {}:\n    kind: {kind}\n", found.name);
    if !input.is_empty() {
        let _written = writeln!(out, "    input: {{ {} }}", input.trim_end_matches(", "));
    }
    if !is_read {
        let repeat = match found.method {
            "put" | "delete" => "natural",
            // The careful answer: after an answer that was lost a person decides. A key or a look-up is better.
            _ => "none",
        };
        let _written = writeln!(out, "    repeat: {repeat}");
    }
    let method = found.method.to_uppercase();
    let _written = write!(
        out,
        "    request: {{ method: {method}, path: {}",
        quoted(&path)
    );
    if !query.is_empty() {
        let _written = write!(out, ", query: {{ {} }}", query.trim_end_matches(", "));
    }
    if has_body {
        out.push_str(", body: { json: \"{{ input.body }}\" }");
    }
    let _written = write!(out, " }}\n    result: {{ schema: {schema} }}\n");
}

/// The schema of what comes back: the name of a file that is written for it, or anything.
fn answer(connector: &str, openapi: &Document, found: &Found<'_>, files: &mut Files) -> String {
    let responses = &found.operation["responses"];
    let good = ["200", "201", "202", "default"]
        .iter()
        .map(|status| resolved(openapi, &responses[*status]))
        .find(|response| !response["content"].is_null());
    let Some(good) = good else {
        return "{}".to_owned();
    };
    let media = good["content"].as_object().into_iter().flatten();
    let Some((_, content)) = media.into_iter().find(|(media, _)| media.contains("json")) else {
        return "{}".to_owned();
    };
    let written = content
        .pointer("/schema/$ref")
        .and_then(|written| written.as_str());
    let name = written
        .and_then(|reference| reference.rsplit('/').next())
        .map_or_else(|| found.name.clone(), identifier);
    let name = format!("{connector}/{name}.json");
    let file = format!("schemas/{name}");
    if !files.iter().any(|(known, _)| *known == file) {
        let schema = plain(openapi, &content["schema"], DEPTH_MAX);
        let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        files.push((file, format!("{text}\n")));
    }
    name
}

/// A schema without references and without what only describes; deeper than `depth` anything goes.
fn plain(openapi: &Document, schema: &Document, depth: u32) -> Document {
    let schema = resolved(openapi, schema);
    let (Some(members), Some(below)) = (schema.as_object(), depth.checked_sub(1)) else {
        return json!({});
    };
    let mut taken = Map::new();
    for (name, value) in members {
        if KEYWORDS.contains(&name.as_str()) {
            taken.insert(name.clone(), value.clone());
        }
    }
    if members.get("nullable") == Some(&Document::Bool(true))
        && let Some(Document::String(kind)) = taken.get("type")
    {
        let types = json!([kind, "null"]);
        taken.insert("type".to_owned(), types);
        taken.remove("enum");
    }
    if let Some(properties) = members.get("properties").and_then(Document::as_object) {
        let plain =
            |(name, value): (&String, &Document)| (name.clone(), plain(openapi, value, below));
        let properties = properties.iter().map(plain).collect();
        taken.insert("properties".to_owned(), Document::Object(properties));
    }
    if let Some(items) = members.get("items") {
        taken.insert("items".to_owned(), plain(openapi, items, below));
    }
    Document::Object(taken)
}

/// What a reference within the document leads to.
fn resolved<'a>(openapi: &'a Document, value: &'a Document) -> &'a Document {
    let Some(reference) = value["$ref"].as_str() else {
        return value;
    };
    let pointer = reference.strip_prefix('#').unwrap_or_default();
    openapi.pointer(pointer).unwrap_or(&Document::Null)
}

/// A name that expressions can read: `getPayRun` and `GET /pay-runs` become `get_pay_run` and `get_pay_runs`.
fn identifier(text: &str) -> String {
    let mut name = String::new();
    let mut lower_before = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && lower_before {
                name.push('_');
            }
            lower_before = c.is_ascii_lowercase() || c.is_ascii_digit();
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
            lower_before = false;
        }
    }
    let name = name.trim_end_matches('_').to_owned();
    if name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name
    } else {
        format!("call_{name}").trim_end_matches('_').to_owned()
    }
}

/// A text as YAML takes it wherever it stands.
fn quoted(text: &str) -> String {
    Document::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ml_connector_core::plan::Library;
    use ml_connector_core::source::SourceSet;

    fn findings(files: &Files) -> Vec<String> {
        let mut sources = SourceSet::new();
        for (name, text) in files {
            sources.add(name, text);
        }
        let (_, findings) = Library::load(&sources);
        let findings = findings.sorted(&sources).into_iter();
        findings.map(|one| one.message).collect()
    }

    #[test]
    fn a_connector_from_nothing_validates() {
        assert_eq!(findings(&files("paynest", None)), Vec::<String>::new());
    }

    #[test]
    fn a_connector_from_an_openapi_document_validates() {
        let openapi = json!({
            "openapi": "3.0.3",
            "info": { "title": "PayNest: runs & people" },
            "servers": [{ "url": "https://api.paynest.example" }],
            "paths": {
                "/pay-runs": {
                    "get": {
                        "operationId": "listPayRuns",
                        "parameters": [{ "name": "page-size", "in": "query" }],
                        "responses": { "200": { "content": { "application/json": {
                            "schema": { "$ref": "#/components/schemas/PayRuns" } } } } }
                    },
                    "post": { "requestBody": {}, "responses": { "201": {} } }
                },
                "/pay-runs/{runId}": {
                    "parameters": [{ "name": "runId", "in": "path" }],
                    "get": { "responses": {} },
                    "delete": { "operationId": "dropPayRun", "responses": { "204": {} } }
                }
            },
            "components": { "schemas": {
                "PayRuns": { "type": "array", "items": { "$ref": "#/components/schemas/PayRun" } },
                "PayRun": { "type": "object", "description": "one", "required": ["id"], "properties": {
                    "id": { "type": "string" },
                    "note": { "type": "string", "nullable": true },
                    "next": { "$ref": "#/components/schemas/PayRun" } } }
            } }
        });
        let files = files("paynest", Some(&openapi));
        assert_eq!(findings(&files), Vec::<String>::new());
        let connector = &files[0].1;
        for part in [
            "list_pay_runs:",
            "post_pay_runs:",
            "get_pay_runs_run_id:",
            "path: \"/pay-runs/{{ input.run_id }}\"",
            "repeat: none",
            "repeat: natural",
            "schema: paynest/pay_runs.json",
        ] {
            assert!(connector.contains(part), "{part}\n{connector}");
        }
        assert!(
            files
                .iter()
                .any(|(name, _)| name == "schemas/paynest/pay_runs.json")
        );
    }
}
