//! Direct debit schemes: currencies, reference limits, timings and bank codes (GC 2.6, 4.6, 7.4, 8.1, 8.2).

/// What the simulator knows about one scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    pub(crate) currency: &'static str,
    /// Longest `reference` on a payment; `None`: not allowed at all (GC 2.6).
    pub(crate) reference_max: Option<usize>,
    /// Working days from creation to the charge with a live mandate (GC 7.4).
    pub(crate) charge_days: u32,
    /// Working days from the charge to the confirmation (GC 7.4).
    pub(crate) confirm_days: u32,
    /// Working days from the confirmation to the pay-out (GC 7.4).
    pub(crate) pay_out_days: u32,
    /// The mandate is sent together with its first payment (GC 9.1, the footnote).
    pub(crate) sent_with_first_payment: bool,
}

const fn scheme(
    name: &'static str,
    currency: &'static str,
    reference_max: Option<usize>,
    days: (u32, u32, u32),
    sent_with_first_payment: bool,
) -> Scheme {
    let (charge_days, confirm_days, pay_out_days) = days;
    Scheme {
        name,
        currency,
        reference_max,
        charge_days,
        confirm_days,
        pay_out_days,
        sent_with_first_payment,
    }
}

/// Every scheme (GC 8.2). Where GC 7.4 has no row the closest one is taken.
pub(crate) const SCHEMES: [Scheme; 13] = [
    scheme("bacs", "GBP", Some(10), (3, 1, 1), false),
    scheme("sepa_core", "EUR", Some(140), (3, 1, 2), true),
    scheme("ach", "USD", Some(10), (2, 2, 1), true),
    scheme("autogiro", "SEK", Some(11), (8, 0, 2), false),
    scheme("becs", "AUD", Some(30), (1, 2, 1), true),
    scheme("becs_nz", "NZD", Some(12), (2, 3, 1), true),
    scheme("betalingsservice", "DKK", Some(30), (3, 1, 1), false),
    scheme("pad", "CAD", None, (3, 2, 1), false),
    scheme("sepa_cor1", "EUR", Some(140), (2, 1, 2), true),
    scheme("faster_payments", "GBP", None, (0, 0, 1), false),
    scheme("pay_to", "AUD", Some(18), (0, 0, 1), false),
    scheme("sepa_credit_transfer", "EUR", Some(140), (1, 0, 1), false),
    scheme(
        "sepa_instant_credit_transfer",
        "EUR",
        Some(140),
        (0, 0, 1),
        false,
    ),
];

/// The scheme of that name.
pub(crate) fn named(name: &str) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|scheme| scheme.name == name)
}

/// The ordinary bank debit scheme of a currency: the first in the table.
pub(crate) fn of_currency(currency: &str) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|scheme| scheme.currency == currency)
}

/// Smallest payment in minor units (GC 8.1).
pub(crate) fn amount_min(currency: &str) -> i64 {
    match currency {
        "AUD" | "CAD" | "NZD" => 200,
        "DKK" | "SEK" => 1000,
        _ => 100,
    }
}

/// The bank's own code behind a cause, in the form the scheme prints it (GC 4.6). `None` where the table has none.
pub(crate) fn reason_code(scheme: &str, cause: &str, action: &str) -> Option<&'static str> {
    let code = match (scheme, action, cause) {
        ("bacs", "charged_back", _) => "DDICA-1",
        ("sepa_core", "charged_back", "refund_requested") => "MD06",
        ("ach", "charged_back", "refund_requested") => "ACH_RETURN-R16",
        ("bacs", _, "refer_to_payer") => "ARUDD-0",
        ("sepa_core", _, "refer_to_payer") => "MS03",
        ("ach", _, "refer_to_payer") => "ACH_RETURN-R01",
        ("pad", _, "refer_to_payer") => "PAYMENT_STATUS_REPORT-901",
        ("becs_nz", _, "refer_to_payer") => "DISHONOUR-AM04",
        ("becs", _, "refer_to_payer") => "6",
        ("sepa_core", _, "insufficient_funds") => "AM04",
        ("bacs", _, "mandate_cancelled") => "ARUDD-1",
        ("ach", _, "mandate_cancelled") => "ACH_RETURN-R07",
        ("becs_nz", _, "mandate_cancelled") => "DISHONOUR-AG01",
        ("bacs", _, "bank_account_closed") => "ARUDD-2",
        ("sepa_core", _, "bank_account_closed") => "AC04",
        ("ach", _, "bank_account_closed") => "ACH_RETURN-R02",
        ("pad", _, "bank_account_closed") => "PAYMENT_STATUS_REPORT-905",
        ("bacs", _, "bank_account_transferred") => "ARUDD-3",
        ("bacs", _, "authorisation_disputed") => "ARUDD-4",
        ("ach", _, "authorisation_disputed") => "ACH_RETURN-R10",
        ("sepa_core", _, "mandate_cancelled") | ("becs", _, "authorisation_disputed") => "MD01",
        ("bacs", _, "invalid_bank_details") => "ARUDD-5",
        ("sepa_core", _, "invalid_bank_details") => "AC01",
        ("ach", _, "invalid_bank_details") => "ACH_RETURN-R03",
        ("bacs", _, "direct_debit_not_enabled") => "AUDDIS-F",
        ("sepa_core", _, "direct_debit_not_enabled") => "AG01",
        ("ach", _, "direct_debit_not_enabled") => "ACH_RETURN-R20",
        ("bacs", _, "other") => "ARUDD-6",
        ("ach", _, "other") => "ACH_RETURN-R29",
        _ => return None,
    };
    Some(code)
}
