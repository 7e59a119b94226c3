//! What differs between clients and what the sheet leaves open (PX 10.2), with the cautious reading as default.

use std::collections::BTreeSet;
use std::time::Duration;

/// What an app may do in one of its two areas (PX 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Not switched on: 403 API-2.
    None,
    /// Reads.
    Read,
    /// Reads and writes.
    ReadWrite,
}

/// A pair of credentials and what it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The secret.
    pub secret: String,
    /// Companies, organizations, workers.
    pub people: Access,
    /// Pay periods, pay components, checks. Often missing (PX 1.2).
    pub payroll: Access,
    /// The companies that are linked; `None`: every company.
    pub companies: Option<BTreeSet<String>>,
    /// A partner's app may ask for links and subscribe to four more domains (PX 1.4, 6.4).
    pub partner: bool,
}

impl Client {
    /// A client that reads everything of every company.
    pub fn reader(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            people: Access::Read,
            payroll: Access::Read,
            companies: None,
            partner: false,
        }
    }

    pub(crate) fn reaches(&self, company: &str) -> bool {
        self.companies
            .as_ref()
            .is_none_or(|linked| linked.contains(company))
    }
}

/// What happens to a further page without the tag of the page before (PX 3.4: not published).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtagRule {
    /// Nothing: the tag has no effect.
    Ignored,
    /// Refused with this status.
    Refused(u16),
    /// Answered from a collection that has moved by one: an item is missed.
    Shifted,
}

/// What a read of checks gets while its period is processing (PX 4.11, 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessingAnswer {
    /// 400 API-19.
    BadRequest,
    /// 503 API-66.
    Unavailable,
    /// 200 with nothing.
    Empty,
}

/// The sign of the amounts in a period that undoes another (PX 4.11: not known).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReversalSign {
    /// Every amount has the opposite sign.
    Negative,
    /// The amounts of the original.
    Positive,
}

/// How the token endpoint says no (PX 2: not described).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// `{"error", "error_description"}`.
    OAuth,
    /// The list of errors with API-102.
    List,
    /// A page of the gateway.
    Page,
}

/// The switches.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Switches {
    /// Host in the links of answers (PX 1.1).
    pub link_base: String,
    /// Life of a token (PX 2: 600 to 3600 seconds were seen).
    pub token_life: Duration,
    /// `expires_in` is text (PX 2).
    pub expires_in_as_text: bool,
    /// `scope` is a list of names instead of `oob` (PX 1.3).
    pub scope_list: bool,
    /// A new token ends the one before (PX 10.2 no. 3).
    pub new_token_ends_old: bool,
    /// Requests for tokens a minute before they are refused with 429: a client that asks for every call is stopped.
    pub token_requests_per_minute: usize,
    /// How a wrong secret is refused.
    pub token_refusal: TokenRefusal,
    /// Code of a 401 for an expired token (PX 2: API-103, but most operations show API-102).
    pub expired_code: &'static str,
    /// Calls a second before 429 (PX 7.3: announced figures).
    pub calls_per_second: usize,
    /// `Retry-After` is a date instead of seconds (PX 7.3).
    pub retry_after_date: bool,
    /// Largest page, whatever was asked for (PX 5).
    pub page_max: usize,
    /// What a page without the tag gets.
    pub etag: EtagRule,
    /// `pagination.total` is there (PX 5).
    pub total: bool,
    /// The link back is called `prev` instead of `previous` (PX 5).
    pub prev: bool,
    /// Answers carry `metadata` beyond what paging needs (PX 3.3).
    pub metadata: bool,
    /// Answers carry outer `links` (PX 3.3).
    pub links: bool,
    /// Absent values are null instead of left out (PX 3.3).
    pub nulls: bool,
    /// Objects carry a field that no document names (PX 3.1).
    pub extra_fields: bool,
    /// Organizations carry `number` and `level` (PX 4.2).
    pub organization_numbers: bool,
    /// Names of query members are matched with their case (PX 5).
    pub query_case_sensitive: bool,
    /// `from` and `to` take plain dates (PX 4.11).
    pub plain_dates: bool,
    /// A check gets another id when it is processed (PX 4.12).
    pub check_id_changes: bool,
    /// Check dates are not at midnight (PX 8).
    pub odd_check_times: bool,
    /// What a read of checks gets while their period is processing.
    pub processing: ProcessingAnswer,
    /// Sign of amounts in a companion period.
    pub reversal: ReversalSign,
    /// Months of checks that can be read (PX 9.1 no. 28).
    pub history_months: i32,
    /// How long a change takes until reads show it, although it was announced at once (PX 6.5).
    pub read_lag: Duration,
    /// Listing hooks when there is none: 404 instead of an empty list (PX 4.14).
    pub no_hooks_is_404: bool,
    /// `/management/domains` answers a list inside a list (PX 4.14).
    pub nested_domains: bool,
    /// The word for a key in hooks: `APIKEY` instead of `API_KEY` (PX 6.2).
    pub apikey_in_one_word: bool,
    /// The header in which a hook's key arrives (PX 6.2: not published).
    pub hook_key_header: &'static str,
    /// Notifications name several domains at once (PX 6.3).
    pub joined_domains: bool,
    /// Time until a notification that was not taken is sent again (PX 6.5).
    pub notification_repeat: Duration,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            link_base: "https://api.paychex.com".to_owned(),
            token_life: Duration::from_secs(3599),
            expires_in_as_text: false,
            scope_list: false,
            new_token_ends_old: true,
            token_requests_per_minute: 10,
            token_refusal: TokenRefusal::OAuth,
            expired_code: "API-103",
            calls_per_second: 2000,
            retry_after_date: false,
            page_max: 20,
            etag: EtagRule::Refused(409),
            total: true,
            prev: false,
            metadata: true,
            links: true,
            nulls: false,
            extra_fields: false,
            organization_numbers: true,
            query_case_sensitive: true,
            plain_dates: false,
            check_id_changes: true,
            odd_check_times: false,
            processing: ProcessingAnswer::BadRequest,
            reversal: ReversalSign::Negative,
            history_months: 14,
            read_lag: Duration::ZERO,
            no_hooks_is_404: true,
            nested_domains: true,
            apikey_in_one_word: false,
            hook_key_header: "x-api-key",
            joined_domains: false,
            notification_repeat: Duration::from_secs(300),
        }
    }
}

impl Switches {
    /// The default and one variation per switch, with a name for the test's output: the settings under which a client
    /// must work unchanged.
    pub fn variations() -> Vec<(&'static str, Self)> {
        let with = crate::variation::<Self>;
        vec![
            ("default", Self::default()),
            with("ten minutes of token", |s| {
                s.token_life = Duration::from_secs(600);
            }),
            with("expires_in as text", |s| s.expires_in_as_text = true),
            with("a list of scopes", |s| s.scope_list = true),
            with("tokens live side by side", |s| s.new_token_ends_old = false),
            with("API-102 for an expired token", |s| {
                s.expired_code = "API-102";
            }),
            with("Retry-After as a date", |s| s.retry_after_date = true),
            with("pages of a hundred", |s| s.page_max = 100),
            with("tags without effect", |s| s.etag = EtagRule::Ignored),
            with("a shifted page without the tag", |s| {
                s.etag = EtagRule::Shifted;
            }),
            with("no total", |s| s.total = false),
            with("prev", |s| s.prev = true),
            with("no metadata", |s| s.metadata = false),
            with("no links", |s| s.links = false),
            with("nulls", |s| s.nulls = true),
            with("unknown fields", |s| s.extra_fields = true),
            with("no organization numbers", |s| {
                s.organization_numbers = false;
            }),
            with("query names without case", |s| {
                s.query_case_sensitive = false;
            }),
            with("plain dates", |s| s.plain_dates = true),
            with("checks keep their id", |s| s.check_id_changes = false),
            with("odd check times", |s| s.odd_check_times = true),
            with("503 while processing", |s| {
                s.processing = ProcessingAnswer::Unavailable;
            }),
            with("nothing while processing", |s| {
                s.processing = ProcessingAnswer::Empty;
            }),
            with("positive reversals", |s| {
                s.reversal = ReversalSign::Positive;
            }),
            with("no hooks is an empty list", |s| s.no_hooks_is_404 = false),
            with("flat domains", |s| s.nested_domains = false),
            with("several domains at once", |s| s.joined_domains = true),
        ]
    }
}
