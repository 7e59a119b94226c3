//! What must hold before an entry is written, whichever way it came (X3 6.1, 11.3 no. 5).

use super::faults::Fault;
use super::folder::{ACTUAL, Entry, FINAL, Folder, Line, Origin, TEMPORARY};
use super::message::Message;
use super::settings::{Switches, TooLong, User};
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::BTreeMap;

/// An entry as a caller wants it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) kind: String,
    pub(crate) number: String,
    pub(crate) site: String,
    pub(crate) journal: String,
    pub(crate) date: Option<Date>,
    pub(crate) category: Option<u8>,
    pub(crate) status: Option<u8>,
    pub(crate) description: String,
    pub(crate) source_document: String,
    pub(crate) source_date: Option<Date>,
    pub(crate) reference: String,
    pub(crate) internal_reference: String,
    pub(crate) currency: String,
    pub(crate) rate_date: Option<Date>,
    pub(crate) lines: Vec<DraftLine>,
}

/// A line as a caller wants it.
#[derive(Debug, Clone, Default)]
pub(crate) struct DraftLine {
    pub(crate) site: String,
    pub(crate) account: String,
    pub(crate) partner: String,
    pub(crate) debit: Decimal,
    pub(crate) credit: Decimal,
    pub(crate) description: String,
    pub(crate) free_reference: String,
    pub(crate) dimensions: BTreeMap<u8, String>,
}

/// What a write needs to know beside its draft.
pub(crate) struct Desk<'a> {
    pub(crate) switches: &'a Switches,
    pub(crate) login: &'a str,
    pub(crate) user: &'a User,
    pub(crate) now: Timestamp,
    pub(crate) origin: Origin,
    pub(crate) fault: Option<&'a Fault>,
}

/// Checks a draft and writes it: the key of the entry, or why it was refused.
pub(crate) fn post(
    folder: &mut Folder,
    mut draft: Draft,
    desk: &Desk<'_>,
) -> Result<(String, String), Vec<Message>> {
    tidy(&mut draft);
    let mut found = fit(folder, &mut draft, desk);
    found.extend(header(folder, &draft, desk));
    for (at, line) in draft.lines.iter().enumerate() {
        found.extend(check_line(folder, &draft, line, at + 1));
    }
    found.extend(balance(&draft));
    found.extend(by_fault(desk.fault, &draft));
    let (Some(date), true) = (draft.date, found.is_empty()) else {
        return Err(found);
    };
    let company = folder
        .sites
        .get(&draft.site)
        .map(|site| site.company.clone())
        .unwrap_or_default();
    let journal = match draft.journal.as_str() {
        "" => folder
            .entry_types
            .get(&draft.kind)
            .map(|kind| kind.journal.clone())
            .unwrap_or_default(),
        journal => journal.to_owned(),
    };
    let lines = lines(folder, &draft, &company);
    let number = folder.next_number(&draft.kind, date.year());
    let key = (draft.kind.clone(), number.clone());
    folder.entries.push(Entry {
        kind: draft.kind,
        number,
        site: draft.site,
        company,
        journal,
        date,
        category: draft.category.unwrap_or(ACTUAL),
        status: draft.status.unwrap_or(TEMPORARY),
        description: draft.description,
        source_document: draft.source_document,
        source_date: draft.source_date,
        reference: draft.reference,
        internal_reference: draft.internal_reference,
        currency: draft.currency,
        rate_date: draft.rate_date.unwrap_or(date),
        reversal: 1,
        reverses: String::new(),
        lines,
        user: desk.login.to_owned(),
        created: desk.now,
        origin: desk.origin,
    });
    Ok(key)
}

/// Codes are upper-cased on entry (X3 10), and a line without a site is the header's.
fn tidy(draft: &mut Draft) {
    for code in [
        &mut draft.kind,
        &mut draft.site,
        &mut draft.journal,
        &mut draft.currency,
    ] {
        *code = code.trim().to_uppercase();
    }
    for line in &mut draft.lines {
        line.account = line.account.trim().to_uppercase();
        line.site = line.site.trim().to_uppercase();
        if line.site.is_empty() {
            line.site.clone_from(&draft.site);
        }
    }
}

/// Texts against the lengths of their fields (X3 10).
fn fit(folder: &Folder, draft: &mut Draft, desk: &Desk<'_>) -> Vec<Message> {
    let lengths = folder.lengths;
    let mut found = Vec::new();
    let mut fit = |name: &str, text: &mut String, length: usize| {
        if text.chars().count() <= length {
            return;
        }
        match desk.switches.too_long {
            TooLong::Cut => *text = text.chars().take(length).collect(),
            TooLong::Refused => found.push(Message::error(
                format!("{name}: longer than {length} characters"),
                format!("{name} : plus de {length} caractères"),
            )),
        }
    };
    fit("FCY", &mut draft.site, lengths.code);
    fit("TYP", &mut draft.kind, lengths.code);
    fit("JOU", &mut draft.journal, lengths.code);
    fit("DESVCR", &mut draft.description, lengths.description);
    fit("BPRVCR", &mut draft.source_document, lengths.reference);
    fit("REF", &mut draft.reference, lengths.reference);
    let internal = lengths.internal_reference;
    fit("REFINT", &mut draft.internal_reference, internal);
    for line in &mut draft.lines {
        fit("ACC", &mut line.account, lengths.account);
        fit("BPR", &mut line.partner, lengths.account);
        fit("DES", &mut line.description, lengths.description);
        fit("FREREF", &mut line.free_reference, lengths.reference);
        for code in line.dimensions.values_mut() {
            fit("CCE", code, lengths.account);
        }
    }
    found
}

fn header(folder: &Folder, draft: &Draft, desk: &Desk<'_>) -> Vec<Message> {
    let mut found = Vec::new();
    match folder.sites.get(&draft.site) {
        None => found.push(Message::unknown(("Site", "Site"), &draft.site)),
        Some(site) if !site.financial => found.push(Message::error(
            format!("Site {} is not a financial site", draft.site),
            format!("{} : site non financier", draft.site),
        )),
        Some(site) => found.extend(period(folder, draft, &site.company)),
    }
    if !folder.entry_types.contains_key(&draft.kind) {
        found.push(Message::unknown(
            ("Entry type", "Type de pièce"),
            &draft.kind,
        ));
    }
    let allowed = |list: &Option<std::collections::BTreeSet<String>>, code: &str| {
        list.as_ref().is_none_or(|codes| codes.contains(code))
    };
    if !allowed(&desk.user.sites, &draft.site) || !allowed(&desk.user.entry_types, &draft.kind) {
        found.push(Message::error(
            format!("User not authorized: {} {}", draft.site, draft.kind),
            format!("Utilisateur non habilité : {} {}", draft.site, draft.kind),
        ));
    }
    match folder.currencies.get(&draft.currency) {
        None => found.push(Message::unknown(("Currency", "Devise"), &draft.currency)),
        Some(currency) if currency.rate.is_none() => found.push(Message::error(
            format!("No rate for currency {}", draft.currency),
            format!("Devise {} : cours inexistant", draft.currency),
        )),
        Some(_) => {}
    }
    if !draft.number.is_empty() {
        // Leave it empty: the counter of the type assigns it (X3 6.1).
        found.push(Message::error(
            format!("NUM {}: assigned by the counter", draft.number),
            format!("NUM {} : attribué par le compteur", draft.number),
        ));
    }
    if !matches!(draft.category, None | Some(ACTUAL..=5)) {
        found.push(Message::error("CAT: invalid value", "CAT : valeur erronée"));
    }
    if !matches!(draft.status, None | Some(TEMPORARY | FINAL)) {
        found.push(Message::error("STA: invalid value", "STA : valeur erronée"));
    }
    let twin = folder.entries_of(&draft.source_document).next();
    if let Some(twin) = twin.filter(|_| desk.switches.duplicate_control)
        && !draft.source_document.is_empty()
    {
        let (document, number) = (&draft.source_document, &twin.number);
        found.push(Message::error(
            format!("Source document {document} already entered: {number}"),
            format!("Pièce origine {document} déjà saisie : {number}"),
        ));
    }
    found
}

fn period(folder: &Folder, draft: &Draft, company: &str) -> Option<Message> {
    let Some(date) = draft.date else {
        return Some(Message::error(
            "ACCDAT: mandatory field",
            "ACCDAT : champ obligatoire",
        ));
    };
    (!folder.is_open(company, date)).then(|| closed(date, &draft.site))
}

fn closed(date: Date, site: &str) -> Message {
    let period = date.strftime("%m/%Y");
    Message::error(
        format!("Period {period} is closed for site {site}"),
        format!("Période {period} close pour le site {site}"),
    )
}

fn check_line(folder: &Folder, draft: &Draft, line: &DraftLine, at: usize) -> Vec<Message> {
    let mut found = Vec::new();
    let mut say = |english: String, french: String| {
        found.push(Message::error(
            format!("Line {at}: {english}"),
            format!("Ligne {at} : {french}"),
        ));
    };
    let company = |site: &str| folder.sites.get(site).map(|site| &site.company);
    if company(&line.site).is_none() || company(&line.site) != company(&draft.site) {
        // The site of each line must belong to the same company (X3 6.1).
        say(
            format!("site {} does not belong to the company", line.site),
            format!("le site {} n'est pas de la société", line.site),
        );
    }
    let both = !line.debit.is_zero() && !line.credit.is_zero();
    let none = line.debit.is_zero() && line.credit.is_zero();
    if both || none {
        say(
            "enter a debit or a credit".to_owned(),
            "saisir un débit ou un crédit".to_owned(),
        );
    }
    let decimals = folder.currencies.get(&draft.currency);
    let decimals = decimals.map_or(2, |currency| currency.decimals);
    if line.debit.normalize().scale() > decimals || line.credit.normalize().scale() > decimals {
        say(
            format!("more than {decimals} decimals"),
            format!("plus de {decimals} décimales"),
        );
    }
    let Some(account) = folder.accounts.get(&line.account) else {
        say(
            format!("account {} does not exist", line.account),
            format!("compte {} inexistant", line.account),
        );
        return found;
    };
    if account.inactive {
        say(
            format!("account {} is not active", line.account),
            format!("compte {} inactif", line.account),
        );
    }
    if account.control && line.partner.is_empty() {
        say(
            format!("account {} needs a partner", line.account),
            format!("le compte {} exige un tiers", line.account),
        );
    }
    if !line.partner.is_empty() && !folder.customers.contains_key(&line.partner) {
        say(
            format!("partner {} does not exist", line.partner),
            format!("tiers {} inexistant", line.partner),
        );
    }
    for dimension in &account.dimensions {
        if line.dimensions.get(dimension).is_none_or(String::is_empty) {
            // Error 97 of the imports (X3 6.1).
            say(
                format!("dimension {dimension} is mandatory"),
                format!("axe {dimension} obligatoire"),
            );
        }
    }
    for (dimension, code) in line.dimensions.iter().filter(|(_, code)| !code.is_empty()) {
        if !folder.dimensions.contains(&(*dimension, code.clone())) {
            say(
                format!("dimension {code} does not exist"),
                format!("section {code} inexistante"),
            );
        }
    }
    found
}

/// Debit equals credit, and there is a counterpart (X3 6.1).
fn balance(draft: &Draft) -> Option<Message> {
    let name = format!("{} {}", draft.site, draft.kind);
    if draft.lines.len() < 2 {
        return Some(Message::error(
            format!("Entry {name}: a counterpart line is mandatory"),
            format!("Pièce {name} : ligne de contrepartie obligatoire"),
        ));
    }
    let debit: Decimal = draft.lines.iter().map(|line| line.debit).sum();
    let credit: Decimal = draft.lines.iter().map(|line| line.credit).sum();
    (debit != credit).then(|| {
        Message::error(
            format!("Entry {name}: debit and credit differ"),
            format!("Pièce {name} : débit différent du crédit"),
        )
    })
}

fn by_fault(fault: Option<&Fault>, draft: &Draft) -> Option<Message> {
    let key = format!("{} {}", draft.site, draft.kind);
    let fault = fault?;
    if *fault == Fault::PeriodClosed {
        return Some(closed(draft.date?, &draft.site));
    }
    (*fault == Fault::Locked).then(|| {
        Message::error(
            format!("{key}: record being modified by another user"),
            format!("{key} : fiche en cours de modification"),
        )
    })
}

/// Lines with their amounts in the ledger's currency; the last one takes what rounding leaves over, so that the ledger
/// balances as well (X3 10).
fn lines(folder: &Folder, draft: &Draft, company: &str) -> Vec<Line> {
    let ledger = folder.companies.get(company).map(|own| &own.currency);
    let rate_of = |code: &str| {
        let currency = folder.currencies.get(code);
        currency
            .and_then(|currency| currency.rate)
            .unwrap_or(Decimal::ONE)
    };
    let rate = rate_of(&draft.currency)
        .checked_div(rate_of(ledger.map_or("", String::as_str)))
        .unwrap_or(Decimal::ONE);
    let mut left = Decimal::ZERO;
    let last = draft.lines.len();
    let numbers = 1_u32..;
    numbers
        .zip(&draft.lines)
        .map(|(number, line)| {
            let amount = line.debit - line.credit;
            let rounded =
                (amount * rate).round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
            let ledger_amount = if usize::try_from(number) == Ok(last) {
                -left
            } else {
                rounded
            };
            left += ledger_amount;
            Line {
                number,
                site: line.site.clone(),
                account: line.account.clone(),
                partner: line.partner.clone(),
                amount,
                ledger_amount,
                description: line.description.clone(),
                free_reference: line.free_reference.clone(),
                dimensions: line.dimensions.clone(),
            }
        })
        .collect()
}
