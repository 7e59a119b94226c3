//! The first step of an OAuth2 authorization code (RFC 6749 section 4.1), by command.
//!
//! A person opens an address, agrees, and a code comes to the redirect address: to a [`Listener`] on
//! this machine, or to a page from which the person copies it. The code is exchanged once for the
//! first refresh token, which is in the vault before anything is said. From then on the engine
//! renews it by itself (`credentials::oauth`).
//!
//! # What ties the answer to the question
//! `state`, drawn anew for each request, comes back with the code and must be the same; where the
//! connector has `pkce`, the exchange also proves that it comes from whoever asked (RFC 7636). A
//! bare code that a person pastes has no state with it: then only the proof key ties it.
//!
//! A grant may take days, until somebody else agrees. So what belongs to an open request
//! ([`Pending`]) can be put away and taken up again.

mod callback;
mod listener;

pub use callback::Callback;
pub use listener::Listener;

use crate::connection::Caller;
use crate::counters::Counters;
use crate::credentials::{Failure, oauth, scope_with_secrets};
use crate::seams::{Seams, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ml_connector_core::identity::ConnectionId;
use ml_connector_core::plan::{Auth, Authorize, Connection, OauthRefresh};
use ml_connector_core::protocol::percent_encode;
use ml_connector_core::template::{EvalError, Template};
use serde::{Deserialize, Serialize};
use serde_json::Value as Document;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a connection could not be connected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its credentials come about in another way.
    #[error("connection `{0}` does not begin with an authorization code")]
    NotDeclared(ConnectionId),
    /// A template of the connector has no value for these settings.
    #[error("cannot make the request: {0}")]
    Template(#[from] EvalError),
    /// The redirect address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// Nothing came in time.
    #[error("no answer came to {0} in time")]
    NoAnswer(String),
    /// The person or the system said no.
    #[error("the system refuses: {0}")]
    Denied(String),
    /// An answer to another request.
    #[error("the answer belongs to another request: its `state` is not the one that was sent")]
    OtherState,
    /// Nothing in what came is a code.
    #[error("there is no code in the answer: expected {0}")]
    NoCode(String),
    /// The token end point did not give tokens.
    #[error("the code was not exchanged: {why}")]
    NotExchanged {
        /// What it said.
        why: String,
        /// The next step.
        help: String,
    },
    /// Only an access token was granted.
    #[error("the system granted an access token and no refresh token")]
    NoRefreshToken,
    /// The refresh token was granted and is not in the vault.
    #[error("the refresh token was granted and cannot be stored: {0}")]
    NotKept(String),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

/// An open request: what its answer is compared with. It is as secret as the code itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verifier: Option<String>,
    redirect_uri: String,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// A request that a person can open.
#[derive(Debug)]
pub struct Begun {
    /// The address to open.
    pub address: String,
    /// What its answer is compared with.
    pub pending: Pending,
}

/// A connection that has its refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The name in the vault under which it is stored.
    pub stored: String,
    /// What the connector has to say to the person.
    pub tell: Option<String>,
}

/// The connection as one that begins with an authorization code.
struct Way<'a> {
    caller: Arc<Caller>,
    oauth: &'a OauthRefresh,
    authorize: &'a Authorize,
}

impl<'a> Way<'a> {
    fn of(connection: &'a Arc<Connection>, seams: &Seams) -> Result<Self, Error> {
        let auth = connection.connector.http.auth.chosen(&connection.settings);
        let Auth::OauthRefresh(oauth) = auth else {
            return Err(Error::NotDeclared(connection.id.clone()));
        };
        let authorize = oauth.authorize.as_deref();
        let authorize = authorize.ok_or_else(|| Error::NotDeclared(connection.id.clone()))?;
        let caller = Caller::new(
            Arc::clone(connection),
            seams.clone(),
            Arc::<Counters>::default(),
        );
        Ok(Self {
            caller: Arc::new(caller),
            oauth,
            authorize,
        })
    }

    /// A template that may say nothing.
    fn said(
        &self,
        template: Option<&Template>,
        callback: &Callback,
    ) -> Result<Option<String>, Error> {
        let Some(template) = template else {
            return Ok(None);
        };
        let scope = scope_with_secrets(&self.caller).with_owned("callback", callback.document());
        match template.value(&scope)? {
            Document::Null => Ok(None),
            Document::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            other @ (Document::Bool(_)
            | Document::Number(_)
            | Document::Array(_)
            | Document::Object(_)) => Ok(Some(other.to_string())),
        }
    }
}

/// The connector's own name for the secret that takes the refresh token.
///
/// # Errors
/// If the connection does not begin with an authorization code.
pub fn refresh_secret(connection: &Arc<Connection>) -> Result<String, Error> {
    if let Auth::OauthRefresh(oauth) = connection.connector.http.auth.chosen(&connection.settings)
        && oauth.authorize.is_some()
    {
        return Ok(oauth.refresh_token.clone());
    }
    Err(Error::NotDeclared(connection.id.clone()))
}

/// The redirect address that the settings name; `None` where any of this machine will do.
///
/// # Errors
/// If the connection does not begin with an authorization code, or the settings do not give one.
pub fn redirect_uri(connection: &Arc<Connection>, seams: &Seams) -> Result<Option<String>, Error> {
    let way = Way::of(connection, seams)?;
    way.said(way.authorize.redirect_uri.as_ref(), &Callback::default())
}

/// Makes a request whose answer comes to `redirect_uri`. Nothing is sent.
///
/// # Errors
/// If the connection does not begin with an authorization code, or a template has no value.
pub fn begin(
    connection: &Arc<Connection>,
    seams: &Seams,
    redirect_uri: &str,
) -> Result<Begun, Error> {
    let way = Way::of(connection, seams)?;
    let scope = scope_with_secrets(&way.caller);
    let pending = Pending {
        state: random_text()?,
        verifier: way.authorize.pkce.then(random_text).transpose()?,
        redirect_uri: redirect_uri.to_owned(),
    };
    let mut query = vec![
        ("response_type".to_owned(), "code".to_owned()),
        ("client_id".to_owned(), way.oauth.client_id.text(&scope)?),
        ("redirect_uri".to_owned(), pending.redirect_uri.clone()),
        ("state".to_owned(), pending.state.clone()),
    ];
    if let Some(wanted) = way.said(way.oauth.scope.as_ref(), &Callback::default())? {
        query.push(("scope".to_owned(), wanted));
    }
    if let Some(verifier) = &pending.verifier {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        query.push(("code_challenge".to_owned(), challenge));
        query.push(("code_challenge_method".to_owned(), "S256".to_owned()));
    }
    for (name, template) in &way.authorize.parameters {
        if let Some(value) = way.said(Some(template), &Callback::default())? {
            query.push((name.clone(), value));
        }
    }
    let url = way.authorize.url.text(&scope)?;
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value)))
        .collect();
    let joint = if url.contains('?') { '&' } else { '?' };
    Ok(Begun {
        address: format!("{url}{joint}{}", pairs.join("&")),
        pending,
    })
}

/// Exchanges the code of an answer, and stores the refresh token before it returns.
///
/// # Errors
/// If the answer is a refusal, belongs to another request or holds no code; if the code is not
/// exchanged; if the refresh token cannot be stored.
pub async fn finish(
    connection: &Arc<Connection>,
    seams: &Seams,
    pending: &Pending,
    callback: &Callback,
) -> Result<Connected, Error> {
    let way = Way::of(connection, seams)?;
    let code = code(&way, pending, callback)?;
    let url = match way.said(way.authorize.token_url.as_ref(), callback)? {
        Some(url) => url,
        None => way.oauth.token_url.text(&scope_with_secrets(&way.caller))?,
    };
    let mut form = vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", code),
        ("redirect_uri", pending.redirect_uri.clone()),
    ];
    if let Some(verifier) = &pending.verifier {
        form.push(("code_verifier", verifier.clone()));
    }
    // A running engine may be renewing the token that this one replaces; its new one must not come
    // after ours.
    let name = &way.oauth.refresh_token;
    let _turn = oauth::turn(&way.caller, name)
        .await
        .map_err(not_exchanged)?;
    let granted = oauth::exchange(&way.caller, way.oauth, url, form)
        .await
        .map_err(not_exchanged)?;
    let refresh: Arc<Secret> = granted.refresh_token.ok_or(Error::NoRefreshToken)?;
    let kept = |error: crate::SecretError| Error::NotKept(error.to_string());
    let stored = way.caller.secrets.stored(name).map_err(kept)?.to_owned();
    way.caller.secrets.put(name, &refresh).map_err(kept)?;
    let tell = way.said(way.authorize.tell.as_ref(), callback)?;
    Ok(Connected { stored, tell })
}

/// The code of an answer that is no refusal and belongs to the request.
fn code(way: &Way<'_>, pending: &Pending, callback: &Callback) -> Result<String, Error> {
    if let Callback::Bare(code) = callback {
        return Ok(code.clone());
    }
    // A forged refusal must not end a request either, so the state comes first.
    if !callback.answers(pending) {
        return Err(Error::OtherState);
    }
    if let Some(denied) = callback.denial() {
        return Err(Error::Denied(denied));
    }
    let names = &way.authorize.code;
    callback
        .first_of(names)
        .map(str::to_owned)
        .ok_or_else(|| Error::NoCode(format!("`{}`", names.join("` or `"))))
}

fn not_exchanged(failure: Failure) -> Error {
    match failure.itself() {
        Failure::Refused { why, help, .. } => Error::NotExchanged { why, help },
        Failure::Passing { why, .. } => Error::NotExchanged {
            why,
            help: "begin again: a code lives for minutes and is taken once".to_owned(),
        },
        Failure::Shared(_) | Failure::Stopping => Error::NotExchanged {
            why: "it was stopped".to_owned(),
            help: String::new(),
        },
    }
}

/// 256 random bits as text: nobody guesses it, and RFC 7636 section 4.1 allows its 43 characters.
fn random_text() -> Result<String, Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
