//! The screen of a journal entry as SOAP speaks it: its own field names, in blocks that depend on the layout
//! (X3 6.1, "Screen view ≠ table view").

use super::Settings;
use super::folder::{Entry, Line};
use super::ledger::{Draft, DraftLine};
use super::message::Message;
use super::param::{Cell, Field, Params, Sheet};
use super::settings::{Switches, UnknownField};
use jiff::civil::Date;
use rust_decimal::Decimal;

/// Blocks of the observed layout (X3 6.1). The last one is the grid.
const BLOCKS: [(&str, &[&str]); 6] = [
    ("HAE0_1", &["FCY", "TYP", "NUM", "ACCDAT"]),
    ("HAE0_2", &["JOU", "CAT", "STA"]),
    ("HAE1_1", &["DESVCR", "REF", "REFINT"]),
    ("HAE1_3", &["BPRVCR", "BPRDATVCR"]),
    ("HAE1_5", &["RATDAT", "CUR"]),
    (
        GRID,
        &[
            "FCYLIN", "ACC1", "BPR", "DEB", "CDT", "DES", "FREREF", "CCE1", "CCE2", "CCE3", "CCE4",
            "CCE5", "CCE6", "CCE7",
        ],
    ),
];
const GRID: &str = "HAE2_1";
/// Fields that no observed screen had; a site may have them (X3 6.1, 7.1: unverified).
const EXTRA: [&str; 3] = ["REF", "REFINT", "FREREF"];

/// One site's screen.
pub(crate) struct Screen<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) switches: &'a Switches,
}

impl Screen<'_> {
    fn shows(&self, field: &str) -> bool {
        let hidden = self.switches.source_hidden && matches!(field, "BPRVCR" | "BPRDATVCR");
        let extra = EXTRA.contains(&field) && !self.settings.extra_fields.contains(field);
        !hidden && !extra
    }

    /// The blocks with the fields that this site's screen shows.
    pub(crate) fn blocks(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let shown = |fields: &[&'static str]| -> Vec<&'static str> {
            let fields = fields.iter().copied();
            fields.filter(|field| self.shows(field)).collect()
        };
        BLOCKS
            .iter()
            .map(|(id, fields)| (*id, shown(fields)))
            .collect()
    }

    /// Whether a block is the grid.
    pub(crate) fn is_grid(block: &str) -> bool {
        block == GRID
    }

    /// Reads what was entered. Blocks and fields that the screen lacks are refused or dropped (X3 11 no. 5, 6).
    pub(crate) fn draft(&self, params: &Params) -> Result<Draft, Vec<Message>> {
        let mut found = Vec::new();
        let mut draft = Draft::default();
        for (block, fields) in &params.groups {
            for field in fields {
                if block == GRID || !self.knows(block, &field.0, &mut found) {
                    continue;
                }
                if let Err(message) = set_header(&mut draft, field) {
                    found.push(message);
                }
            }
        }
        for (block, rows) in &params.grids {
            for row in rows {
                let mut line = DraftLine::default();
                for field in row {
                    if block != GRID || !self.knows(block, &field.0, &mut found) {
                        continue;
                    }
                    if let Err(message) = set_line(&mut line, field) {
                        found.push(message);
                    }
                }
                draft.lines.push(line);
            }
        }
        if found.is_empty() {
            Ok(draft)
        } else {
            Err(found)
        }
    }

    fn knows(&self, block: &str, field: &str, found: &mut Vec<Message>) -> bool {
        let shown = self.blocks();
        let known = shown
            .iter()
            .any(|(id, fields)| *id == block && fields.contains(&field));
        if !known && self.switches.unknown_field == UnknownField::Refused {
            found.push(Message::error(
                format!("{block} {field}: no such field on the screen"),
                format!("{block} {field} : champ absent de l'écran"),
            ));
        }
        known
    }

    /// A full read-back of an entry (X3 5.4).
    pub(crate) fn sheet(&self, entry: &Entry) -> Sheet {
        let mut sheet = Sheet::default();
        for (id, fields) in self.blocks() {
            let id_out = self.answer_block(id);
            if Self::is_grid(id) {
                let rows = entry.lines.iter();
                let rows =
                    rows.map(|line| fields.iter().map(|name| line_cell(name, line)).collect());
                sheet.grids.push((id_out, rows.collect()));
            } else {
                let cells = fields.iter().map(|name| header_cell(name, entry)).collect();
                sheet.groups.push((id_out, cells));
            }
        }
        let stamp = entry.created.strftime("%Y%m%d%H%M%S").to_string();
        let technical = vec![
            Cell::text("WW_MODSTAMP", stamp),
            Cell::text("WW_MODUSER", entry.user.clone()),
        ];
        sheet.groups.push(("ADXTEC".to_owned(), technical));
        sheet
    }

    fn answer_block(&self, id: &str) -> String {
        match id.rsplit_once('_') {
            Some((screen, number)) if self.switches.shifted_blocks => {
                let number: u32 = number.parse().unwrap_or(0);
                format!("{screen}_{}", number + 1)
            }
            _ => id.to_owned(),
        }
    }
}

fn set_header(draft: &mut Draft, (name, value): &Field) -> Result<(), Message> {
    let text = || value.trim().to_owned();
    match name.as_str() {
        "FCY" => draft.site = text(),
        "TYP" => draft.kind = text(),
        "NUM" => draft.number = text(),
        "ACCDAT" => draft.date = date(name, value)?,
        "JOU" => draft.journal = text(),
        "CAT" => draft.category = menu(name, value)?,
        "STA" => draft.status = menu(name, value)?,
        "DESVCR" => draft.description = text(),
        "REF" => draft.reference = text(),
        "REFINT" => draft.internal_reference = text(),
        "BPRVCR" => draft.source_document = text(),
        "BPRDATVCR" => draft.source_date = date(name, value)?,
        "RATDAT" => draft.rate_date = date(name, value)?,
        "CUR" => draft.currency = text(),
        _ => {}
    }
    Ok(())
}

fn set_line(line: &mut DraftLine, (name, value): &Field) -> Result<(), Message> {
    let text = || value.trim().to_owned();
    match name.as_str() {
        "FCYLIN" => line.site = text(),
        "ACC1" => line.account = text(),
        "BPR" => line.partner = text(),
        "DEB" => line.debit = amount(name, value)?,
        "CDT" => line.credit = amount(name, value)?,
        "DES" => line.description = text(),
        "FREREF" => line.free_reference = text(),
        dimension => {
            if let Some(Ok(number)) = dimension.strip_prefix("CCE").map(str::parse) {
                line.dimensions.insert(number, text().to_uppercase());
            }
        }
    }
    Ok(())
}

/// `YYYYMMDD`; empty text is no date (X3 10).
pub(crate) fn date(name: &str, text: &str) -> Result<Option<Date>, Message> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = Date::strptime("%Y%m%d", text).ok().filter(|_| digits);
    parsed.map(Some).ok_or_else(|| {
        Message::error(
            format!("{name}: {text} is not a date"),
            format!("{name} : {text} n'est pas une date"),
        )
    })
}

/// A plain decimal with a dot; empty is zero (X3 10).
pub(crate) fn amount(name: &str, text: &str) -> Result<Decimal, Message> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Decimal::ZERO);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.starts_with(|first: char| first.is_ascii_digit())
        && !digits.ends_with('.');
    let parsed = text.parse().ok().filter(|_| plain);
    parsed.ok_or_else(|| {
        Message::error(
            format!("{name}: {text} is not a number"),
            format!("{name} : {text} n'est pas un nombre"),
        )
    })
}

fn menu(name: &str, text: &str) -> Result<Option<u8>, Message> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Message::error(
            format!("{name}: invalid value"),
            format!("{name} : valeur erronée"),
        )
    })
}

fn compact(date: Date) -> String {
    date.strftime("%Y%m%d").to_string()
}

/// A header field of the read-back.
pub(crate) fn header_cell(name: &str, entry: &Entry) -> Cell {
    let (kind, value) = match name {
        "FCY" => ("Char", entry.site.clone()),
        "TYP" => ("Char", entry.kind.clone()),
        "NUM" => ("Char", entry.number.clone()),
        "ACCDAT" => ("Date", compact(entry.date)),
        "JOU" => ("Char", entry.journal.clone()),
        "CAT" => ("Integer", entry.category.to_string()),
        "STA" => ("Integer", entry.status.to_string()),
        "DESVCR" => ("Char", entry.description.clone()),
        "REF" => ("Char", entry.reference.clone()),
        "REFINT" => ("Char", entry.internal_reference.clone()),
        "BPRVCR" => ("Char", entry.source_document.clone()),
        "BPRDATVCR" => ("Date", entry.source_date.map(compact).unwrap_or_default()),
        "RATDAT" => ("Date", compact(entry.rate_date)),
        "CUR" => ("Char", entry.currency.clone()),
        _ => ("Char", String::new()),
    };
    Cell {
        name: name.to_owned(),
        kind,
        value,
    }
}

fn line_cell(name: &str, line: &Line) -> Cell {
    let side = |wanted: bool| {
        let own = !line.amount.is_zero() && line.amount.is_sign_positive() == wanted;
        let amount = if own {
            line.amount.abs()
        } else {
            Decimal::ZERO
        };
        amount.normalize().to_string()
    };
    let (kind, value) = match name {
        "FCYLIN" => ("Char", line.site.clone()),
        "ACC1" => ("Char", line.account.clone()),
        "BPR" => ("Char", line.partner.clone()),
        "DEB" => ("Decimal", side(true)),
        "CDT" => ("Decimal", side(false)),
        "DES" => ("Char", line.description.clone()),
        "FREREF" => ("Char", line.free_reference.clone()),
        dimension => {
            let number = dimension.strip_prefix("CCE").map(str::parse::<u8>);
            let code = number
                .and_then(Result::ok)
                .and_then(|number| line.dimensions.get(&number));
            ("Char", code.cloned().unwrap_or_default())
        }
    };
    Cell {
        name: name.to_owned(),
        kind,
        value,
    }
}
