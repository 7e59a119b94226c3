//! What each resource offers: members of its documents, filters of its lists, actions (GC 2).

use super::fields::{Field, Shape, may, must};
use super::kind::Kind;
use super::list::{Filter, Test};
use Shape::{Bool, Choice, Date, Free, Integer, Links, Metadata, Object, Text};

/// One action of a resource: `POST /x/:id/actions/<name>`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
}

/// What may be done with one kind of resource. `None` answers 405 (GC 2.0).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) create: Option<&'static [Field]>,
    pub(crate) update: Option<&'static [Field]>,
    pub(crate) get: bool,
    pub(crate) list: Option<&'static [Filter]>,
    pub(crate) actions: &'static [Action],
}

const NOTHING: Spec = Spec {
    create: None,
    update: None,
    get: true,
    list: None,
    actions: &[],
};

const fn filter(name: &'static str, test: Test) -> Filter {
    Filter { name, test }
}

const fn action(name: &'static str, fields: &'static [Field]) -> Action {
    Action { name, fields }
}

const METADATA: Field = may("metadata", Metadata);
const ONLY_METADATA: &[Field] = &[METADATA];
const CREATED: Filter = filter("created_at", Test::Created);

const LANGUAGES: &[&str] = &[
    "da", "de", "en", "es", "fr", "it", "nb", "nl", "pt", "sl", "sv",
];
const CURRENCIES: &[&str] = &["AUD", "CAD", "DKK", "EUR", "GBP", "NZD", "SEK", "USD"];

/// GC 2.1.
const CUSTOMER: &[Field] = &[
    may("email", Text),
    may("given_name", Text),
    may("family_name", Text),
    may("company_name", Text),
    may("address_line1", Text),
    may("address_line2", Text),
    may("address_line3", Text),
    may("city", Text),
    may("region", Text),
    may("postal_code", Text),
    may("country_code", Text),
    may("language", Choice(LANGUAGES)),
    may("phone_number", Text),
    may("swedish_identity_number", Text),
    may("danish_identity_number", Text),
    METADATA,
];

/// GC 2.2.
const CUSTOMER_BANK_ACCOUNT: &[Field] = &[
    may("account_holder_name", Text),
    may("account_number", Text),
    may("account_type", Choice(&["savings", "checking"])),
    may("bank_code", Text),
    may("branch_code", Text),
    may("country_code", Text),
    may("currency", Choice(CURRENCIES)),
    may("iban", Text),
    METADATA,
    must("links", Links(&["customer", "customer_bank_account_token"])),
];

/// GC 2.3.
const CREDITOR_BANK_ACCOUNT: &[Field] = &[
    must("account_holder_name", Text),
    may("account_number", Text),
    may("account_type", Choice(&["savings", "checking"])),
    may("bank_code", Text),
    may("branch_code", Text),
    may("country_code", Text),
    may("currency", Choice(CURRENCIES)),
    may("iban", Text),
    may("set_as_default_payout_account", Bool),
    METADATA,
    must("links", Links(&["creditor"])),
];

/// GC 2.3: create is restricted, updates change the creditor's own data.
const CREDITOR_UPDATE: &[Field] = &[
    may("name", Text),
    may("address_line1", Text),
    may("address_line2", Text),
    may("address_line3", Text),
    may("city", Text),
    may("region", Text),
    may("postal_code", Text),
    may("country_code", Text),
    may("bank_reference_prefix", Text),
];

/// GC 2.4.
const MANDATE: &[Field] = &[
    may("reference", Text),
    may("scheme", Text),
    METADATA,
    must("links", Links(&["creditor", "customer_bank_account"])),
];

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// GC 2.5.
const SUBSCRIPTION: &[Field] = &[
    must("amount", Integer),
    must("currency", Choice(CURRENCIES)),
    may("name", Text),
    may("start_date", Date),
    may("end_date", Date),
    may("interval", Integer),
    must("interval_unit", Choice(&["weekly", "monthly", "yearly"])),
    may("day_of_month", Integer),
    may("month", Choice(MONTHS)),
    may("count", Integer),
    may("payment_reference", Text),
    may("app_fee", Integer),
    may("retry_if_possible", Bool),
    METADATA,
    must("links", Links(&["mandate"])),
];

const SUBSCRIPTION_UPDATE: &[Field] = &[
    may("name", Text),
    may("amount", Integer),
    may("payment_reference", Text),
    may("retry_if_possible", Bool),
    may("app_fee", Integer),
    METADATA,
];

/// GC 2.6.
const PAYMENT: &[Field] = &[
    must("amount", Integer),
    must("currency", Choice(CURRENCIES)),
    may("charge_date", Date),
    may("description", Text),
    may("reference", Text),
    may("app_fee", Integer),
    may("retry_if_possible", Bool),
    may("faster_ach", Bool),
    METADATA,
    must("links", Links(&["mandate"])),
];

/// GC 2.7.
const REFUND: &[Field] = &[
    must("amount", Integer),
    may("total_amount_confirmation", Integer),
    may("reference", Text),
    METADATA,
    must("links", Links(&["payment", "mandate"])),
];

/// GC 2.11.
const BILLING_REQUEST: &[Field] = &[
    may("fallback_enabled", Bool),
    may(
        "mandate_request",
        Object(&[
            must("currency", Choice(CURRENCIES)),
            may("scheme", Text),
            may(
                "verify",
                Choice(&["minimum", "recommended", "when_available", "always"]),
            ),
            may("description", Text),
            METADATA,
        ]),
    ),
    may(
        "payment_request",
        Object(&[
            must("amount", Integer),
            must("currency", Choice(CURRENCIES)),
            may("scheme", Text),
            may("description", Text),
            METADATA,
        ]),
    ),
    may("subscription_request", Free),
    may("instalment_schedule_request", Free),
    METADATA,
    may(
        "links",
        Links(&["creditor", "customer", "customer_bank_account"]),
    ),
];

/// GC 2.11: the odd envelope adds the actions to the document.
pub(crate) const BILLING_REQUEST_ACTIONS: Field = must("actions", Free);

/// GC 2.11.
pub(crate) const CUSTOMER_DETAILS: &[Field] =
    &[may("customer", Free), may("customer_billing_detail", Free)];

/// GC 2.11: bank details as in GC 2.2, without links.
pub(crate) const BANK_ACCOUNT_DETAILS: &[Field] = &[
    may("account_holder_name", Text),
    may("account_number", Text),
    may("account_number_suffix", Text),
    may("account_type", Choice(&["savings", "checking"])),
    may("bank_code", Text),
    may("branch_code", Text),
    may("country_code", Text),
    may("currency", Choice(CURRENCIES)),
    may("iban", Text),
    METADATA,
];

const BILLING_REQUEST_FLOW: &[Field] = &[
    may("redirect_uri", Text),
    may("exit_uri", Text),
    may("auto_fulfil", Bool),
    may("lock_currency", Bool),
    may("lock_customer_details", Bool),
    may("lock_bank_account", Bool),
    may("prefilled_customer", Free),
    may("prefilled_bank_account", Free),
    must("links", Links(&["billing_request"])),
];

/// GC 2.12.
const INSTALMENT_SCHEDULE: &[Field] = &[
    must("name", Text),
    must("currency", Choice(CURRENCIES)),
    must("total_amount", Integer),
    must("instalments", Free),
    may("payment_reference", Text),
    may("app_fee", Integer),
    may("retry_if_possible", Bool),
    METADATA,
    must("links", Links(&["mandate"])),
];

const PAUSE: &[Field] = &[may("pause_cycles", Integer), METADATA];
const RETRY: &[Field] = &[may("charge_date", Date), METADATA];
const RUN: &[Field] = &[may("links", Links(&["resource"]))];
const NOTIFY: &[Field] = &[
    must("notification_type", Choice(&["email"])),
    may("redirect_uri", Text),
];
const CHOOSE_CURRENCY: &[Field] = &[must("currency", Choice(CURRENCIES)), METADATA];
const SELECT_INSTITUTION: &[Field] = &[must("institution", Text), must("country_code", Text)];

const CUSTOMERS_SPEC: Spec = Spec {
    create: Some(CUSTOMER),
    update: Some(CUSTOMER),
    list: Some(&[
        CREATED,
        filter("currency", Test::Own),
        filter("action_required", Test::Ignored(&["true", "false"])),
        filter(
            "sort_field",
            Test::Ignored(&["name", "company_name", "created_at"]),
        ),
        filter("sort_direction", Test::Ignored(&["asc", "desc"])),
    ]),
    ..NOTHING
};

const CUSTOMER_BANK_ACCOUNTS_SPEC: Spec = Spec {
    create: Some(CUSTOMER_BANK_ACCOUNT),
    update: Some(ONLY_METADATA),
    list: Some(&[
        CREATED,
        filter("customer", Test::Link("customer")),
        filter("enabled", Test::Flag("enabled")),
    ]),
    actions: &[action("disable", ONLY_METADATA)],
    ..NOTHING
};

const CREDITORS_SPEC: Spec = Spec {
    create: Some(CREDITOR_UPDATE),
    update: Some(CREDITOR_UPDATE),
    list: Some(&[CREATED]),
    ..NOTHING
};

const CREDITOR_BANK_ACCOUNTS_SPEC: Spec = Spec {
    create: Some(CREDITOR_BANK_ACCOUNT),
    list: Some(&[
        CREATED,
        filter("creditor", Test::Link("creditor")),
        filter("enabled", Test::Flag("enabled")),
    ]),
    actions: &[action("disable", ONLY_METADATA)],
    ..NOTHING
};

const MANDATES_SPEC: Spec = Spec {
    create: Some(MANDATE),
    update: Some(ONLY_METADATA),
    list: Some(&[
        CREATED,
        filter("creditor", Test::Link("creditor")),
        filter("customer", Test::Link("customer")),
        filter("customer_bank_account", Test::Link("customer_bank_account")),
        filter("reference", Test::Member("reference")),
        filter("status", Test::Several("status", usize::MAX)),
        filter("scheme", Test::Several("scheme", usize::MAX)),
        filter("mandate_type", Test::Member("mandate_type")),
    ]),
    actions: &[
        action("cancel", ONLY_METADATA),
        action("reinstate", ONLY_METADATA),
    ],
    ..NOTHING
};

const SUBSCRIPTIONS_SPEC: Spec = Spec {
    create: Some(SUBSCRIPTION),
    update: Some(SUBSCRIPTION_UPDATE),
    list: Some(&[
        CREATED,
        filter("customer", Test::Own),
        filter("mandate", Test::Link("mandate")),
        filter("status", Test::Several("status", 5)),
    ]),
    actions: &[
        action("pause", PAUSE),
        action("resume", ONLY_METADATA),
        action("cancel", ONLY_METADATA),
    ],
    ..NOTHING
};

const PAYMENTS_SPEC: Spec = Spec {
    create: Some(PAYMENT),
    update: Some(&[METADATA, may("retry_if_possible", Bool)]),
    list: Some(&[
        CREATED,
        filter("charge_date", Test::DateRange("charge_date")),
        filter("creditor", Test::Link("creditor")),
        filter("customer", Test::Own),
        filter("mandate", Test::Link("mandate")),
        filter("subscription", Test::Link("subscription")),
        filter("currency", Test::Member("currency")),
        filter("scheme", Test::Member("scheme")),
        filter("status", Test::Member("status")),
        filter("sort_field", Test::Ignored(&["charge_date", "amount"])),
        filter("sort_direction", Test::Ignored(&["asc", "desc"])),
    ]),
    actions: &[action("cancel", ONLY_METADATA), action("retry", RETRY)],
    ..NOTHING
};

const REFUNDS_SPEC: Spec = Spec {
    create: Some(REFUND),
    update: Some(ONLY_METADATA),
    list: Some(&[
        CREATED,
        filter("payment", Test::Link("payment")),
        filter("mandate", Test::Link("mandate")),
        filter("refund_type", Test::Own),
    ]),
    ..NOTHING
};

const PAYOUTS_SPEC: Spec = Spec {
    update: Some(ONLY_METADATA),
    list: Some(&[
        CREATED,
        filter("creditor", Test::Link("creditor")),
        filter("creditor_bank_account", Test::Link("creditor_bank_account")),
        filter("currency", Test::Member("currency")),
        filter("status", Test::Member("status")),
        filter("payout_type", Test::Member("payout_type")),
        filter("reference", Test::Member("reference")),
        filter("metadata", Test::Metadata),
    ]),
    ..NOTHING
};

const PAYOUT_ITEMS_SPEC: Spec = Spec {
    get: false,
    list: Some(&[
        filter("payout", Test::Link("payout")),
        filter(
            "include_2020_tax_cutover",
            Test::Ignored(&["true", "false"]),
        ),
    ]),
    ..NOTHING
};

const EVENTS_SPEC: Spec = Spec {
    list: Some(EVENT_FILTERS),
    ..NOTHING
};

const BILLING_REQUESTS_SPEC: Spec = Spec {
    create: Some(BILLING_REQUEST),
    list: Some(&[
        CREATED,
        filter("customer", Test::Link("customer")),
        filter("status", Test::Member("status")),
    ]),
    actions: &[
        action("collect_customer_details", CUSTOMER_DETAILS),
        action("collect_bank_account", BANK_ACCOUNT_DETAILS),
        action("confirm_payer_details", ONLY_METADATA),
        action("fulfil", ONLY_METADATA),
        action("cancel", ONLY_METADATA),
        action("notify", NOTIFY),
        action("fallback", ONLY_METADATA),
        action("choose_currency", CHOOSE_CURRENCY),
        action("select_institution", SELECT_INSTITUTION),
    ],
    ..NOTHING
};

const BILLING_REQUEST_FLOWS_SPEC: Spec = Spec {
    create: Some(BILLING_REQUEST_FLOW),
    get: false,
    actions: &[action("initialise", ONLY_METADATA)],
    ..NOTHING
};

const INSTALMENT_SCHEDULES_SPEC: Spec = Spec {
    create: Some(INSTALMENT_SCHEDULE),
    update: Some(ONLY_METADATA),
    list: Some(&[
        CREATED,
        filter("customer", Test::Link("customer")),
        filter("mandate", Test::Link("mandate")),
        filter("status", Test::Several("status", 5)),
    ]),
    actions: &[action("cancel", ONLY_METADATA)],
    ..NOTHING
};

const TAX_RATES_SPEC: Spec = Spec {
    list: Some(&[filter("jurisdiction", Test::Member("jurisdiction"))]),
    ..NOTHING
};

const WEBHOOKS_SPEC: Spec = Spec {
    list: Some(&[
        CREATED,
        filter("is_test", Test::Flag("is_test")),
        filter("successful", Test::Flag("successful")),
    ]),
    actions: &[action("retry", &[])],
    ..NOTHING
};

const BALANCES_SPEC: Spec = Spec {
    get: false,
    list: Some(&[filter("creditor", Test::Link("creditor"))]),
    ..NOTHING
};

const SCENARIO_SIMULATORS_SPEC: Spec = Spec {
    get: false,
    actions: &[action("run", RUN)],
    ..NOTHING
};

/// What may be done with one kind.
pub(crate) const fn of(kind: Kind) -> Spec {
    match kind {
        Kind::Customers => CUSTOMERS_SPEC,
        Kind::CustomerBankAccounts => CUSTOMER_BANK_ACCOUNTS_SPEC,
        Kind::Creditors => CREDITORS_SPEC,
        Kind::CreditorBankAccounts => CREDITOR_BANK_ACCOUNTS_SPEC,
        Kind::Mandates => MANDATES_SPEC,
        Kind::Subscriptions => SUBSCRIPTIONS_SPEC,
        Kind::Payments => PAYMENTS_SPEC,
        Kind::Refunds => REFUNDS_SPEC,
        Kind::Payouts => PAYOUTS_SPEC,
        Kind::PayoutItems => PAYOUT_ITEMS_SPEC,
        Kind::Events => EVENTS_SPEC,
        Kind::BillingRequests => BILLING_REQUESTS_SPEC,
        Kind::BillingRequestFlows => BILLING_REQUEST_FLOWS_SPEC,
        Kind::InstalmentSchedules => INSTALMENT_SCHEDULES_SPEC,
        Kind::TaxRates => TAX_RATES_SPEC,
        Kind::Webhooks => WEBHOOKS_SPEC,
        Kind::Balances => BALANCES_SPEC,
        Kind::ScenarioSimulators => SCENARIO_SIMULATORS_SPEC,
    }
}

/// GC 2.10.
const EVENT_FILTERS: &[Filter] = &[
    CREATED,
    filter("resource_type", Test::Member("resource_type")),
    filter("action", Test::Member("action")),
    filter("include", Test::Include),
    filter("payment", Test::Subject("payment")),
    filter("mandate", Test::Subject("mandate")),
    filter("subscription", Test::Subject("subscription")),
    filter("refund", Test::Subject("refund")),
    filter("payout", Test::Subject("payout")),
    filter("billing_request", Test::Subject("billing_request")),
    filter("instalment_schedule", Test::Subject("instalment_schedule")),
    filter("creditor", Test::Subject("creditor")),
    filter("export", Test::Subject("export")),
    filter("payer_authorisation", Test::Subject("payer_authorisation")),
    filter("scheme_identifier", Test::Subject("scheme_identifier")),
    filter("outbound_payment", Test::Subject("outbound_payment")),
    filter(
        "payment_account_transaction",
        Test::Subject("payment_account_transaction"),
    ),
    filter("parent_event", Test::Link("parent_event")),
];

/// Values of `resource_type` (GC 2.10).
pub(crate) const RESOURCE_TYPES: &[&str] = &[
    "billing_requests",
    "creditors",
    "customers",
    "exports",
    "instalment_schedules",
    "mandates",
    "organisations",
    "outbound_payments",
    "payer_authorisations",
    "payments",
    "payment_account_transactions",
    "payouts",
    "refunds",
    "scheme_identifiers",
    "subscriptions",
];
