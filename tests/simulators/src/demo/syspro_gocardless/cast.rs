//! Who pays: names that have to survive XML, Windows-1252 and URLs, several currencies, and two kinds of trouble.

/// What is to become of a customer's payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are posted.
    Posted,
    /// Nobody has told the engine which account this is: held.
    Unmapped,
    /// The ERP takes no payments for this account: held.
    Closed,
}

/// A customer on both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Account in the ERP.
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) currency: &'static str,
    pub(super) fate: Fate,
    /// How often this customer comes up against the others.
    pub(super) weight: usize,
}

const fn member(code: &'static str, name: &'static str, currency: &'static str) -> Member {
    Member {
        code,
        name,
        currency,
        fate: Fate::Posted,
        weight: 6,
    }
}

/// Everybody.
pub(super) const CAST: [Member; 14] = [
    member("0000417", "Brookfield Joinery & Sons <Leeds> Ltd", "GBP"),
    member("0000418", "Søren's Smørrebrød ApS", "DKK"),
    member("0000419", "Müller & Söhne GmbH", "EUR"),
    member("0000420", "Café \"Le Zinc\" SARL", "EUR"),
    member("0000421", "漢字商店", "USD"),
    member("0000422", "O'Neill 100% Organic + Co.", "USD"),
    member("0000423", "Łódź Precyzja Sp. z o.o.", "EUR"),
    member("0000424", "Västerås Verkstad AB", "SEK"),
    member("0000425", "Wagga Wagga Windows Pty", "AUD"),
    member("0000426", "Québec Quincaillerie Inc.", "CAD"),
    member("0000427", "Tāmaki Timber", "NZD"),
    member(
        "0000428",
        "A. Very Long Name of a Perfectly Ordinary Limited Company",
        "GBP",
    ),
    Member {
        fate: Fate::Unmapped,
        weight: 1,
        ..member("0000429", "New Customer Ltd", "GBP")
    },
    Member {
        fate: Fate::Closed,
        weight: 1,
        ..member("0000430", "Closed Account Ltd", "GBP")
    },
];
