//! AOWSIMPORT: a file through a template. The service succeeds while its records fail (X3 5.7, 11 no. 21).

use super::envelope::Call;
use super::folder::{Folder, Origin};
use super::ledger::{self, Draft, DraftLine};
use super::message::{ERROR, INFORMATION, Message};
use super::param::{Cell, Params, Sheet};
use super::screen::amount;
use super::soap::Session;
use jiff::civil::Date;

/// Name of the site's template (X3 5.8).
const TEMPLATE: &str = "YGASGC";
/// Date mask of the template: not that of SOAP objects (X3 10).
const MASK: &str = "%d%m%Y";

/// The subprogram.
pub(super) fn run(
    folder: &mut Folder,
    call: &Call,
    session: &Session<'_>,
) -> Result<(String, Vec<Message>), Vec<Message>> {
    let params = Params::parse(&call.document).map_err(|message| vec![message])?;
    let input = |name: &str| params.field(name).unwrap_or_default().to_owned();
    if input("I_MODIMP") != TEMPLATE {
        return Err(vec![Message::unknown(
            ("Template", "Modèle"),
            &input("I_MODIMP"),
        )]);
    }
    if input("I_EXEC") != "REALTIME" || !["YES", "NO"].contains(&input("I_AOWSTA").as_str()) {
        return Err(vec![Message::error(
            "I_EXEC, I_AOWSTA: invalid value",
            "I_EXEC, I_AOWSTA : valeur erronée",
        )]);
    }
    let separator = input("I_RECORDSEP");
    let file = input("I_FILE");
    let mut messages = Vec::new();
    if separator.is_empty() {
        return Err(vec![Message::error(
            "I_RECORDSEP: mandatory field",
            "I_RECORDSEP : champ obligatoire",
        )]);
    }
    let mut ended = false;
    let mut drafts: Vec<Result<Draft, Message>> = Vec::new();
    for record in file.split(separator.as_str()) {
        if record.trim() == "END" {
            ended = true;
            break;
        }
        read(record, &mut drafts);
    }
    if !ended {
        let text = "End of file not found";
        messages.push(Message::error(text, "Fin de fichier non trouvée"));
        drafts.clear();
    }
    for draft in drafts {
        // One bad record does not stop the others (X3 5.7).
        let posted = draft
            .map_err(|message| vec![message])
            .and_then(|draft| ledger::post(folder, draft, &session.desk(Origin::Import)));
        match posted {
            Ok((kind, number)) => messages.push(Message::of(
                INFORMATION,
                format!("Record created: {kind} {number}"),
                format!("Fiche créée : {kind} {number}"),
            )),
            Err(found) => messages.extend(found),
        }
    }
    let failed = messages.iter().any(|message| message.kind == ERROR);
    let cells = vec![
        Cell::text("I_MODIMP", TEMPLATE),
        Cell::text("O_REQNUM", "0"),
        Cell::text("O_STATUS", if failed { "1" } else { "0" }),
    ];
    let sheet = Sheet {
        groups: vec![("GRP1".to_owned(), cells)],
        ..Sheet::default()
    };
    Ok((sheet.render(call.json), messages))
}

/// One record of the template: `A` begins an entry, `B` adds a line, in table fields: SNS and AMTCUR (X3 6.1).
fn read(record: &str, drafts: &mut Vec<Result<Draft, Message>>) {
    let fields: Vec<&str> = record.split(';').map(str::trim).collect();
    match fields.as_slice() {
        [
            "A",
            kind,
            number,
            site,
            journal,
            date,
            description,
            source,
            currency,
        ] => {
            let made = masked(date).map(|date| Draft {
                kind: (*kind).to_owned(),
                number: (*number).to_owned(),
                site: (*site).to_owned(),
                journal: (*journal).to_owned(),
                date: Some(date),
                description: (*description).to_owned(),
                source_document: (*source).to_owned(),
                currency: (*currency).to_owned(),
                ..Draft::default()
            });
            drafts.push(made);
        }
        ["B", _, "1", site, _, account, partner, text, sign, value, _] => {
            let Some(last) = drafts.last_mut() else {
                return;
            };
            let side = |wanted: &str| amount("AMTCUR", if *sign == wanted { value } else { "" });
            let (debit, credit) = match (side("1"), side("-1")) {
                (Ok(debit), Ok(credit)) => (debit, credit),
                (Err(message), _) | (_, Err(message)) => {
                    *last = Err(message);
                    return;
                }
            };
            let Ok(draft) = last else {
                return;
            };
            draft.lines.push(DraftLine {
                site: (*site).to_owned(),
                account: (*account).to_owned(),
                partner: (*partner).to_owned(),
                debit,
                credit,
                description: (*text).to_owned(),
                ..DraftLine::default()
            });
        }
        _ => drafts.push(Err(Message::error(
            format!("Record not readable: {record}"),
            format!("Enregistrement illisible : {record}"),
        ))),
    }
}

fn masked(text: &str) -> Result<Date, Message> {
    let parsed = Date::strptime(MASK, text).ok().filter(|_| text.len() == 8);
    parsed.ok_or_else(|| {
        Message::error(
            format!("ACCDAT: {text} is not a date"),
            format!("ACCDAT : {text} n'est pas une date"),
        )
    })
}
