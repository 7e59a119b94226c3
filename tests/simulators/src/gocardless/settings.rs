//! What differs between merchants and environments, and switches for what the sheet marks as unverified.

use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a token may do (GC 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads and writes.
    ReadWrite,
    /// Reads; a write is 403 `insufficient_permissions`.
    ReadOnly,
    /// Was withdrawn: 401 `access_token_revoked`.
    Revoked,
    /// Not yet or no longer active: 401 `access_token_not_active`.
    NotActive,
}

/// The merchant's price list (GC 7.2: "each real merchant has its own fees").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fees {
    /// Per cent of the amount.
    pub percent: Decimal,
    /// Added per payment, in minor units.
    pub fixed_minor: Decimal,
    /// Tax on the fee in per cent; `None` for merchants without tax (GC 7.2).
    pub tax_percent: Option<Decimal>,
    /// Extra fee for a failure or chargeback that is taken back, in minor units, before tax; zero for none (GC 7.1).
    pub surcharge_minor: Decimal,
}

impl Default for Fees {
    /// The price list of the worked example (GC 7.2): 1 % + 0.20, tax 20 %.
    fn default() -> Self {
        Self {
            percent: Decimal::ONE,
            fixed_minor: Decimal::from(20),
            tax_percent: Some(Decimal::from(20)),
            surcharge_minor: Decimal::ZERO,
        }
    }
}

/// Settings of one simulated merchant.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Sandbox (scenario simulators exist) or live (they do not, GC 9.1).
    pub sandbox: bool,
    /// Access tokens and what each may do.
    pub tokens: BTreeMap<String, Access>,
    /// Calls a minute and token (GC 5.1).
    pub calls_per_minute: u32,
    /// Calls a minute and token on `balances` (GC 2.14).
    pub balance_calls_per_minute: u32,
    /// Longest idempotency key; 128 is unverified (GC 6).
    pub idempotency_key_max: usize,
    /// How long a used key is remembered; about 30 days is unverified (GC 6).
    pub idempotency_life: Duration,
    /// Leave the unused cursor out instead of sending null (GC 3).
    pub unused_cursor_left_out: bool,
    /// How long an event takes to show up in `GET /events` (GC 2.10: events are written asynchronously).
    pub event_lag: Duration,
    /// `links.payout` on `payments.paid_out` events: the guide has it, captured webhooks lack it (GC 4.4).
    pub paid_out_names_payout: bool,
    /// `POST /mandates` is open (merchants with approved payment pages only, GC 2.4).
    pub mandates_by_api: bool,
    /// Refunds are switched on (GC 2.3, GC 2.7).
    pub refunds: bool,
    /// Fees are taken from payouts; `None`: invoiced monthly (GC 7.2).
    pub fees: Option<Fees>,
    /// `tax_currency` of payouts: `GBP` or `EUR` for UK and French merchants (GC 2.8).
    pub tax_currency: Option<&'static str>,
    /// Payouts are exchanged into this currency (GC 2.3).
    pub fx_payout_currency: Option<&'static str>,
    /// Largest payment in minor units (GC 8.1: per account).
    pub payment_max_minor: i64,
    /// Start of the payout reference on the bank statement (GC 2.3, GC 2.8).
    pub bank_reference_prefix: String,
    /// Gaps before each automatic retry of a webhook (GC 4.2: up to 8, growing, about 1, 2, 10 minutes first).
    pub webhook_retry_gaps: Vec<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = [1, 2, 10, 30, 60, 180, 360, 720];
        Self {
            sandbox: true,
            tokens: BTreeMap::from([("token-read-write".to_owned(), Access::ReadWrite)]),
            calls_per_minute: 1000,
            balance_calls_per_minute: 60,
            idempotency_key_max: 128,
            idempotency_life: Duration::from_secs(30 * 86_400),
            unused_cursor_left_out: false,
            event_lag: Duration::ZERO,
            paid_out_names_payout: true,
            mandates_by_api: false,
            refunds: true,
            fees: Some(Fees::default()),
            tax_currency: Some("GBP"),
            fx_payout_currency: None,
            payment_max_minor: 5_000_000,
            bank_reference_prefix: "HALDEN".to_owned(),
            webhook_retry_gaps: minutes.map(|m| Duration::from_secs(m * 60)).to_vec(),
        }
    }
}
