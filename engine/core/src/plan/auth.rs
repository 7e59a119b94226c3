//! How requests are authenticated.

use crate::template::{Expression, Scope, Template};
use serde_json::Value as Document;
use std::time::Duration;

/// How requests are authenticated.
#[derive(Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Bearer`. Sees `settings`, `secrets`.
    Bearer {
        /// The token.
        token: Template,
    },
    /// `Authorization: Basic`. Sees `settings`, `secrets`.
    Basic {
        /// User name.
        username: Template,
        /// Password.
        password: Template,
        /// Whether one refusal stops the connection, because repeating would lock the account.
        stop_after_refusal: bool,
    },
    /// A key in a header field or in the query. Sees `settings`, `secrets`.
    ApiKey {
        /// Where it goes.
        place: KeyPlace,
        /// Its name there.
        name: String,
        /// The key.
        value: Template,
    },
    /// Log on, use the token until a call says that it is stale, log off.
    Session {
        /// Operation of kind `session` that yields the token.
        logon: String,
        /// Where the token stands in the log-on answer's `result`. Sees `result`.
        token: Expression,
        /// Operation of kind `session` that ends it.
        logoff: Option<String>,
        /// Connections with the same scope share one session, one at a time. Sees `settings`.
        scope: Template,
        /// A session idle for longer is ended. Sees `settings`.
        idle_max: Template,
        /// The header field in which every request carries the token.
        header: Option<String>,
        /// A session is given up this long after the log-on.
        life_max: Option<Duration>,
    },
    /// OAuth2 client credentials.
    OauthClient(OauthClient),
    /// OAuth2 with a rotating refresh token.
    OauthRefresh(OauthRefresh),
    /// A signed JWT.
    Jwt(Jwt),
    /// Several ways, of which a connection's settings choose the first that holds; none of them is a choice itself.
    Choice(Vec<AuthOption>),
}

/// One of several ways to authenticate.
#[derive(Debug)]
pub struct AuthOption {
    /// Whether it is the one. Sees `settings`. `None`: always.
    pub when: Option<Expression>,
    /// The way.
    pub auth: Auth,
}

impl Auth {
    /// The way that holds for these settings; none at all where no option does, or where its condition has no value:
    /// what is sent without credentials is refused and says so.
    pub fn chosen(&self, settings: &Document) -> &Self {
        let Self::Choice(options) = self else {
            return self;
        };
        let scope = Scope::new().with("settings", settings);
        let holds = |option: &&AuthOption| match &option.when {
            Some(when) => when.holds(&scope).unwrap_or(false),
            None => true,
        };
        options
            .iter()
            .find(holds)
            .map_or(&Self::None, |option| &option.auth)
    }

    /// Every way that there is, whatever the settings.
    pub fn ways(&self) -> Vec<&Self> {
        match self {
            Self::Choice(options) => options.iter().map(|option| &option.auth).collect(),
            one @ (Self::None
            | Self::Bearer { .. }
            | Self::Basic { .. }
            | Self::ApiKey { .. }
            | Self::Session { .. }
            | Self::OauthClient(_)
            | Self::OauthRefresh(_)
            | Self::Jwt(_)) => vec![one],
        }
    }
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// A header field.
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
}

/// OAuth2 client credentials (RFC 6749 section 4.4). Templates see `settings`, `secrets`.
#[derive(Debug)]
pub struct OauthClient {
    /// Absolute URL.
    pub token_url: Template,
    /// Client id.
    pub client_id: Template,
    /// Client secret.
    pub client_secret: Template,
    /// Scope, if any.
    pub scope: Option<Template>,
    /// Whether client id and secret go into the body instead of Basic.
    pub in_body: bool,
    /// Renewed this long before it expires.
    pub renew_before: Duration,
    /// How the request's body is written.
    pub body: TokenBody,
    /// Members of the answer that may hold the access token; the first that is there does.
    pub access_token: Vec<String>,
}

/// OAuth2 refresh token (RFC 6749 section 6). Templates see `settings`, `secrets`.
#[derive(Debug)]
pub struct OauthRefresh {
    /// Absolute URL of the token end point.
    pub token_url: Template,
    /// How the first refresh token is got.
    pub authorize: Option<Box<Authorize>>,
    /// The longest that the refresh token is left as it is, even where nothing is asked of the system.
    pub renew_within: Option<Duration>,
    /// Client id.
    pub client_id: Template,
    /// Client secret.
    pub client_secret: Template,
    /// Secret name that holds the refresh token; a new one is stored there before it is used.
    pub refresh_token: String,
    /// Scope, if any.
    pub scope: Option<Template>,
    /// Whether client id and secret go into the body instead of Basic.
    pub in_body: bool,
    /// Renewed this long before it expires.
    pub renew_before: Duration,
    /// How the request's body is written.
    pub body: TokenBody,
    /// Members of the answer that may hold the access token; the first that is there does.
    pub access_token: Vec<String>,
    /// Members of the answer that may hold the new refresh token; the first that is there does.
    pub refresh_token_names: Vec<String>,
}

/// The first step of an authorization code (RFC 6749 section 4.1). Templates see `settings`.
#[derive(Debug)]
pub struct Authorize {
    /// Absolute URL of the authorization end point.
    pub url: Template,
    /// Query parameters beside the standard's own.
    pub parameters: Vec<(String, Template)>,
    /// Where the code comes to; `None`, or null: a free port of this machine.
    pub redirect_uri: Option<Template>,
    /// Whether a proof key binds the code to the request (RFC 7636).
    pub pkce: bool,
    /// Parameters that may hold the code; the first that is there does.
    pub code: Vec<String>,
    /// Where the code is exchanged, if not at the token end point. Sees `callback` too: what came with the code.
    pub token_url: Option<Template>,
    /// A line for the person who connects. Sees `callback` too.
    pub tell: Option<Template>,
}

/// How a token request's body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenBody {
    /// As a form, as RFC 6749 says.
    Form,
    /// As a JSON object, which some gateways want instead.
    Json,
}

/// A signed JWT (RFC 7519) sent as bearer token. Templates see `settings`, `secrets`.
#[derive(Debug)]
pub struct Jwt {
    /// `HS256` or `RS256`.
    pub algorithm: String,
    /// The key.
    pub key: Template,
    /// Claims beside `iat` and `exp`.
    pub claims: Vec<(String, Template)>,
    /// Lifetime.
    pub lifetime: Duration,
}
