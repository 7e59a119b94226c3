//! Switches for everything that differs between sites or is not known (SY appendix B), with the cautious reading as
//! default. Tests are expected to pass under every setting.

use std::time::Duration;

/// How the root element of a transaction answer is spelt (SY 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootCase {
    /// `postarpayment`, as recorded.
    Lower,
    /// `POSTARPAYMENT`.
    Upper,
    /// `PostArPayment`, as it was sent.
    AsSent,
}

/// How a counter of zero is written (SY 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroCounters {
    /// `<ItemsInvalid/>`.
    Empty,
    /// `<ItemsInvalid>000000</ItemsInvalid>`.
    Zeros,
}

/// Where a refused field shows its error (SY 4.1, 8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// Inside the field's own element.
    Field,
    /// Beside the fields, directly in the item.
    Item,
}

/// What happens to negative amounts in ARSTPY payments (SY 4.2, 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negatives {
    /// Posted.
    Accepted,
    /// A warning: posted only with IgnoreWarnings Y.
    Warned,
    /// A field error.
    Rejected,
}

/// What happens to a text that is longer than its column (SY 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLong {
    /// A field error.
    Rejected,
    /// Cut off silently.
    Truncated,
}

/// How the answer of PostLD is wrapped (SY 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// The same text as from Post.
    None,
    /// In an element `string`.
    Text,
    /// In an element `TransactionPostLDResult`.
    Result,
}

/// What a sub-ledger answer says of the general ledger (SY 4.1: filled only where AR integrates at once).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlJournals {
    /// The journal that was made.
    Named,
    /// The element is there, its members are blank.
    Empty,
    /// No element.
    Absent,
}

/// The switches.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Switches {
    /// Answers are JSON strings (SY 2.2).
    pub quoted_answers: bool,
    /// Numeric keys in COMFND values and rows are in the 15-digit stored form (SY 4.13, 9.1).
    pub padded_keys: bool,
    /// Spelling of answer roots.
    pub root_case: RootCase,
    /// Spelling of zero.
    pub zero_counters: ZeroCounters,
    /// The bytes are UTF-8 although Windows-1252 is declared (SY 3.4).
    pub utf8_answers: bool,
    /// The root carries `Language2`.
    pub language2: bool,
    /// COMFND without a hit answers an `ERROR` text (SY 4.13).
    pub no_rows_as_error: bool,
    /// COMSFM Add of a value that is there replaces it; otherwise 120001 (SY 4.7).
    pub add_replaces_form_value: bool,
    /// Negative payments.
    pub negatives: Negatives,
    /// ARSTPY, CSHTWD and WIPTLP answers name a GL journal (SY 4.1).
    pub gl_journal: GlJournals,
    /// Sessions end after being idle for so long (SY 2.5).
    pub idle_expiry: Option<Duration>,
    /// Place of field errors.
    pub nesting: Nesting,
    /// Status for a request line beyond the limit: 400 or 414 (SY 3.2).
    pub too_long_status: u16,
    /// Longest request target in bytes (SY 3.2: about 16 KB).
    pub url_bytes_max: usize,
    /// SYSPRO 8: PostLD exists, newer parameters are known, journals have ten digits (SY 1.5, 3.2, 9.2).
    pub version_8: bool,
    /// Wrapping of PostLD answers.
    pub post_ld_wrapping: Wrapping,
    /// Elements out of their documented order are refused (SY 3.5).
    pub strict_order: bool,
    /// JournalNotation must be present in an ARSTPY payment (SY 4.1: documented as mandatory).
    pub notation_required: bool,
    /// References beyond 30 characters.
    pub long_reference: TooLong,
    /// A bare `+` in a query is a space (SY 3.1).
    pub plus_is_space: bool,
    /// AR set-up demands bank deposit slips: Bank is used and checked in ARSTPY (SY 4.1).
    pub deposit_slips: bool,
    /// ArInvoicePay holds payments as negative values; the sheet does not say (SY 5.2).
    pub negative_pay_rows: bool,
    /// COMFND serves tables with a plus sign in their name (SY 4.13: unverified).
    pub plus_tables: bool,
    /// Customers on hold refuse receipts (SY 4.5: receipts are not named as stopped).
    pub hold_stops_receipts: bool,
    /// A logon that evicts a session aborts what that session still runs (SY 2.5: unverified).
    pub eviction_aborts_running_post: bool,
    /// GL set-up demands that journals are authorised before they are posted (SY 4.10).
    pub authorisation_required: bool,
    /// The service has a basic HTTP binding for SOAP (SY 3.3: said to exist).
    pub soap: bool,
    /// SOAP: an `ERROR` comes as a fault instead of a result (SY 3.3).
    pub soap_faults: bool,
    /// OData answers are a bare array instead of an object with `value` (SY 6.4).
    pub odata_bare_array: bool,
    /// OData refusals are pages of the web server (SY 6.4).
    pub odata_html_errors: bool,
    /// A result beyond 5000 rows names the next page; otherwise it is cut without a word (SY 6.3).
    pub odata_next_link: bool,
    /// OData texts are right-padded (SY 6.4).
    pub odata_padded_text: bool,
    /// OData dates carry a zone (SY 6.4).
    pub odata_zoned_dates: bool,
    /// The table with a plus sign has another name in OData (SY 6.4).
    pub odata_plus_renamed: bool,
    /// Seats; a logon beyond them is refused (SY 2.4).
    pub seats: usize,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            quoted_answers: false,
            padded_keys: false,
            root_case: RootCase::Lower,
            zero_counters: ZeroCounters::Empty,
            utf8_answers: false,
            language2: true,
            no_rows_as_error: false,
            add_replaces_form_value: false,
            negatives: Negatives::Warned,
            gl_journal: GlJournals::Named,
            idle_expiry: None,
            nesting: Nesting::Field,
            too_long_status: 400,
            url_bytes_max: 16_384,
            version_8: true,
            post_ld_wrapping: Wrapping::None,
            strict_order: true,
            notation_required: true,
            long_reference: TooLong::Rejected,
            plus_is_space: true,
            deposit_slips: true,
            negative_pay_rows: false,
            plus_tables: false,
            hold_stops_receipts: false,
            eviction_aborts_running_post: false,
            authorisation_required: false,
            soap: true,
            soap_faults: true,
            odata_bare_array: false,
            odata_html_errors: false,
            odata_next_link: false,
            odata_padded_text: false,
            odata_zoned_dates: true,
            odata_plus_renamed: false,
            seats: 5,
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
            with("quoted answers", |s| s.quoted_answers = true),
            with("padded keys", |s| s.padded_keys = true),
            with("upper-case roots", |s| s.root_case = RootCase::Upper),
            with("roots as sent", |s| s.root_case = RootCase::AsSent),
            with("zero counters written out", |s| {
                s.zero_counters = ZeroCounters::Zeros;
            }),
            with("UTF-8 bytes", |s| s.utf8_answers = true),
            with("no Language2", |s| s.language2 = false),
            with("no rows as ERROR", |s| s.no_rows_as_error = true),
            with("Add replaces form values", |s| {
                s.add_replaces_form_value = true;
            }),
            with("an empty GL journal", |s| s.gl_journal = GlJournals::Empty),
            with("no GL journal", |s| s.gl_journal = GlJournals::Absent),
            with("idle expiry", |s| {
                s.idle_expiry = Some(Duration::from_secs(300));
            }),
            with("errors in the item", |s| s.nesting = Nesting::Item),
            with("414 for long addresses", |s| s.too_long_status = 414),
            with("short addresses", |s| s.url_bytes_max = 8000),
            with("PostLD wrapped in string", |s| {
                s.post_ld_wrapping = Wrapping::Text;
            }),
            with("PostLD wrapped in a result", |s| {
                s.post_ld_wrapping = Wrapping::Result;
            }),
            with("negative pay rows", |s| s.negative_pay_rows = true),
            with("plus is a plus", |s| s.plus_is_space = false),
            with("no deposit slips", |s| s.deposit_slips = false),
            with("SOAP errors as results", |s| s.soap_faults = false),
            with("bare OData arrays", |s| s.odata_bare_array = true),
            with("OData errors as pages", |s| s.odata_html_errors = true),
            with("OData next links", |s| s.odata_next_link = true),
            with("padded OData texts", |s| s.odata_padded_text = true),
            with("OData dates without zone", |s| s.odata_zoned_dates = false),
        ]
    }
}
