//! The names that the templates of a call and of its answer see.

use super::{Answer, Call, Credentials};
use crate::template::Scope;
use serde_json::{Map, Value as Document};

/// `settings`, `input`, `reference`, `idempotency_key`, `steps`, `page`, `cursor`.
pub(super) fn of_call<'c>(call: &'c Call<'_>) -> Scope<'c> {
    let mut scope = Scope::new()
        .with("settings", call.settings)
        .with("input", call.input)
        .with("page", call.page)
        .with("cursor", call.cursor);
    scope.set_owned("reference", text(call.reference));
    scope.set_owned("idempotency_key", text(call.idempotency_key));
    if let Some(steps) = call.steps {
        scope.set_owned(
            "steps",
            steps.clone().into_iter().collect::<Map<_, _>>().into(),
        );
    }
    scope
}

/// What a call's answer adds: `status`, `headers`, `text`, `body`, and the connector's own
/// `answers`, in order.
///
/// One of these that has no value stays undefined: what reads it fails, and whoever evaluates that
/// says so.
pub(super) fn of_answer<'c>(call: &'c Call<'_>, answer: &'c Answer) -> Scope<'c> {
    let mut scope = of_call(call);
    add_answer(&mut scope, call, answer);
    scope
}

/// As [`of_answer`], onto a scope.
pub(super) fn add_answer<'c>(scope: &mut Scope<'c>, call: &'c Call<'_>, answer: &'c Answer) {
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()));
    scope.set_owned("status", answer.status.into());
    scope.set_owned("headers", headers.collect::<Map<_, _>>().into());
    scope.set_owned("text", answer.text.as_str().into());
    scope.set("body", &answer.body);
    for (name, template) in &call.connector.answers {
        if let Ok(value) = template.value(scope) {
            scope.set_owned(name.as_str(), value);
        }
    }
}

/// The secrets that log-ons and credentials may name; those without a value are left out.
pub(super) fn secrets(call: &Call<'_>, credentials: &dyn Credentials) -> Document {
    let values = call.connector.secrets.keys().filter_map(|name| {
        credentials
            .secret(name)
            .map(|value| (name.clone(), Document::from(value)))
    });
    values.collect::<Map<_, _>>().into()
}

fn text(value: Option<&str>) -> Document {
    value.map_or(Document::Null, Document::from)
}
