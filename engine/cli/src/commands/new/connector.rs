//! `new connector`: the folder of a system that nobody has described yet, from its OpenAPI document if it has one.
//!
//! What is written validates as it is. What no document can say (how a write may be repeated, what a refusal means) is
//! written down in its most careful form, with a comment.

use super::openapi::{Found, OpenApi, below, identifier, member, unique};
use serde_json::Value as Document;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Files of the new connector, from the root of the definitions.
pub(super) type Files = Vec<(String, String)>;

/// A descriptor's parts that depend on the system's document.
#[derive(Default)]
struct Parts {
    operations: String,
    /// A read without input: the most harmless call there is.
    first_read: Option<String>,
    /// References that could not be followed.
    lost: u32,
}

/// The connector's files, with the operations of an OpenAPI document if there is one; and how many of its references could
/// not be followed.
pub(super) fn files(name: &str, openapi: Option<&Document>) -> (Files, u32) {
    let mut files = Files::new();
    let mut parts =
        openapi.map_or_else(Parts::default, |document| taken(name, document, &mut files));
    if parts.operations.is_empty() {
        parts.operations.push_str(
            "  status:\n    kind: read\n    request: { method: GET, path: / }\n    \
             result: { schema: {} }\n",
        );
        parts.first_read = Some("status".to_owned());
    }
    let health = parts.first_read.map_or_else(String::new, |read| {
        format!("# A harmless read that shows whether the connection works.\nhealth: {{ operation: {read} }}\n")
    });
    let base_url = openapi
        .and_then(|openapi| openapi.pointer("/servers/0/url")?.as_str())
        .filter(|url| url.starts_with("https://") && !url.contains('{'))
        .map_or_else(String::new, |url| {
            format!(", default: {}", quoted(url.trim_end_matches('/')))
        });
    let title = openapi
        .and_then(|openapi| openapi.pointer("/info/title")?.as_str())
        .unwrap_or(name);
    let (settings, secrets, auth) = auth(openapi);
    let text = format!(
        "version: 1\nconnector: {name}\ntitle: {title}\nsettings:\n  base_url: {{ type: string{base_url} }}\n{settings}\
         secrets:\n{secrets}\
         http:\n  base_url: \"{{{{ settings.base_url }}}}\"\n  # See the reference for basic, api_key, session, \
         oauth_client, oauth_refresh and jwt.\n  auth: {auth}\n  \
         timeout: 30s\n{health}operations:\n{operations}\
         # What answers mean; the first rule that holds decides. A 200 can be a failure: read the system's documentation.\n\
         outcomes:\n  - {{ when: status >= 200 and status < 300, outcome: succeeded }}\n  \
         - {{ when: status == 404, outcome: not_found }}\n  \
         - {{ when: status == 401, outcome: rejected, class: authentication, why: the credentials are refused, help: \
         set the token }}\n  - {{ when: status == 429, outcome: throttle }}\n  \
         - {{ when: status >= 400 and status < 500, outcome: rejected, class: value, why: \"status {{{{ status }}}}\" }}\n",
        title = quoted(title),
        operations = parts.operations,
    );
    let readme = format!(
        "# {title}\n\n## What the administrator sets up\n\n\
         Say here which user or application the system needs, and which rights.\n\n## Settings\n\n\
         | setting | default | why |\n|---|---|---|\n| `base_url` | | Where the system is reached. |\n\n\
         ## Not verified\n\nSay here what no document settles, and which careful default was taken.\n",
        title = title.lines().next().unwrap_or(name),
    );
    files.insert(0, (format!("connectors/{name}/connector.yaml"), text));
    files.push((format!("connectors/{name}/README.md"), readme));
    (files, parts.lost)
}

/// What a document says: operations into the parts, schemas into files.
fn taken(connector: &str, document: &Document, files: &mut Files) -> Parts {
    let mut openapi = OpenApi::new(document, connector);
    let mut parts = Parts::default();
    for found in openapi.operations() {
        let plain = found.method == "get" && !found.path.contains('{');
        let asks = found
            .parameters
            .iter()
            .any(|one| *member(one, "required") == true);
        if plain && !asks && parts.first_read.is_none() {
            parts.first_read = Some(found.name.clone());
        }
        operation(&mut openapi, &found, &mut parts.operations);
    }
    for (name, schema) in openapi.schema_files() {
        let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        files.push((name, format!("{text}\n")));
    }
    parts.lost = openapi.lost;
    parts
}

/// Settings, secrets and auth as a document's first security scheme that can be written down says; else a bearer token.
fn auth(openapi: Option<&Document>) -> (String, String, String) {
    let schemes = openapi.and_then(|openapi| openapi.pointer("/components/securitySchemes"));
    let schemes = schemes.and_then(Document::as_object).into_iter().flatten();
    let secret = "  token: { description: what the system gives out for programs }\n".to_owned();
    for (_, scheme) in schemes {
        let kind = member(scheme, "type").as_str().unwrap_or_default();
        let http = member(scheme, "scheme").as_str().unwrap_or_default();
        let flow = below(scheme, "/flows/clientCredentials/tokenUrl");
        match (kind, http.to_ascii_lowercase().as_str(), flow.as_str()) {
            ("http", "basic", _) => {
                return (
                    "  username: { type: string }\n".to_owned(),
                    "  password: {}\n".to_owned(),
                    "{ kind: basic, username: \"{{ settings.username }}\", password: \"{{ secrets.password }}\" }".to_owned(),
                );
            }
            ("apiKey", ..)
                if member(scheme, "name").is_string() && member(scheme, "in").is_string() =>
            {
                let (place, name) = (member(scheme, "in"), member(scheme, "name"));
                let auth = format!(
                    "{{ kind: api_key, in: {place}, name: {name}, value: \"{{{{ secrets.token }}}}\" }}"
                );
                return (String::new(), secret, auth);
            }
            ("oauth2", _, Some(url)) => {
                return (
                    format!("  client_id: {{ type: string }}\n  token_url: {{ type: string, default: {} }}\n", quoted(url)),
                    "  client_secret: {}\n".to_owned(),
                    "{ kind: oauth_client, token_url: \"{{ settings.token_url }}\", client_id: \"{{ settings.client_id }}\", \
                     client_secret: \"{{ secrets.client_secret }}\" }"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    let bearer = "{ kind: bearer, token: \"{{ secrets.token }}\" }".to_owned();
    (String::new(), secret, bearer)
}

/// Input and query of an operation, as they are written, and its path.
struct Call {
    input: String,
    query: String,
    headers: String,
    path: String,
    names: BTreeSet<String>,
}

impl Call {
    fn of(found: &Found<'_>) -> Self {
        let mut call = Self {
            input: String::new(),
            query: String::new(),
            headers: String::new(),
            path: String::new(),
            names: BTreeSet::new(),
        };
        call.path(found.path);
        for parameter in &found.parameters {
            let Some(given) = member(parameter, "name").as_str() else {
                continue;
            };
            let optional = *member(parameter, "required") != true;
            match member(parameter, "in").as_str() {
                Some("query") => {
                    let name = call.asked(given, parameter, optional);
                    // Writing to a text cannot fail.
                    let _written = write!(
                        call.query,
                        "{}: \"{{{{ input.{name} }}}}\", ",
                        quoted(given)
                    );
                }
                // Optional ones are mostly the client's own: media types, languages, traces.
                Some("header") if !optional && !is_ours(given) => {
                    let name = call.asked(given, parameter, false);
                    let _written = write!(
                        call.headers,
                        "{}: \"{{{{ input.{name} }}}}\", ",
                        quoted(given)
                    );
                }
                _ => {}
            }
        }
        call
    }

    /// Every `{name}` of the path is an input, declared or not.
    fn path(&mut self, path: &str) {
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((given, after)) = after.split_once('}') else {
                break;
            };
            let name = unique(&identifier(given), &mut self.names);
            let _written = write!(self.input, "{name}: {{ type: string }}, ");
            let _written = write!(self.path, "{before}{{{{ input.{name} }}}}");
            rest = after;
        }
        self.path.push_str(rest);
        // A query that stands in the path would be escaped with it.
        if let Some((path, _)) = self.path.split_once(['?', '#']) {
            self.path = path.to_owned();
        }
    }

    fn asked(&mut self, given: &str, parameter: &Document, optional: bool) -> String {
        let name = unique(&identifier(given), &mut self.names);
        let kind = below(parameter, "/schema/type").as_str();
        let mut said = Vec::new();
        if let Some(kind) =
            kind.filter(|kind| ["string", "integer", "number", "boolean"].contains(kind))
        {
            said.push(format!("type: {kind}"));
        }
        if optional {
            said.push("optional: true".to_owned());
        }
        let said = said.join(", ");
        let said = if said.is_empty() {
            said
        } else {
            format!(" {said} ")
        };
        let _written = write!(self.input, "{name}: {{{said}}}, ");
        name
    }
}

/// Header fields that the engine writes itself.
fn is_ours(name: &str) -> bool {
    ["accept", "authorization", "content-type", "idempotency-key"]
        .contains(&name.to_ascii_lowercase().as_str())
}

fn operation<'a>(openapi: &mut OpenApi<'a>, found: &Found<'a>, out: &mut String) {
    let mut call = Call::of(found);
    let is_read = found.method == "get";
    let mut body = String::new();
    if !is_read && OpenApi::has_body(found) {
        let types = openapi.body_types(found);
        let form = types.iter().all(|media| media.contains("form")) && !types.is_empty();
        let name = unique("body", &mut call.names);
        let _written = write!(call.input, "{name}: {{ type: object }}, ");
        // A form's members have to be named one by one, which only the author can.
        let comment = if form {
            "   # a form: write `form` with its members in place of `json`"
        } else {
            ""
        };
        body = format!(", body: {{ json: \"{{{{ input.{name} }}}}\" }} }}{comment}");
    }
    let schema = openapi.answer(found).unwrap_or_else(|| "{}".to_owned());
    let kind = if is_read { "read" } else { "write" };
    if !found.summary.is_empty() {
        let _written = writeln!(out, "  # {}", found.summary);
    }
    let _written = write!(out, "  {}:\n    kind: {kind}\n", found.name);
    if !call.input.is_empty() {
        let _written = writeln!(
            out,
            "    input: {{ {} }}",
            call.input.trim_end_matches(", ")
        );
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
        quoted(&call.path)
    );
    for (key, members) in [("query", &call.query), ("headers", &call.headers)] {
        if !members.is_empty() {
            let _written = write!(out, ", {key}: {{ {} }}", members.trim_end_matches(", "));
        }
    }
    out.push_str(if body.is_empty() { " }" } else { &body });
    let _written = write!(out, "\n    result: {{ schema: {schema} }}\n");
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
    use serde_json::json;

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
        assert_eq!(findings(&files("paynest", None).0), Vec::<String>::new());
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
        let (files, lost) = files("paynest", Some(&openapi));
        assert_eq!(lost, 0);
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

    /// Whatever a document says, what is written validates.
    fn of_text(text: &str) -> Files {
        let openapi = super::super::openapi::read(text.as_bytes()).unwrap();
        let (files, _) = files("awkward", Some(&openapi));
        assert_eq!(findings(&files), Vec::<String>::new(), "{}", files[0].1);
        files
    }

    #[test]
    fn schemas_that_contain_themselves_are_files_that_refer_to_each_other() {
        let files = of_text(
            r##"{ "openapi": "3.1.0", "info": { "title": "T\nwo" }, "paths": { "/trees": { "get": { "responses": { "200": {
                "$ref": "#/components/responses/Tree" } } } } },
              "components": {
                "responses": { "Tree": { "content": { "application/vnd.api+json; charset=utf-8": { "schema": { "$ref": "#/components/schemas/Node" } } } } },
                "schemas": {
                  "Node": { "allOf": [ { "$ref": "#/components/schemas/Base" }, { "properties": {
                      "children": { "type": "array", "items": { "$ref": "#/components/schemas/Node" } },
                      "parent": { "oneOf": [ { "$ref": "#/components/schemas/Node" }, { "type": "null" } ] } } } ] },
                  "Base": { "type": ["object", "null"], "properties": { "id": { "type": "string", "pattern": "(?<bad" }, "any": true } },
                  "Ring": { "$ref": "#/components/schemas/Ring" } } } }"##,
        );
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"schemas/awkward/node.json"), "{names:?}");
        assert!(names.contains(&"schemas/awkward/base.json"), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("ring")), "{names:?}");
        let node = &files
            .iter()
            .find(|(name, _)| name.ends_with("node.json"))
            .unwrap()
            .1;
        assert!(node.contains("\"$ref\": \"base.json\""), "{node}");
    }

    #[test]
    fn yaml_with_numbers_for_statuses_and_names_that_are_no_names() {
        let files = of_text(
            "openapi: 3.0\ninfo: { title: 'Odd: \"#1\"' }\nservers: [{ url: https://odd.example/v1/ }]\npaths:\n  /in/{in}/{not}:\n    \
             parameters:\n      - { name: in, in: path, required: true, schema: { type: string } }\n      - { name: limit, in: query }\n    \
             get:\n      parameters:\n        - { name: limit, in: query, required: true, schema: { type: integer } }\n        \
             - { name: 'filter[status]', in: query }\n        - { name: filter_status, in: query }\n        \
             - { name: X-Tenant, in: header, required: true }\n        - { name: Accept, in: header, required: true }\n      \
             responses:\n        200: { content: { application/json: { schema: { type: object, nullable: true, properties: { \
             kind: { type: string, enum: [a], nullable: true }, next: { $ref: 'other.yaml#/Next' } } } } } }\n    \
             post:\n      operationId: not\n      summary: |\n        Posts it # really\n        and more\n      requestBody: { content: { application/x-www-form-urlencoded: {} } }\n      responses: { 204: { description: ok } }\n  \
             '/things/{id}:cancel?now=1':\n    post: { operationId: not, responses: {} }\n    x-other: 1\n\
             components:\n  securitySchemes:\n    key: { type: apiKey, in: header, name: X-Key }\n",
        );
        let connector = &files[0].1;
        for part in [
            "call_not:",
            "call_not_2:",
            "path: \"/in/{{ input.call_in }}/{{ input.call_not }}\"",
            "path: \"/things/{{ input.id }}:cancel\"",
            "limit: { type: integer }",
            "\"filter[status]\": \"{{ input.filter_status }}\"",
            "\"X-Tenant\": \"{{ input.x_tenant }}\"",
            "# Posts it # really\n",
            "kind: api_key, in: \"header\", name: \"X-Key\"",
            "default: \"https://odd.example/v1\"",
        ] {
            assert!(connector.contains(part), "{part}\n{connector}");
        }
    }

    #[test]
    fn what_is_no_openapi_document_is_said_in_words() {
        for (text, why) in [
            (
                "swagger: '2.0'",
                "it is Swagger 2.0: convert it to OpenAPI 3 first",
            ),
            ("a: 1", "it is no OpenAPI document: it has no `openapi`"),
            (
                "openapi: 4.0.0",
                "it is OpenAPI 4.0.0; 3.0 and 3.1 are read",
            ),
        ] {
            assert_eq!(
                super::super::openapi::read(text.as_bytes()).unwrap_err(),
                why
            );
        }
        assert!(
            super::super::openapi::read(b"{ openapi")
                .unwrap_err()
                .contains("not JSON")
        );
        assert!(
            super::super::openapi::read(b"\ta: [")
                .unwrap_err()
                .contains("not YAML")
        );
        for nothing in [
            "openapi: 3.0.0",
            "openapi: 3.1.0\npaths: {}",
            "openapi: 3.1.0\npaths: { /a: { get: 7 } }",
        ] {
            of_text(nothing);
        }
    }
}
