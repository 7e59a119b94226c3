//! How requests are authenticated.

use super::scopes;
use crate::definition::table::{Field, Keys, Shape, Table, Tagged, default, optional, required};

pub(super) static AUTH: Tagged = Tagged {
    name: "Auth",
    doc: "How requests are authenticated.",
    tag: "kind",
    tag_doc: "Which way.",
    variants: &[
        ("none", &AUTH_NONE),
        ("bearer", &AUTH_BEARER),
        ("basic", &AUTH_BASIC),
        ("api_key", &AUTH_API_KEY),
        ("session", &AUTH_SESSION),
        ("oauth_client", &AUTH_OAUTH_CLIENT),
        ("oauth_refresh", &AUTH_OAUTH_REFRESH),
        ("jwt", &AUTH_JWT),
        ("choice", &AUTH_CHOICE),
    ],
};

/// The ways that a choice is made of: every one but another choice.
static AUTH_WAY: Tagged = Tagged {
    name: "AuthWay",
    doc: "How requests are authenticated, where a setting chooses.",
    tag: "kind",
    tag_doc: "Which way.",
    variants: &[
        ("none", &AUTH_NONE),
        ("bearer", &AUTH_BEARER),
        ("basic", &AUTH_BASIC),
        ("api_key", &AUTH_API_KEY),
        ("session", &AUTH_SESSION),
        ("oauth_client", &AUTH_OAUTH_CLIENT),
        ("oauth_refresh", &AUTH_OAUTH_REFRESH),
        ("jwt", &AUTH_JWT),
    ],
};

static AUTH_CHOICE: Table = Table {
    name: "AuthChoice",
    doc: "Several ways, of which a connection's settings choose. At most one of them may be a session.",
    rows: &[&[required(
        "of",
        Shape::List(&Shape::Object(&AUTH_OPTION)),
        "The ways; the first whose `when` holds is taken. Where none holds, requests carry no credentials.",
    )]],
    rules: &[],
};

static AUTH_OPTION: Table = Table {
    name: "AuthOption",
    doc: "One of several ways to authenticate.",
    rows: &[&[
        optional(
            "when",
            Shape::Expression(scopes::SETTINGS),
            "Whether to take it. None: always.",
        ),
        required("auth", Shape::Tagged(&AUTH_WAY), "The way."),
    ]],
    rules: &[],
};

static AUTH_NONE: Table = Table {
    name: "AuthNone",
    doc: "Requests carry no credentials.",
    rows: &[],
    rules: &[],
};

static AUTH_BEARER: Table = Table {
    name: "AuthBearer",
    doc: "A fixed token as `Authorization: Bearer`.",
    rows: &[&[required(
        "token",
        Shape::Template(scopes::SECRETS),
        "The token.",
    )]],
    rules: &[],
};

static AUTH_BASIC: Table = Table {
    name: "AuthBasic",
    doc: "User name and password as `Authorization: Basic`.",
    rows: &[&[
        required(
            "username",
            Shape::Template(scopes::SECRETS),
            "The user name.",
        ),
        required(
            "password",
            Shape::Template(scopes::SECRETS),
            "The password.",
        ),
        default(
            "stop_after_refusal",
            Shape::Flag,
            "true",
            "Whether one refusal stops the connection until a person has looked, because repeating would lock the account.",
        ),
    ]],
    rules: &[],
};

static AUTH_API_KEY: Table = Table {
    name: "AuthApiKey",
    doc: "A key at a fixed place of every request.",
    rows: &[&[
        required(
            "in",
            Shape::Word(&["header", "query", "cookie"]),
            "Where it goes.",
        ),
        required(
            "name",
            Shape::Text,
            "The name of the header field, query parameter or cookie.",
        ),
        required("value", Shape::Template(scopes::SECRETS), "The key."),
    ]],
    rules: &[],
};

static AUTH_SESSION: Table = Table {
    name: "AuthSession",
    doc: "Log on, use the token until an answer's outcome is `reauthenticate`, log off. Requests insert the token as \
          `session`.",
    rows: &[&[
        required(
            "logon",
            Shape::Identifier,
            "The operation of kind `session` that yields the token.",
        ),
        required(
            "token",
            Shape::Expression(scopes::RESULT),
            "Where the token stands in its result.",
        ),
        optional(
            "logoff",
            Shape::Identifier,
            "The operation of kind `session` that ends the session.",
        ),
        required(
            "scope",
            Shape::Template(scopes::SETTINGS),
            "What a session belongs to. Connections with the same scope take turns: at most one of them has a session.",
        ),
        default(
            "idle_max",
            Shape::DurationTemplate(scopes::SETTINGS),
            "5m",
            "A session that was not used for so long is ended.",
        ),
        optional(
            "header",
            Shape::Text,
            "The header field in which every request carries the token; where there is none, requests insert it as `session`.",
        ),
        optional(
            "life_max",
            Shape::Duration,
            "A session is given up this long after the log-on, whatever happens.",
        ),
    ]],
    rules: &[],
};

static CLIENT: &[Field] = &[
    required(
        "token_url",
        Shape::Template(scopes::SETTINGS),
        "The token end point, an absolute URL.",
    ),
    required(
        "client_id",
        Shape::Template(scopes::SECRETS),
        "The client id.",
    ),
    required(
        "client_secret",
        Shape::Template(scopes::SECRETS),
        "The client secret.",
    ),
    optional(
        "scope",
        Shape::Template(scopes::SETTINGS),
        "The scope to ask for.",
    ),
    default(
        "in_body",
        Shape::Flag,
        "false",
        "Whether client id and secret go into the body instead of `Authorization: Basic`.",
    ),
    default(
        "renew_before",
        Shape::Duration,
        "1m",
        "How long before its end a token is renewed.",
    ),
    default(
        "body",
        Shape::Word(&["form", "json"]),
        "form",
        "How the request's body is written.",
    ),
    default(
        "access_token",
        Shape::List(&Shape::Text),
        "[access_token]",
        "Members of the answer that may hold the access token; the first that is there does.",
    ),
];

static AUTH_OAUTH_CLIENT: Table = Table {
    name: "AuthOauthClient",
    doc: "OAuth2 client credentials (RFC 6749 section 4.4).",
    rows: &[CLIENT],
    rules: &[],
};

static AUTH_OAUTH_REFRESH: Table = Table {
    name: "AuthOauthRefresh",
    doc: "OAuth2 with a rotating refresh token (RFC 6749 section 6). A new refresh token is stored before it is used.",
    rows: &[
        CLIENT,
        &[
            required(
                "refresh_token",
                Shape::Identifier,
                "The secret that holds the refresh token and takes each new one.",
            ),
            optional(
                "authorize",
                Shape::Object(&AUTHORIZE),
                "How the first refresh token is got, by `ml-connector connect`. None: it is stored by `secrets set`.",
            ),
            optional(
                "renew_within",
                Shape::Duration,
                "Where nothing is asked of the system for so long, the refresh token is renewed all the same, so that it does \
                 not lapse.",
            ),
            default(
                "refresh_token_names",
                Shape::List(&Shape::Text),
                "[refresh_token]",
                "Members of the answer that may hold the new refresh token; the first that is there does.",
            ),
        ],
    ],
    rules: &[],
};

static AUTHORIZE: Table = Table {
    name: "Authorize",
    doc: "The first step of an authorization code (RFC 6749 section 4.1): a person agrees in the browser, and the code that \
          comes of it is exchanged for the first refresh token.",
    rows: &[&[
        required(
            "url",
            Shape::Template(scopes::SETTINGS),
            "The authorization end point, an absolute URL.",
        ),
        default(
            "parameters",
            Shape::Map(Keys::Text, &Shape::Template(scopes::SETTINGS)),
            "{}",
            "Query parameters beside `response_type`, `client_id`, `redirect_uri`, `scope`, `state` and those of PKCE; one \
             whose value is null is left out.",
        ),
        optional(
            "redirect_uri",
            Shape::Template(scopes::SETTINGS),
            "The address that the code comes to, as it is registered with the system. None or null: a free port of this \
             machine, `http://127.0.0.1:PORT/callback`.",
        ),
        default(
            "pkce",
            Shape::Flag,
            "true",
            "Whether the code is bound to this request by a proof key (RFC 7636, `S256`).",
        ),
        default(
            "code",
            Shape::List(&Shape::Text),
            "[code]",
            "Parameters that may hold the code; the first that is there does.",
        ),
        optional(
            "token_url",
            Shape::Template(scopes::CALLBACK),
            "Where the code is exchanged, if not at the `token_url` above.",
        ),
        optional(
            "tell",
            Shape::Template(scopes::CALLBACK),
            "A line for the person who connects, e.g. a setting that has to be changed. Null: nothing.",
        ),
    ]],
    rules: &[],
};

static AUTH_JWT: Table = Table {
    name: "AuthJwt",
    doc: "A JWT (RFC 7519) that we sign, as `Authorization: Bearer`.",
    rows: &[&[
        required(
            "algorithm",
            Shape::Word(&["HS256", "RS256"]),
            "How it is signed.",
        ),
        required("key", Shape::Template(scopes::SECRETS), "The key."),
        default(
            "claims",
            Shape::Map(Keys::Text, &Shape::Template(scopes::SECRETS)),
            "{}",
            "Claims beside `iat` and `exp`.",
        ),
        default("lifetime", Shape::Duration, "5m", "How long each is valid."),
    ]],
    rules: &[],
};
