//! What is deployed: operations with their parameters, as WADL and XSD would tell (EB 1.5).

use super::settings::{Aliases, Switches};

/// A deployed interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Receipts,
    Package,
    Lockbox,
}

/// What a parameter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Date,
    Record,
    Table,
}

/// What an operation is, on the wire (EB 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A procedure: always POST, also for reads.
    Procedure,
    /// An inbound open interface table: POST, GET, PUT, DELETE.
    Table,
    /// The program of an open interface: POST.
    Program,
}

/// One operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) service: Service,
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) writes: bool,
    pub(crate) inputs: &'static [(&'static str, Kind)],
}

impl Operation {
    /// The path segment as the WADL spells it. PL/SQL in lower case, tables and programs in upper case, unless the
    /// site's level writes all in upper case (EB 1.2).
    pub(crate) fn segment(&self, switches: &Switches) -> String {
        if self.shape == Shape::Procedure && !switches.upper_case_operations {
            self.name.to_lowercase()
        } else {
            self.name.to_owned()
        }
    }

    /// Namespace of the operation (EB 3.1).
    pub(crate) fn namespace(&self, alias: &str) -> String {
        format!(
            "http://xmlns.oracle.com/apps/ar/rest/{alias}/{}/",
            self.name.to_lowercase()
        )
    }
}

impl Service {
    pub(crate) fn of(alias: &str, aliases: &Aliases, switches: &Switches) -> Option<Self> {
        if alias == aliases.receipts {
            Some(Self::Receipts)
        } else if alias == aliases.package {
            Some(Self::Package)
        } else if alias == aliases.lockbox && switches.open_interface {
            Some(Self::Lockbox)
        } else {
            None
        }
    }
}

/// All operations of a service.
pub(crate) fn operations(service: Service) -> impl Iterator<Item = &'static Operation> {
    OPERATIONS
        .iter()
        .filter(move |operation| operation.service == service)
}

use Kind::{Date, Number, Record, Table, Text};

macro_rules! joined {
    ($name:ident = $($list:expr),+) => {
        const $name: &[(&str, Kind)] = &{
            const LISTS: &[&[(&str, Kind)]] = &[$($list),+];
            const COUNT: usize = {
                let (mut at, mut count) = (0, 0);
                while at < LISTS.len() {
                    count += LISTS[at].len();
                    at += 1;
                }
                count
            };
            let mut all = [("", Kind::Text); COUNT];
            let (mut list, mut to) = (0, 0);
            while list < LISTS.len() {
                let mut from = 0;
                while from < LISTS[list].len() {
                    all[to] = LISTS[list][from];
                    from += 1;
                    to += 1;
                }
                list += 1;
            }
            all
        };
    };
}

/// Parameters of every Oracle API (EB 5.3).
const STANDARD: &[(&str, Kind)] = &[
    ("P_API_VERSION", Number),
    ("P_INIT_MSG_LIST", Text),
    ("P_COMMIT", Text),
    ("P_VALIDATION_LEVEL", Number),
    ("P_COMMENTS", Text),
    ("P_ATTRIBUTE_REC", Record),
    ("P_GLOBAL_ATTRIBUTE_REC", Record),
    ("P_ORG_ID", Number),
    ("P_CALLED_FROM", Text),
];

const CASH: &[(&str, Kind)] = &[
    ("P_USR_CURRENCY_CODE", Text),
    ("P_CURRENCY_CODE", Text),
    ("P_USR_EXCHANGE_RATE_TYPE", Text),
    ("P_EXCHANGE_RATE_TYPE", Text),
    ("P_EXCHANGE_RATE", Number),
    ("P_EXCHANGE_RATE_DATE", Date),
    ("P_AMOUNT", Number),
    ("P_FACTOR_DISCOUNT_AMOUNT", Number),
    ("P_RECEIPT_NUMBER", Text),
    ("P_RECEIPT_DATE", Date),
    ("P_GL_DATE", Date),
    ("P_MATURITY_DATE", Date),
    ("P_POSTMARK_DATE", Date),
    ("P_CUSTOMER_ID", Number),
    ("P_CUSTOMER_NAME", Text),
    ("P_CUSTOMER_NUMBER", Text),
    ("P_CUSTOMER_BANK_ACCOUNT_ID", Number),
    ("P_CUSTOMER_BANK_ACCOUNT_NUM", Text),
    ("P_CUSTOMER_BANK_ACCOUNT_NAME", Text),
    ("P_LOCATION", Text),
    ("P_CUSTOMER_SITE_USE_ID", Number),
    ("P_CUSTOMER_RECEIPT_REFERENCE", Text),
    ("P_OVERRIDE_REMIT_ACCOUNT_FLAG", Text),
    ("P_REMITTANCE_BANK_ACCOUNT_ID", Number),
    ("P_REMITTANCE_BANK_ACCOUNT_NUM", Text),
    ("P_REMITTANCE_BANK_ACCOUNT_NAME", Text),
    ("P_DEPOSIT_DATE", Date),
    ("P_RECEIPT_METHOD_ID", Number),
    ("P_RECEIPT_METHOD_NAME", Text),
    ("P_DOC_SEQUENCE_VALUE", Number),
    ("P_USSGL_TRANSACTION_CODE", Text),
    ("P_ANTICIPATED_CLEARING_DATE", Date),
    ("P_ISSUER_NAME", Text),
    ("P_ISSUE_DATE", Date),
    ("P_ISSUER_BANK_BRANCH_ID", Number),
];

const APPLYING: &[(&str, Kind)] = &[
    ("P_CUSTOMER_TRX_ID", Number),
    ("P_TRX_NUMBER", Text),
    ("P_INSTALLMENT", Number),
    ("P_APPLIED_PAYMENT_SCHEDULE_ID", Number),
    ("P_AMOUNT_APPLIED", Number),
    ("P_AMOUNT_APPLIED_FROM", Number),
    ("P_TRANS_TO_RECEIPT_RATE", Number),
    ("P_DISCOUNT", Number),
    ("P_APPLY_DATE", Date),
    ("P_APPLY_GL_DATE", Date),
    ("P_SHOW_CLOSED_INVOICES", Text),
    ("P_CUSTOMER_REFERENCE", Text),
];

const BY_RECEIPT: &[(&str, Kind)] = &[("P_CASH_RECEIPT_ID", Number), ("P_RECEIPT_NUMBER", Text)];
const PROCESSOR: &[(&str, Kind)] = &[("P_CALL_PAYMENT_PROCESSOR", Text)];
const MISC: &[(&str, Kind)] = &[("P_RECEIVABLES_TRX_ID", Number), ("P_ACTIVITY", Text)];
const REVERSING: &[(&str, Kind)] = &[
    ("P_REVERSAL_CATEGORY_CODE", Text),
    ("P_REVERSAL_CATEGORY_NAME", Text),
    ("P_REVERSAL_GL_DATE", Date),
    ("P_REVERSAL_DATE", Date),
    ("P_REVERSAL_REASON_CODE", Text),
    ("P_REVERSAL_REASON_NAME", Text),
    ("P_REVERSAL_COMMENTS", Text),
    ("P_CANCEL_CLAIMS_FLAG", Text),
];
const PAGE: &[(&str, Kind)] = &[
    ("P_UPDATED_SINCE", Date),
    ("P_AFTER_ID", Number),
    ("P_MAX_ROWS", Number),
];

joined!(CREATE_CASH = STANDARD, CASH);
joined!(APPLY = STANDARD, BY_RECEIPT, APPLYING);
joined!(CREATE_AND_APPLY = STANDARD, CASH, APPLYING, PROCESSOR);
joined!(CREATE_ON_ACCOUNT = STANDARD, CASH, APPLYING, PROCESSOR);
joined!(CREATE_MISC = STANDARD, CASH, MISC);
joined!(REVERSE = STANDARD, BY_RECEIPT, REVERSING);
joined!(
    INVOICES = PAGE,
    &[
        ("P_PAYMENT_SCHEDULE_ID", Number),
        ("P_CUST_ACCOUNT_ID", Number),
    ]
);
joined!(CUSTOMERS = PAGE, &[("P_CUST_ACCOUNT_ID", Number)]);

const fn procedure(
    service: Service,
    name: &'static str,
    writes: bool,
    inputs: &'static [(&'static str, Kind)],
) -> Operation {
    Operation {
        service,
        name,
        shape: Shape::Procedure,
        writes,
        inputs,
    }
}

const OPERATIONS: &[Operation] = &[
    procedure(Service::Receipts, "CREATE_CASH", true, CREATE_CASH),
    procedure(Service::Receipts, "APPLY", true, APPLY),
    procedure(
        Service::Receipts,
        "CREATE_AND_APPLY",
        true,
        CREATE_AND_APPLY,
    ),
    procedure(Service::Receipts, "UNAPPLY", true, APPLY),
    procedure(Service::Receipts, "APPLY_ON_ACCOUNT", true, APPLY),
    procedure(
        Service::Receipts,
        "CREATE_APPLY_ON_ACC",
        true,
        CREATE_ON_ACCOUNT,
    ),
    procedure(Service::Receipts, "REVERSE", true, REVERSE),
    procedure(Service::Receipts, "CREATE_MISC", true, CREATE_MISC),
    procedure(Service::Package, "GET_OPEN_INVOICES", false, INVOICES),
    procedure(Service::Package, "GET_CUSTOMERS", false, CUSTOMERS),
    procedure(
        Service::Package,
        "GET_RECEIPT",
        false,
        &[
            ("P_RECEIPT_NUMBER", Text),
            ("P_CASH_RECEIPT_ID", Number),
            ("P_ATTRIBUTE1", Text),
        ],
    ),
    procedure(
        Service::Package,
        "GET_REQUEST_STATUS",
        false,
        &[("P_REQUEST_ID", Number)],
    ),
    procedure(
        Service::Package,
        "GET_OPEN_PERIOD",
        false,
        &[("P_GL_DATE", Date)],
    ),
    procedure(
        Service::Package,
        "CREATE_TRANSMISSION",
        true,
        &[
            ("P_TRANSMISSION_NAME", Text),
            ("P_TRANSMISSION_FORMAT_ID", Number),
            ("P_LOCKBOX_ID", Number),
            ("P_GL_DATE", Date),
            ("P_COUNT", Number),
            ("P_AMOUNT", Number),
        ],
    ),
    procedure(
        Service::Package,
        "GET_TRANSMISSION",
        false,
        &[("P_TRANSMISSION_NAME", Text), ("P_TRANSMISSION_ID", Number)],
    ),
    procedure(
        Service::Package,
        "STAGE_RECEIPTS",
        true,
        &[("P_TRANSMISSION_ID", Number), ("P_RECEIPTS", Table)],
    ),
    procedure(
        Service::Package,
        "SUBMIT_LOCKBOX",
        true,
        &[("P_TRANSMISSION_ID", Number), ("P_GL_DATE", Date)],
    ),
    Operation {
        service: Service::Lockbox,
        name: "AR_PAYMENTS_INTERFACE_ALL",
        shape: Shape::Table,
        writes: true,
        inputs: &[("AR_PAYMENTS_INTERFACE_ALL_REC", Table)],
    },
    Operation {
        service: Service::Lockbox,
        name: "SUBMIT_CP_ARLPLB",
        shape: Shape::Program,
        writes: true,
        inputs: ARLPLB,
    },
];

/// The arguments of Process Lockboxes in their order (EB 5.5).
pub(crate) const ARLPLB: &[(&str, Kind)] = &[
    ("NEW_TRANSMISSION", Text),
    ("LB_TRANSMISSION_ID", Text),
    ("ORIG_REQUEST_ID", Text),
    ("TRANSMISSION_NAME", Text),
    ("SUBMIT_IMPORT", Text),
    ("DATA_FILE", Text),
    ("CNTRL_FILE", Text),
    ("TRANSMISSION_FORMAT_ID", Text),
    ("SUBMIT_VALIDATION", Text),
    ("PAY_UNRELATED_INVOICES", Text),
    ("LOCKBOX_ID", Text),
    ("GL_DATE", Text),
    ("REPORT_FORMAT", Text),
    ("COMPLETE_BATCHES_ONLY", Text),
    ("SUBMIT_POSTBATCH", Text),
    ("ALTERNATE_NAME_SEARCH", Text),
    ("IGNORE_INVALID_TXN_NUM", Text),
    ("USSGL_TRN_CODE", Text),
    ("ORG_ID", Text),
    ("APPLY_UNEARN_DISC", Text),
    ("NO_OF_INSTANCES", Text),
    ("SOURCE_TYPE_FLAG", Text),
    ("SCORING_MODEL_ID", Text),
];
