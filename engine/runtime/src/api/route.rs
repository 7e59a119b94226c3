//! One row of the table of routes, and what its handler gets and gives.

use super::access::Who;
use super::problem::Problem;
use crate::engine::Engine;
use crate::operator::{Act, Command, Reply};
use axum::extract::Query;
use axum::http::{Method, StatusCode, Uri};
use futures_util::future::BoxFuture;
use ml_connector_store::tokens::Role;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Document;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The longest body of a usual request.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Something that can be asked.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// The path, with `{name}` for its parameters.
    pub(super) path: &'static str,
    /// Its name in the API's description.
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    /// The least role; nothing for what everybody may see.
    pub(super) role: Option<Role>,
    pub(super) query: &'static [Parameter],
    /// The schema of its body, where it has one.
    pub(super) body: Option<fn(&mut SchemaGenerator) -> Schema>,
    pub(super) body_bytes_max: usize,
    /// The schema of its answer.
    pub(super) answer: fn(&mut SchemaGenerator) -> Schema,
    pub(super) handler: fn(Ask) -> BoxFuture<'static, Result<Answer, Problem>>,
}

/// A query parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Whether it may be given several times.
    pub(super) several: bool,
    /// An example of a value.
    pub(super) example: &'static str,
}

/// A request that was admitted.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) engine: Engine,
    pub(super) who: Option<Who>,
    pub(super) path: BTreeMap<String, String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: axum::body::Bytes,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) document: Document,
}

/// What a handler returns.
pub(super) type Handled = BoxFuture<'static, Result<Answer, Problem>>;

/// The schema of a type, in the generator of the kind of document it stands in.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Route {
    pub(super) fn method(&self) -> Method {
        Method::from_str(self.method).unwrap_or(Method::GET)
    }

    /// The query's parameters. What the route does not have is refused: a misspelt filter would select everything.
    pub(super) fn query(&self, uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Problem::invalid(format!("the query cannot be read: {error}")))?;
        for (at, (name, _)) in pairs.iter().enumerate() {
            let Some(known) = self.query.iter().find(|known| known.name == name) else {
                let names: Vec<&str> = self.query.iter().map(|known| known.name).collect();
                return Err(Problem::invalid(format!(
                    "there is no parameter `{name}`; there are: {}",
                    names.join(", ")
                )));
            };
            if !known.several && pairs.iter().take(at).any(|(other, _)| other == name) {
                return Err(Problem::invalid(format!("`{name}` is given twice")));
            }
        }
        Ok(pairs)
    }
}

impl Ask {
    /// A part of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A part of the path that has a form.
    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> Result<T, Problem>
    where
        T::Err: std::fmt::Display,
    {
        self.part(name)
            .parse()
            .map_err(|error: T::Err| Problem::invalid(error.to_string()))
    }

    /// Every value of a query parameter.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a query parameter.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of a query parameter that has a form.
    pub(super) fn one_parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let read = |value: &str| {
            value
                .parse()
                .map_err(|error: T::Err| Problem::invalid(format!("`{name}`: {error}")))
        };
        self.one(name).map(read).transpose()
    }

    /// The body.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Problem::invalid(format!("the body cannot be read: {error}")))
    }

    /// Who asks, for what reason.
    pub(super) fn act(&self, reason: String) -> Act {
        let actor = self.who.as_ref().map(|who| who.actor.clone());
        Act {
            actor: actor.unwrap_or_default(),
            reason,
        }
    }

    /// Carries a command out.
    pub(super) async fn execute(&self, command: Command) -> Reply {
        self.engine.execute(command).await
    }
}

impl Answer {
    /// A document.
    pub(super) fn of<T: Serialize>(document: &T) -> Result<Self, Problem> {
        let document = serde_json::to_value(document)
            .map_err(|error| Problem::invalid(format!("the answer cannot be written: {error}")))?;
        Ok(Self {
            status: StatusCode::OK,
            document,
        })
    }
}
