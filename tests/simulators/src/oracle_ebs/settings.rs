//! What differs between sites, and switches for what the sheet leaves open, with the cautious reading as default.

use jiff::tz::TimeZone;
use std::time::Duration;

/// The aliases that the administrator chose at deployment; there is no fixed catalogue (EB 1.2, 1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aliases {
    /// AR_RECEIPT_API_PUB.
    pub receipts: String,
    /// The site's own package with reads and lockbox help (EB 5.1, 5.6, 5.7).
    pub package: String,
    /// The lockbox open interface and its program (EB 5.4).
    pub lockbox: String,
}

/// Site facts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Aliases.
    pub aliases: Aliases,
    /// Zone of the database server: every DATE is its local time (EB 3.2, 9).
    pub zone: TimeZone,
    /// Name of the session cookie, the same on the whole site (EB 2.2).
    pub cookie: String,
    /// Wrong passwords in a row that lock a user; `None`: never (EB 2.1).
    pub lock_after: Option<u32>,
    /// ICX: Session Timeout, idle time (EB 2.3).
    pub idle: Duration,
    /// ICX: Limit Time, whole life of a session (EB 2.3).
    pub session_max: Duration,
    /// Most rows of one read (EB 10 no. 25).
    pub rows_max: usize,
    /// How long a request waits for a manager.
    pub pending: Duration,
    /// How long the lockbox program runs; half of it validates, the other half posts.
    pub running: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            aliases: Aliases {
                receipts: "gcreceipt".to_owned(),
                package: "gcar".to_owned(),
                lockbox: "gclockbox".to_owned(),
            },
            zone: TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").unwrap_or(TimeZone::UTC),
            cookie: "PROD".to_owned(),
            lock_after: Some(3),
            idle: Duration::from_secs(1800),
            session_max: Duration::from_secs(4 * 3600),
            rows_max: 200,
            pending: Duration::from_secs(120),
            running: Duration::from_secs(480),
        }
    }
}

/// How null is written (EB 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// `{"@xsi:nil":"true"}`.
    Nil,
    /// JSON null.
    Json,
}

/// How an ended session shows (EB 2.3: the exact form is unverified).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// 401 with a fault.
    Unauthorized,
    /// 302 to the login page.
    Redirect,
    /// The login page under 200.
    LoginPage,
}

/// What happens to an input date with an offset (EB 9: unverified).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offsets {
    /// Refused.
    Refused,
    /// Cut off.
    Cut,
    /// Converted to the server's zone.
    Converted,
}

/// The unit of amounts in the lockbox transmission format (EB 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Minor units.
    Minor,
    /// Major units.
    Major,
}

/// The switches.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Switches {
    /// As 12.2.14: bodies are checked against the XSD. Otherwise as 12.2.5: any wrapper or none (EB 3.1).
    pub strict: bool,
    /// Spelling of null.
    pub nulls: Nulls,
    /// JSON null on input is refused (EB 3.1: unverified).
    pub null_input_refused: bool,
    /// Operation segments must be spelt as in the WADL (EB 1.2: unverified).
    pub case_sensitive: bool,
    /// PL/SQL operations are spelt in upper case in the WADL (EB 1.2: both occur).
    pub upper_case_operations: bool,
    /// A path without its closing slash is not found (EB 1.2).
    pub slash_required: bool,
    /// Status of ISG_SERVICE_EXECUTION_ERROR: 500 or 400, both seen (EB 8.1).
    pub execution_error_status: u16,
    /// Status of ISG_INVALID_ALIAS and ISG_INVALID_FUNCTION (EB 8.1: unverified).
    pub unknown_status: u16,
    /// Ended sessions.
    pub expired: Expired,
    /// The token stands under `response.data` instead of `data` (EB 2.2).
    pub nested_token: bool,
    /// Offsets in input dates.
    pub offsets: Offsets,
    /// The gateway commits although P_COMMIT is F (EB 3.4: unverified).
    pub commits_anyway: bool,
    /// An organisation outside the responsibility's security profile is silently replaced by the responsibility's own
    /// instead of refused (EB 9: unverified).
    pub foreign_org_ignored: bool,
    /// `provider/isActive` is deployed (EB 1.2).
    pub provider: bool,
    /// The level has open interface REST (EB 4.1).
    pub open_interface: bool,
    /// Rows of an open interface answer stand under `{TABLE}_Output` (EB 4.2: unverified).
    pub nested_rows: bool,
    /// An open interface insert fills TRANSMISSION_RECORD_ID (EB 4.2: unverified).
    pub fills_record_id: bool,
    /// Several rows of one insert go in together or not at all (EB 4.2: unverified).
    pub atomic_inserts: bool,
    /// Validated rows stay in the interface with an OK status instead of leaving it (EB 7.4: unverified).
    pub good_rows_stay: bool,
    /// The submit answer names `X_REQUEST_ID` instead of `REQUEST_ID` (EB 4.3: unverified).
    pub x_request_id: bool,
    /// The program takes its arguments by position, `ARGUMENT1` and on (EB 4.3: unverified).
    pub positional_arguments: bool,
    /// Unit of lockbox amounts.
    pub lockbox_amounts: Scale,
    /// With IGNORE_INVALID_TXN_NUM = Y the receipt is kept with the unmatched part unapplied; otherwise with N (EB
    /// 5.5: unverified).
    pub ignore_keeps_receipt: bool,
    /// Receipts are numbered from a document sequence, whatever number is sent (EB 6).
    pub numbers_receipts: bool,
    /// The package's read gives every class of schedule, credit memos and receipts too (EB 5.1, 10 no. 17).
    pub all_classes: bool,
    /// The package's read gives closed schedules too, so that a payment elsewhere is seen (EB 5.1).
    pub closed_too: bool,
    /// DFF context that receipts may carry; others are refused (EB 6).
    pub attribute_context: &'static str,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            strict: true,
            nulls: Nulls::Nil,
            null_input_refused: true,
            case_sensitive: true,
            upper_case_operations: false,
            slash_required: true,
            execution_error_status: 500,
            unknown_status: 404,
            expired: Expired::Unauthorized,
            nested_token: false,
            offsets: Offsets::Refused,
            commits_anyway: false,
            foreign_org_ignored: false,
            provider: true,
            open_interface: true,
            nested_rows: false,
            fills_record_id: false,
            atomic_inserts: false,
            good_rows_stay: false,
            x_request_id: false,
            positional_arguments: false,
            lockbox_amounts: Scale::Minor,
            ignore_keeps_receipt: true,
            numbers_receipts: false,
            all_classes: true,
            closed_too: true,
            attribute_context: "GoCardless",
        }
    }
}

impl Switches {
    /// The default and one variation per switch, with a name for the test's output: the settings under which a client
    /// must work unchanged. Not among them: what a client's own settings follow (spelling of operations, unit of
    /// lockbox amounts, positional arguments, numbering by sequence, the meaning of IGNORE_INVALID_TXN_NUM, a site
    /// without open interfaces or provider, and a package that hides closed rows).
    pub fn variations() -> Vec<(&'static str, Self)> {
        let with = crate::variation::<Self>;
        vec![
            ("default", Self::default()),
            with("a lax level", |s| s.strict = false),
            with("JSON nulls", |s| s.nulls = Nulls::Json),
            with("a lax level with JSON nulls", |s| {
                s.strict = false;
                s.nulls = Nulls::Json;
            }),
            with("null input accepted", |s| s.null_input_refused = false),
            with("any case of operations", |s| s.case_sensitive = false),
            with("no closing slash needed", |s| s.slash_required = false),
            with("400 for execution errors", |s| {
                s.execution_error_status = 400;
            }),
            with("500 for unknown operations", |s| s.unknown_status = 500),
            with("expiry by redirect", |s| s.expired = Expired::Redirect),
            with("expiry by login page", |s| s.expired = Expired::LoginPage),
            with("nested token", |s| s.nested_token = true),
            with("offsets cut", |s| s.offsets = Offsets::Cut),
            with("offsets converted", |s| s.offsets = Offsets::Converted),
            with("commits anyway", |s| s.commits_anyway = true),
            with("foreign organisation ignored", |s| {
                s.foreign_org_ignored = true;
            }),
            with("nested rows", |s| s.nested_rows = true),
            with("record ids filled", |s| s.fills_record_id = true),
            with("atomic inserts", |s| s.atomic_inserts = true),
            with("good rows stay", |s| s.good_rows_stay = true),
            with("X_REQUEST_ID", |s| s.x_request_id = true),
            with("only collectable classes", |s| s.all_classes = false),
        ]
    }
}
