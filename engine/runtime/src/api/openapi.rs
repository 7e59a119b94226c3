//! The API's description (OpenAPI 3.1), made of the table of routes and the types of their documents.

use super::problem::Problem;
use super::route::{Parameter, Route, schema};
use super::routes::ROUTES;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Document, json};

/// Where the schemas of documents stand.
const SCHEMAS: &str = "/components/schemas";

/// The description, with the program's version as its own.
pub fn document(version: &str) -> Document {
    let mut given = generator(SchemaSettings::for_serialize);
    let mut taken = generator(SchemaSettings::for_deserialize);
    let problem = schema::<Problem>(&mut given);
    let mut paths: Map<String, Document> = Map::new();
    for route in ROUTES {
        let operation = operation(route, &mut given, &mut taken);
        let methods = paths
            .entry(route.path)
            .or_insert_with(|| Document::Object(Map::new()));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(route.method.to_ascii_lowercase(), operation);
        }
    }
    let mut schemas = taken.take_definitions(true);
    schemas.extend(given.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ml-connector operator API",
            "version": version,
            "description": "Everything an operator does. Every answer is JSON; every error is a problem document \
                (RFC 9457). Every act needs a reason, which the audit trail keeps with the token's name.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "Made with `ml-connector tokens create`, in one of the roles viewer, operator, admin.",
            } },
            "responses": { "problem": {
                "description": "It was not done.",
                "content": { "application/problem+json": { "schema": problem } },
            } },
            "schemas": schemas,
        },
    })
}

fn generator(contract: fn(SchemaSettings) -> SchemaSettings) -> SchemaGenerator {
    let mut settings = contract(SchemaSettings::draft2020_12());
    settings.definitions_path = SCHEMAS.into();
    // OpenAPI 3.1 states the dialect once for all.
    settings.meta_schema = None;
    settings.into_generator()
}

fn operation(route: &Route, given: &mut SchemaGenerator, taken: &mut SchemaGenerator) -> Document {
    let in_path = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Document> = in_path
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    parameters.extend(route.query.iter().map(parameter));
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "Done.",
                "content": { "application/json": { "schema": (route.answer)(given) } },
            },
            "default": { "$ref": "#/components/responses/problem" },
        },
    });
    let Some(members) = operation.as_object_mut() else {
        return operation;
    };
    if let Some(body) = route.body {
        let content = json!({ "application/json": { "schema": body(taken) } });
        let body = json!({ "required": true, "content": content });
        members.insert("requestBody".to_owned(), body);
    }
    match route.role {
        Some(role) => members.insert("x-role".to_owned(), role.as_str().into()),
        None => members.insert("security".to_owned(), json!([])),
    };
    operation
}

fn parameter(parameter: &Parameter) -> Document {
    let schema = if parameter.several {
        json!({ "type": "array", "items": { "type": "string" } })
    } else {
        json!({ "type": "string" })
    };
    let example = if parameter.several {
        json!([parameter.example])
    } else {
        json!(parameter.example)
    };
    json!({
        "name": parameter.name,
        "in": "query",
        "description": parameter.about,
        "required": false,
        "explode": true,
        "schema": schema,
        "example": example,
    })
}

#[cfg(test)]
mod tests {
    use super::document;
    use serde_json::Value as Document;
    use std::collections::BTreeSet;

    fn references(document: &Document, found: &mut BTreeSet<String>) {
        match document {
            Document::Object(members) => {
                for (name, value) in members {
                    match value {
                        Document::String(to) if name == "$ref" => {
                            found.insert(to.clone());
                        }
                        _ => references(value, found),
                    }
                }
            }
            Document::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_its_own_name() {
        let document = document("1.2.3");
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for to in found {
            let at = to.strip_prefix('#').unwrap();
            assert!(document.pointer(at).is_some(), "{to} leads nowhere");
        }
        let mut names = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{name} stands twice");
                let free = operation["security"].is_array();
                let role = operation["x-role"].as_str();
                assert_ne!(free, role.is_some(), "{method} {path}");
                let acts = method != "get";
                assert!(
                    !acts || role != Some("viewer"),
                    "{method} {path} is for viewers"
                );
            }
        }
    }
}
