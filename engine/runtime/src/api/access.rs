//! Who asks: the bearer token, looked up in the file of tokens.

use super::problem::Problem;
use crate::seams::Clock;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use ml_connector_store::tokens::{Role, Tokens};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The bearer of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// The token's name and id, as the audit trail keeps them.
    pub(crate) actor: String,
    /// What they may do.
    pub(crate) role: Role,
}

/// The tokens of an installation, following its file: a revoked token is refused from the next request on.
#[derive(Debug)]
pub(crate) struct Access {
    file: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    tokens: Tokens,
    stamp: Option<Stamp>,
}

/// What tells one content of the file from the next: it is always replaced by another file, never written in place.
type Stamp = (SystemTime, u64);

impl Access {
    /// Tokens from a file; without one nobody is admitted.
    pub(crate) fn new(file: Option<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self {
            file,
            clock,
            known: Mutex::default(),
        }
    }

    /// The bearer, if their role suffices.
    pub(super) fn admit(&self, headers: &HeaderMap, role: Role) -> Result<Who, Problem> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else {
            return Err(Problem::unauthorised("there is no bearer token"));
        };
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(token.trim())
        });
        let token = token.ok_or_else(|| Problem::unauthorised("there is no bearer token"))?;
        let Some(who) = self.recognise(token) else {
            tracing::warn!("a request to the operator API with an unknown token was refused");
            return Err(Problem::unauthorised(
                "the token is not known, or not any more",
            ));
        };
        if who.role < role {
            return Err(Problem::forbidden(who.role, role));
        }
        Ok(who)
    }

    fn recognise(&self, token: &str) -> Option<Who> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.file.as_ref()?;
        let stamp = stamp(path);
        if stamp != known.stamp || stamp.is_none() {
            match Tokens::read(path) {
                Ok(tokens) => *known = Known { tokens, stamp },
                Err(error) => {
                    // Tokens that cannot be read admit nobody: one of them may have been revoked.
                    tracing::error!(%error, "the operator API admits nobody");
                    *known = Known::default();
                    return None;
                }
            }
        }
        let found = known.tokens.recognise(token, self.clock.now())?;
        Some(Who {
            actor: format!("{} (token {})", found.name, found.id),
            role: found.role,
        })
    }
}

fn stamp(path: &std::path::Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    let identity = std::os::unix::fs::MetadataExt::ino(&metadata);
    Some((metadata.modified().ok()?, identity))
}

#[cfg(test)]
mod tests {
    use super::Access;
    use crate::seams::SystemClock;
    use axum::http::{HeaderMap, HeaderValue};
    use ml_connector_store::tokens::{NewToken, Role, Tokens};
    use std::path::Path;
    use std::sync::Arc;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(value).unwrap());
        headers
    }

    fn made(path: &Path, name: &str) -> String {
        let new = NewToken {
            name: name.to_owned(),
            role: Role::Operator,
            created_by: "root".to_owned(),
            expires_at: None,
        };
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        let (_, text) = Tokens::create(path, new, at).unwrap();
        text.expose().to_owned()
    }

    #[test]
    fn a_bearer_is_admitted_up_to_their_role_and_until_the_token_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let access = Access::new(Some(path.clone()), Arc::new(SystemClock));
        let status =
            |headers: &HeaderMap, role| access.admit(headers, role).map_err(|p| p.status());
        assert_eq!(status(&HeaderMap::new(), Role::Viewer).unwrap_err(), 401);
        let anna = headers(&format!("Bearer {}", made(&path, "anna")));
        let who = status(&anna, Role::Viewer).unwrap();
        assert!(who.actor.starts_with("anna (token "), "{who:?}");
        assert!(status(&anna, Role::Operator).is_ok());
        assert_eq!(status(&anna, Role::Admin).unwrap_err(), 403);
        let lower = anna["authorization"]
            .to_str()
            .unwrap()
            .replace("Bearer", "bearer");
        assert!(status(&headers(&lower), Role::Viewer).is_ok());
        for wrong in ["Bearer mlt_0_x", "Bearer", "Basic YTpi", "Bearer  ", "x"] {
            assert_eq!(
                status(&headers(wrong), Role::Viewer).unwrap_err(),
                401,
                "{wrong}"
            );
        }
        let mut twice = anna.clone();
        twice.append("authorization", HeaderValue::from_static("Bearer x"));
        assert_eq!(status(&twice, Role::Viewer).unwrap_err(), 401);
        let at = "2026-01-02T00:00:00Z".parse().unwrap();
        Tokens::revoke(&path, "anna", "root", at).unwrap();
        assert_eq!(status(&anna, Role::Viewer).unwrap_err(), 401);
        let bert = headers(&format!("Bearer {}", made(&path, "bert")));
        assert!(status(&bert, Role::Viewer).is_ok());
        std::fs::write(&path, "broken").unwrap();
        assert_eq!(status(&bert, Role::Viewer).unwrap_err(), 401);
    }

    #[test]
    fn without_a_file_nobody_is_admitted() {
        let access = Access::new(None, Arc::new(SystemClock));
        assert!(
            access
                .admit(&headers("Bearer mlt_a_b"), Role::Viewer)
                .is_err()
        );
    }
}
