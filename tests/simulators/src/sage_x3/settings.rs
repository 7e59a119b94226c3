//! How one site is set up, and switches for everything that differs between sites or is not known (X3 11), with the
//! cautious reading as default. Tests are expected to pass under every setting.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a connected application's token must carry as `aud` (X3 2.2: sites differ).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The registered URL, byte for byte.
    RegisteredUrl,
    /// The empty string.
    Empty,
}

/// What happens to a text that is longer than its field (X3 10: unverified).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLong {
    /// Refused with a message.
    Refused,
    /// Cut off silently.
    Cut,
}

/// What happens to a field that the screen does not have (X3 6.1, 11 no. 5 and 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownField {
    /// Refused with a message.
    Refused,
    /// Dropped silently, as it "cannot be set".
    Ignored,
}

/// How the XML result stands in the SOAP answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultText {
    /// In a CDATA section (X3 5.8).
    Cdata,
    /// Escaped.
    Escaped,
}

/// A Syracuse user (X3 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Password for Basic.
    pub password: String,
    /// Sites that the mapped X3 user may post to; `None`: all.
    pub sites: Option<BTreeSet<String>>,
    /// Entry types that it may post; `None`: all.
    pub entry_types: Option<BTreeSet<String>>,
}

impl User {
    /// A user who may do everything.
    pub fn new(password: &str) -> Self {
        Self {
            password: password.to_owned(),
            sites: None,
            entry_types: None,
        }
    }
}

/// A connected application on the site's own server (X3 2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedApplication {
    /// Signs the tokens.
    pub secret: String,
    /// The registered URL.
    pub url: String,
    /// Longest life of a token.
    pub validity: Duration,
    /// Login of the user that it acts for.
    pub user: String,
}

/// An application at the cloud gateway and the customer that it asks for (X3 2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudApplication {
    /// Client secret.
    pub secret: String,
    /// Where the gateway posts the authorization code.
    pub redirect_uri: String,
    /// Withdrawn by Sage: 403.
    pub disabled: bool,
}

/// What a publication runs (X3 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The object GAS, journal entries.
    JournalEntries,
    /// The object BPC, customers; read only here.
    Customers,
    /// The site's own subprogram that finds entries by source document (X3 5.8, 7.2 a).
    FindBySource,
    /// The standard import subprogram (X3 5.7).
    Import,
}

/// A pool of SOAP channels (X3 5.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The folder that every call through it works in (X3 1.2, 11 no. 19).
    pub endpoint: String,
    /// Calls that run at once: maximum size × child processes.
    pub channels: usize,
    /// A request that would wait for longer is rejected.
    pub queue_timeout: Duration,
    /// Started. A stopped pool is answered like one that does not exist.
    pub started: bool,
}

/// A create operation that the customer built for GraphQL (X3 4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostEntry {
    /// Package and node.
    pub path: [String; 2],
    /// Name of the input type.
    pub input_type: String,
    /// Field of the result that holds the entry's number.
    pub number_field: String,
}

impl Default for PostEntry {
    /// The names of the sheet's example (X3 4.7).
    fn default() -> Self {
        Self {
            path: ["zGocardless".to_owned(), "zEntry".to_owned()],
            input_type: "ZGoCardlessEntry_Input".to_owned(),
            number_field: "entryNumber".to_owned(),
        }
    }
}

/// Set-up of one site.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Scheme, host and port that absolute links begin with (X3 1.1).
    pub origin: String,
    /// Syracuse users by login.
    pub users: BTreeMap<String, User>,
    /// Connected applications by client id.
    pub applications: BTreeMap<String, ConnectedApplication>,
    /// Cloud applications by client id.
    pub cloud_applications: BTreeMap<String, CloudApplication>,
    /// URL of the customer as the cloud knows it (X3 2.3 `customer`).
    pub cloud_customer: String,
    /// Path of GraphQL behind the gateway; not documented (X3 1.3).
    pub cloud_graphql_path: String,
    /// Pools by alias.
    pub pools: BTreeMap<String, Pool>,
    /// Publications by name; at most ten characters (X3 5.6).
    pub services: BTreeMap<String, Service>,
    /// How long a SOAP call runs; the real totals were 5.5 and 16.9 seconds (X3 5.4).
    pub run_time: Duration,
    /// The customer's own create operation; `None`: there is none, which is the standard (X3 4.5).
    pub post_entry: Option<PostEntry>,
    /// Fields that the site has added to its screen: of `REF`, `REFINT`, `FREREF` (X3 6.1, 7.1: unverified).
    pub extra_fields: BTreeSet<&'static str>,
    /// Class and representation of journal entries rebuilt for api1, writable; `None`: there is none (X3 3, finding 2).
    pub entry_class: Option<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        let pool = Pool {
            endpoint: "UKLIVE".to_owned(),
            channels: 1,
            queue_timeout: Duration::from_secs(60),
            started: true,
        };
        let application = ConnectedApplication {
            secret: "connected-secret".to_owned(),
            url: "http://x3.example.test:8124/xtrem/api".to_owned(),
            validity: Duration::from_secs(600),
            user: "engine".to_owned(),
        };
        let cloud = CloudApplication {
            secret: "cloud-secret".to_owned(),
            redirect_uri: "https://connector.example.test/callback".to_owned(),
            disabled: false,
        };
        Self {
            origin: "http://x3.example.test:8124".to_owned(),
            users: BTreeMap::from([("engine".to_owned(), User::new("secret"))]),
            applications: BTreeMap::from([("connected-app".to_owned(), application)]),
            cloud_applications: BTreeMap::from([("cloud-app".to_owned(), cloud)]),
            cloud_customer: "https://halden.example.test".to_owned(),
            cloud_graphql_path: "/v1/graphql".to_owned(),
            pools: BTreeMap::from([("GCPOOL".to_owned(), pool)]),
            services: BTreeMap::from([
                ("YWSGAS".to_owned(), Service::JournalEntries),
                ("YWSBPC".to_owned(), Service::Customers),
                ("YWSGCFIND".to_owned(), Service::FindBySource),
                ("AOWSIMPORT".to_owned(), Service::Import),
            ]),
            run_time: Duration::ZERO,
            post_entry: Some(PostEntry::default()),
            extra_fields: BTreeSet::new(),
            entry_class: None,
        }
    }
}

/// The switches.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Switches {
    /// `aud` of connected applications' tokens (X3 11 no. 11).
    pub audience: Audience,
    /// `sub` must be there (X3 2.2: some set-ups leave it out).
    pub subject_required: bool,
    /// Wrong passwords after which the user is locked; not documented (X3 2.1).
    pub lock_after: Option<u32>,
    /// An old refresh token works for so long after its use (X3 2.3: assume single use).
    pub old_refresh_grace: Option<Duration>,
    /// Members of the token answer are `accessToken`, `refreshToken` (X3 2.3: names unverified).
    pub camel_case_tokens: bool,
    /// Life of access tokens at the gateway (X3 2.3: 5 minutes).
    pub access_life: Duration,
    /// Life of refresh tokens (X3 2.3: 30 days).
    pub refresh_life: Duration,
    /// The gateway names another regional root with the authorization code (X3 11 no. 12).
    pub other_root: bool,
    /// Sessions that may be open at once; a call without a cookie opens one (X3 2.4: unverified).
    pub sessions_max: Option<usize>,
    /// The parts of a SOAP call must stand in the order of the WSDL (X3 5.1).
    pub strict_order: bool,
    /// Prefixes of answers: `S`, `E`, `ns1` in place of `soapenv`, `soapenc`, `wss` (X3 11 no. 3).
    pub other_prefixes: bool,
    /// Messages stand in the response element itself and not in `multiRef` (X3 5.4, 11 no. 2).
    pub inline_messages: bool,
    /// How the XML result is written.
    pub result_text: ResultText,
    /// Answers carry fields in other blocks than they were sent in (X3 5.3).
    pub shifted_blocks: bool,
    /// Fields that the screen lacks.
    pub unknown_field: UnknownField,
    /// Texts that are too long.
    pub too_long: TooLong,
    /// The screen has no BPRVCR and no BPRDATVCR (X3 11 no. 6: the transaction hides fields).
    pub source_hidden: bool,
    /// The site refuses a second entry with the same source document (X3 7.3).
    pub duplicate_control: bool,
    /// BPRVCR is in the left list of GAS (X3 5.5: assume it is not).
    pub left_list_has_source: bool,
    /// ACCDAT is in the left list of GAS (X3 7.2 d: unverified).
    pub left_list_has_date: bool,
    /// GACCENTRY can be read by api1 (X3 3.5: default not available).
    pub api1_entries: bool,
    /// BPRVCR is on the `$query` facet (X3 3.2: must be checked once).
    pub api1_source_on_facet: bool,
    /// `where` knows `ne lt le gt ge and or` as well (X3 3.2: unverified).
    pub api1_full_where: bool,
    /// A create answers 201; otherwise 200 (X3 3.1: 201 likely).
    pub api1_created: bool,
    /// Packages are called `xtremX3…` (X3 1.5).
    pub xtrem_prefix: bool,
    /// Filters know `_gt _lt _in _nin _or _not` as well (X3 4.3: unverified).
    pub full_filters: bool,
    /// Page when `first` is missing (X3 4.2).
    pub default_page: usize,
    /// Largest `first` (X3 4.2: never above 500).
    pub page_max: usize,
    /// Creates report a diagnosis of severity 2 in `errors` although they wrote (X3 11 no. 8).
    pub warnings_as_errors: bool,
    /// Amounts in GraphQL answers are strings (X3 10: accept both).
    pub amounts_as_text: bool,
    /// Ledgers that each entry is stored in (X3 11 no. 17: lines once per ledger type).
    pub ledgers: u8,
    /// Messages come in French whatever the language asked for (X3 11 no. 20: localised and customised).
    pub always_french: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            audience: Audience::RegisteredUrl,
            subject_required: true,
            lock_after: Some(3),
            old_refresh_grace: None,
            camel_case_tokens: false,
            access_life: Duration::from_secs(300),
            refresh_life: Duration::from_secs(30 * 86_400),
            other_root: false,
            sessions_max: None,
            strict_order: true,
            other_prefixes: false,
            inline_messages: false,
            result_text: ResultText::Cdata,
            shifted_blocks: false,
            unknown_field: UnknownField::Refused,
            too_long: TooLong::Refused,
            source_hidden: false,
            duplicate_control: false,
            left_list_has_source: false,
            left_list_has_date: false,
            api1_entries: false,
            api1_source_on_facet: true,
            api1_full_where: false,
            api1_created: true,
            xtrem_prefix: false,
            full_filters: false,
            default_page: 20,
            page_max: 500,
            warnings_as_errors: false,
            amounts_as_text: true,
            ledgers: 1,
            always_french: false,
        }
    }
}

impl Switches {
    /// The default and one variation per switch, with a name for the test's output: the settings under which a client
    /// must work unchanged. What a client must be configured for (audience, left list, package names, duplicate
    /// control …) is not among them.
    pub fn variations() -> Vec<(&'static str, Self)> {
        let with = crate::variation::<Self>;
        vec![
            ("default", Self::default()),
            with("no lock-out", |s| s.lock_after = None),
            with("a grace for old refresh tokens", |s| {
                s.old_refresh_grace = Some(Duration::from_secs(60));
            }),
            with("camel-case tokens", |s| s.camel_case_tokens = true),
            with("short token lives", |s| {
                s.access_life = Duration::from_secs(5);
            }),
            with("parts in any order", |s| s.strict_order = false),
            with("other prefixes", |s| s.other_prefixes = true),
            with("inline messages", |s| s.inline_messages = true),
            with("escaped results", |s| s.result_text = ResultText::Escaped),
            with("shifted blocks", |s| s.shifted_blocks = true),
            with("unknown fields ignored", |s| {
                s.unknown_field = UnknownField::Ignored;
            }),
            with("long texts cut", |s| s.too_long = TooLong::Cut),
            with("full where", |s| s.api1_full_where = true),
            with("creates answer 200", |s| s.api1_created = false),
            with("full filters", |s| s.full_filters = true),
            with("pages of three", |s| s.default_page = 3),
            with("warnings as errors", |s| s.warnings_as_errors = true),
            with("amounts as numbers", |s| s.amounts_as_text = false),
            with("two ledgers", |s| s.ledgers = 2),
            with("messages in French", |s| s.always_french = true),
        ]
    }
}
