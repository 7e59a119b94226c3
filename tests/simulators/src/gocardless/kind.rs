//! The resources, their names and id prefixes (GC 1.4, GC 2.0).

/// One kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// GC 2.1.
    Customers,
    /// GC 2.2.
    CustomerBankAccounts,
    /// GC 2.3.
    Creditors,
    /// GC 2.3.
    CreditorBankAccounts,
    /// GC 2.4.
    Mandates,
    /// GC 2.5.
    Subscriptions,
    /// GC 2.6.
    Payments,
    /// GC 2.7.
    Refunds,
    /// GC 2.8.
    Payouts,
    /// GC 2.9.
    PayoutItems,
    /// GC 2.10.
    Events,
    /// GC 2.11.
    BillingRequests,
    /// GC 2.11.
    BillingRequestFlows,
    /// GC 2.12.
    InstalmentSchedules,
    /// GC 2.13.
    TaxRates,
    /// GC 2.14.
    Webhooks,
    /// GC 2.14.
    Balances,
    /// GC 9.1.
    ScenarioSimulators,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Customers,
        Self::CustomerBankAccounts,
        Self::Creditors,
        Self::CreditorBankAccounts,
        Self::Mandates,
        Self::Subscriptions,
        Self::Payments,
        Self::Refunds,
        Self::Payouts,
        Self::PayoutItems,
        Self::Events,
        Self::BillingRequests,
        Self::BillingRequestFlows,
        Self::InstalmentSchedules,
        Self::TaxRates,
        Self::Webhooks,
        Self::Balances,
        Self::ScenarioSimulators,
    ];

    /// The plural name: path segment and envelope key (GC 1.1).
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::CustomerBankAccounts => "customer_bank_accounts",
            Self::Creditors => "creditors",
            Self::CreditorBankAccounts => "creditor_bank_accounts",
            Self::Mandates => "mandates",
            Self::Subscriptions => "subscriptions",
            Self::Payments => "payments",
            Self::Refunds => "refunds",
            Self::Payouts => "payouts",
            Self::PayoutItems => "payout_items",
            Self::Events => "events",
            Self::BillingRequests => "billing_requests",
            Self::BillingRequestFlows => "billing_request_flows",
            Self::InstalmentSchedules => "instalment_schedules",
            Self::TaxRates => "tax_rates",
            Self::Webhooks => "webhooks",
            Self::Balances => "balances",
            Self::ScenarioSimulators => "scenario_simulators",
        }
    }

    /// The name of a link to one of them (GC 4.4).
    pub fn singular(self) -> &'static str {
        let plural = self.plural();
        plural.strip_suffix('s').unwrap_or(plural)
    }

    /// The kind of that plural name.
    pub fn of(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural)
    }

    /// How ids of this kind begin (GC 1.4).
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Customers => "CU",
            Self::CustomerBankAccounts | Self::CreditorBankAccounts => "BA",
            Self::Creditors => "CR",
            Self::Mandates => "MD",
            Self::Subscriptions => "SB",
            Self::Payments => "PM",
            Self::Refunds => "RF",
            Self::Payouts => "PO",
            Self::PayoutItems => "PI",
            Self::Events => "EV",
            Self::BillingRequests => "BRQ",
            Self::BillingRequestFlows => "BRF",
            Self::InstalmentSchedules => "IS",
            Self::TaxRates => "TR",
            Self::Webhooks => "WB",
            Self::Balances => "BL",
            Self::ScenarioSimulators => "SS",
        }
    }
}
