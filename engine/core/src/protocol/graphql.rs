//! GraphQL over HTTP: one JSON object with the query as written and its variables.

use serde_json::{Map, Value as Document};

/// The body of a request.
pub(super) fn body(query: &str, variables: Option<Document>) -> Document {
    let mut members = Map::new();
    members.insert("query".to_owned(), query.into());
    if let Some(variables) = variables {
        members.insert("variables".to_owned(), variables);
    }
    Document::Object(members)
}
