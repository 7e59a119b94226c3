//! Refusals and the shape of their bodies (GC 5).

use serde_json::{Map, Value, json};

/// The four error types (GC 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Validation,
    Usage,
    State,
    Vendor,
}

impl Type {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Validation => "validation_failed",
            Self::Usage => "invalid_api_usage",
            Self::State => "invalid_state",
            Self::Vendor => "gocardless",
        }
    }
}

/// One entry of `errors[]`; every member may be missing (GC 5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    pub(crate) reason: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) field: Option<String>,
    pub(crate) pointer: Option<String>,
    pub(crate) link: Option<(&'static str, String)>,
}

/// Why a request is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) kind: Type,
    pub(crate) message: String,
    pub(crate) details: Vec<Detail>,
}

impl Refusal {
    /// A wrong call, token, right, id or rate: one detail with its reason.
    pub(crate) fn usage(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self::with_reason(status, Type::Usage, reason, message.into())
    }

    /// The resource is not in a fitting state (422).
    pub(crate) fn state(reason: &'static str, message: impl Into<String>) -> Self {
        Self::with_reason(422, Type::State, reason, message.into())
    }

    /// The vendor's own fault.
    pub(crate) fn vendor(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self::with_reason(status, Type::Vendor, reason, message.into())
    }

    fn with_reason(status: u16, kind: Type, reason: &'static str, message: String) -> Self {
        let detail = Detail {
            reason: Some(reason),
            message: message.clone(),
            ..Detail::default()
        };
        Self {
            status,
            kind,
            message,
            details: vec![detail],
        }
    }

    /// Field-level refusals; each is a JSON pointer into the request and a message (GC 5).
    pub(crate) fn fields(errors: Vec<(String, String)>) -> Self {
        let details = errors
            .into_iter()
            .map(|(pointer, message)| Detail {
                field: pointer.rsplit('/').next().map(str::to_owned),
                message,
                pointer: Some(pointer),
                ..Detail::default()
            })
            .collect();
        Self {
            status: 422,
            kind: Type::Validation,
            message: "Validation failed".to_owned(),
            details,
        }
    }

    /// One field-level refusal.
    pub(crate) fn field(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![(pointer.into(), message.into())])
    }

    /// A wrong JSON type: 422 `invalid_api_usage` with a pointer and no reason (GC 5, GC 1.1).
    pub(crate) fn incorrectly_typed(pointer: impl Into<String>) -> Self {
        let message = "One of your parameters was incorrectly typed".to_owned();
        let detail = Detail {
            message: message.clone(),
            pointer: Some(pointer.into()),
            ..Detail::default()
        };
        Self {
            status: 422,
            kind: Type::Usage,
            message,
            details: vec![detail],
        }
    }

    /// Unknown id in the path (GC 12.2).
    pub(crate) fn not_found() -> Self {
        Self::usage(404, "resource_not_found", "Resource not found")
    }

    /// An id inside the document names nothing.
    pub(crate) fn link_not_found(pointer: impl Into<String>) -> Self {
        let mut refusal = Self::usage(422, "link_not_found", "A linked resource was not found");
        if let Some(detail) = refusal.details.first_mut() {
            detail.pointer = Some(pointer.into());
        }
        refusal
    }

    /// A filter that the list does not take (GC 1.2).
    pub(crate) fn filter(message: impl Into<String>) -> Self {
        Self::usage(400, "invalid_filters", message)
    }

    /// The body is not wrapped as the call wants it (GC 1.1).
    pub(crate) fn structure(message: impl Into<String>) -> Self {
        Self::usage(400, "invalid_document_structure", message)
    }

    /// The idempotency key was used before (GC 6).
    pub(crate) fn idempotent_conflict(id: &str) -> Self {
        let message = "A resource has already been created with this idempotency key".to_owned();
        let detail = Detail {
            reason: Some("idempotent_creation_conflict"),
            message: message.clone(),
            link: Some(("conflicting_resource_id", id.to_owned())),
            ..Detail::default()
        };
        Self {
            status: 409,
            kind: Type::State,
            message,
            details: vec![detail],
        }
    }

    /// The same bank account exists already: 409, yet `validation_failed` (GC 2.2, GC 10 no. 23).
    pub(crate) fn bank_account_exists(link: &'static str, id: &str) -> Self {
        let message = "Bank account already exists".to_owned();
        let detail = Detail {
            reason: Some("bank_account_exists"),
            message: message.clone(),
            link: Some((link, id.to_owned())),
            ..Detail::default()
        };
        Self {
            status: 409,
            kind: Type::Validation,
            message,
            details: vec![detail],
        }
    }

    /// Adds a link to the first detail.
    pub(crate) fn linking(mut self, name: &'static str, id: &str) -> Self {
        if let Some(detail) = self.details.first_mut() {
            detail.link = Some((name, id.to_owned()));
        }
        self
    }

    /// The body as it is sent. A 429 has no `request_id` (GC 5, GC 12.2).
    pub(crate) fn body(&self, request_id: &str) -> Value {
        let anchor = self
            .details
            .first()
            .and_then(|detail| detail.reason)
            .unwrap_or_else(|| self.kind.as_str());
        let mut error = Map::new();
        error.insert("message".to_owned(), json!(self.message));
        error.insert("type".to_owned(), json!(self.kind.as_str()));
        error.insert("code".to_owned(), json!(self.status));
        error.insert(
            "documentation_url".to_owned(),
            json!(format!(
                "https://developer.gocardless.com/api-reference#{anchor}"
            )),
        );
        if self.status != 429 {
            error.insert("request_id".to_owned(), json!(request_id));
        }
        error.insert(
            "errors".to_owned(),
            self.details.iter().map(Detail::body).collect(),
        );
        json!({ "error": error })
    }
}

impl Detail {
    fn body(&self) -> Value {
        let mut entry = Map::new();
        if let Some(reason) = self.reason {
            entry.insert("reason".to_owned(), json!(reason));
        }
        if let Some(field) = &self.field {
            entry.insert("field".to_owned(), json!(field));
        }
        entry.insert("message".to_owned(), json!(self.message));
        if let Some(pointer) = &self.pointer {
            entry.insert("request_pointer".to_owned(), json!(pointer));
        }
        if let Some((name, id)) = &self.link {
            entry.insert("links".to_owned(), json!({ *name: id }));
        }
        Value::Object(entry)
    }
}
