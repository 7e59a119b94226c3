//! The SOAP service: pool, publication, operation (X3 5).

use super::envelope::{self, Answer, Call};
use super::faults::Fault;
use super::folder::{Entry, FINAL, Folder, Origin};
use super::ledger::{self, Desk};
use super::message::Message;
use super::param::{Cell, Params, Sheet, escape};
use super::screen::{Screen, header_cell};
use super::settings::{Service, Settings, Switches, User};
use super::{Simulator, import};
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse};

/// Rows of a left list at most, when the call asks for more.
const ROWS_MAX: usize = 1000;

/// What an operation works with.
pub(super) struct Session<'a> {
    pub(super) settings: &'a Settings,
    pub(super) switches: &'a Switches,
    pub(super) login: &'a str,
    pub(super) user: &'a User,
    pub(super) now: Timestamp,
    pub(super) fault: Option<&'a Fault>,
}

impl Session<'_> {
    pub(super) fn desk(&self, origin: Origin) -> Desk<'_> {
        Desk {
            switches: self.switches,
            login: self.login,
            user: self.user,
            now: self.now,
            origin,
            fault: self.fault,
        }
    }

    fn screen(&self) -> Screen<'_> {
        Screen {
            settings: self.settings,
            switches: self.switches,
        }
    }
}

type Outcome = Result<(String, Vec<Message>), Vec<Message>>;

impl Simulator {
    /// Carries out one call for a user who has been let in.
    pub(super) fn soap(
        &mut self,
        request: &HttpRequest,
        login: &str,
        now: Timestamp,
        fault: Option<&Fault>,
        first: bool,
    ) -> HttpResponse {
        let call = match envelope::read(request, &self.switches) {
            Ok(call) => call,
            Err(refusal) => return envelope::fault(&refusal, &self.switches),
        };
        let mut answer = self
            .run(&call, login, now, fault)
            .map_or_else(Answer::refused, |(result, messages)| {
                Answer::done(result, messages)
            });
        if fault == Some(&Fault::Mute) || fault == Some(&Fault::RefusedButWritten) {
            let text = Message::error("Incorrect operation", "Opération incorrecte");
            let messages = if fault == Some(&Fault::Mute) {
                Vec::new()
            } else {
                vec![text]
            };
            answer = Answer::refused(messages);
        }
        answer.millis = u64::try_from(self.settings.run_time.as_millis()).unwrap_or(u64::MAX);
        answer.first = first;
        let language = if self.switches.always_french {
            "FRA"
        } else {
            &call.language
        };
        envelope::write(&call.operation, &answer, language, &self.switches)
    }

    /// Answers a call that waited for a channel for too long: it never ran.
    pub(super) fn soap_queue_timeout(&self, request: &HttpRequest) -> HttpResponse {
        match envelope::read(request, &self.switches) {
            Ok(call) => {
                let message = Message::error(
                    "Timeout while waiting for an available channel",
                    "Délai d'attente d'un canal dépassé",
                );
                let answer = Answer::refused(vec![message]);
                envelope::write(&call.operation, &answer, &call.language, &self.switches)
            }
            Err(refusal) => envelope::fault(&refusal, &self.switches),
        }
    }

    fn run(&mut self, call: &Call, login: &str, now: Timestamp, fault: Option<&Fault>) -> Outcome {
        let name = &call.public_name;
        let pool = self.settings.pools.get(&call.pool);
        let pool = pool.filter(|pool| pool.started && fault != Some(&Fault::PoolStopped));
        let folder = pool.and_then(|pool| self.folders.get_mut(&pool.endpoint));
        let Some(folder) = folder else {
            let text = format!("No classic web service pool match to '{}'", call.pool);
            return Err(vec![Message::error(text.clone(), text)]);
        };
        if fault == Some(&Fault::LicenceRefused) {
            let text = "Web service data volume of the licence exceeded";
            let french = "Volume de données web services de la licence dépassé";
            return Err(vec![Message::error(text, french)]);
        }
        let service = self.settings.services.get(name.as_str());
        let service = service.filter(|_| fault != Some(&Fault::PublicationStale));
        let (Some(service), Some(user)) = (service, self.settings.users.get(login)) else {
            return Err(vec![Message::error(
                format!("{name}: web service not published"),
                format!("{name} : web service non publié"),
            )]);
        };
        let session = Session {
            settings: &self.settings,
            switches: &self.switches,
            login,
            user,
            now,
            fault,
        };
        if fault == Some(&Fault::Mute) {
            return Err(Vec::new());
        }
        match service {
            Service::JournalEntries => entries(folder, call, &session),
            Service::Customers => customers(folder, call),
            Service::FindBySource => find_by_source(folder, call),
            Service::Import => match call.operation.as_str() {
                "run" => import::run(folder, call, &session),
                _ => Err(vec![no_operation(call)]),
            },
        }
    }
}

fn no_operation(call: &Call) -> Message {
    let Call {
        operation,
        public_name,
        ..
    } = call;
    Message::error(
        format!("{public_name}: operation {operation} not available"),
        format!("{public_name} : opération {operation} indisponible"),
    )
}

/// The object GAS.
fn entries(folder: &mut Folder, call: &Call, session: &Session<'_>) -> Outcome {
    let screen = session.screen();
    let read = |folder: &Folder| -> Result<(String, String), Vec<Message>> {
        let entry = keyed(folder, call)?;
        Ok((entry.kind.clone(), entry.number.clone()))
    };
    match call.operation.as_str() {
        "save" => {
            let params = Params::parse(&call.document).map_err(|message| vec![message])?;
            let draft = screen.draft(&params)?;
            let (kind, number) = ledger::post(folder, draft, &session.desk(Origin::Soap))?;
            Ok((read_back(folder, &screen, &kind, &number, call), Vec::new()))
        }
        "read" => {
            let (kind, number) = read(folder)?;
            Ok((read_back(folder, &screen, &kind, &number, call), Vec::new()))
        }
        "modify" => {
            let (kind, number) = read(folder)?;
            let params = Params::parse(&call.document).map_err(|message| vec![message])?;
            let draft = screen.draft(&params)?;
            let entry = folder.entry_mut(&kind, &number);
            if let Some(entry) = entry {
                refuse_final(entry)?;
                // Texts alone: amounts and accounts of an entry are left to finance.
                for (own, new) in [
                    (&mut entry.description, draft.description),
                    (&mut entry.source_document, draft.source_document),
                    (&mut entry.reference, draft.reference),
                ] {
                    if !new.is_empty() {
                        *own = new;
                    }
                }
            }
            Ok((read_back(folder, &screen, &kind, &number, call), Vec::new()))
        }
        "delete" => {
            let (kind, number) = read(folder)?;
            refuse_final(keyed(folder, call)?)?;
            folder
                .entries
                .retain(|entry| entry.kind != kind || entry.number != number);
            Ok((String::new(), Vec::new()))
        }
        "query" => query(folder, call, session).map(|result| (result, Vec::new())),
        "getDescription" => Ok((description(&screen, session.switches), Vec::new())),
        _ => Err(vec![no_operation(call)]),
    }
}

fn read_back(
    folder: &Folder,
    screen: &Screen<'_>,
    kind: &str,
    number: &str,
    call: &Call,
) -> String {
    let entry = folder.entry(kind, number);
    entry.map_or_else(String::new, |entry| screen.sheet(entry).render(call.json))
}

/// The entry that all key fields name (X3 5.5).
fn keyed<'a>(folder: &'a Folder, call: &Call) -> Result<&'a Entry, Vec<Message>> {
    let key = |name: &str| {
        let mut keys = call.keys.iter().filter(|(own, _)| own == name);
        keys.next().map_or("", |(_, value)| value.as_str())
    };
    let (kind, number) = (key("TYP"), key("NUM"));
    folder.entry(kind, number).ok_or_else(|| {
        vec![Message::unknown(
            ("Entry", "Pièce"),
            &format!("{kind} {number}"),
        )]
    })
}

/// Final entries can no longer be modified (X3 6.1).
fn refuse_final(entry: &Entry) -> Result<(), Vec<Message>> {
    if entry.status != FINAL {
        return Ok(());
    }
    let number = &entry.number;
    Err(vec![Message::error(
        format!("{number}: final entry, no modification"),
        format!("{number} : pièce définitive, non modifiable"),
    )])
}

/// Fields of the left list (X3 5.5): what a query may select by.
fn left_list(switches: &Switches) -> Vec<&'static str> {
    let mut fields = vec!["TYP", "NUM", "FCY"];
    if switches.left_list_has_date {
        fields.push("ACCDAT");
    }
    if switches.left_list_has_source {
        fields.push("BPRVCR");
    }
    fields
}

/// The left list; a value may carry an operator in front (X3 5.5).
fn query(folder: &Folder, call: &Call, session: &Session<'_>) -> Result<String, Vec<Message>> {
    let fields = left_list(session.switches);
    if let Some((name, _)) = call
        .keys
        .iter()
        .find(|(name, _)| !fields.contains(&name.as_str()))
    {
        return Err(vec![Message::error(
            format!("{name}: not a key of the list"),
            format!("{name} : n'est pas une clé de la liste"),
        )]);
    }
    let size = match call.list_size {
        0 => ROWS_MAX,
        size => size.min(ROWS_MAX),
    };
    let fits = |entry: &&Entry| {
        call.keys
            .iter()
            .all(|(name, wanted)| matches(&header_cell(name, entry).value, wanted))
    };
    let rows = folder.entries.iter().rev().filter(fits).take(size);
    let rows = rows.map(|entry| fields.iter().map(|name| header_cell(name, entry)).collect());
    let sheet = Sheet {
        rows: Some(rows.collect()),
        ..Sheet::default()
    };
    Ok(sheet.render(call.json))
}

fn matches(value: &str, wanted: &str) -> bool {
    let operators: [(&str, fn(&str, &str) -> bool); 5] = [
        ("<>", |value, bound| value != bound),
        (">=", |value, bound| value >= bound),
        ("<=", |value, bound| value <= bound),
        (">", |value, bound| value > bound),
        ("<", |value, bound| value < bound),
    ];
    for (sign, holds) in operators {
        if let Some(bound) = wanted.strip_prefix(sign) {
            return holds(value, bound);
        }
    }
    // No wildcard: whether `*` works is unverified (X3 5.5).
    value.eq_ignore_ascii_case(wanted)
}

/// The field description. The real one's shape is not in the sheet; what it holds is (X3 5.1, 5.5): blocks with their
/// fields, and the fields of the left list under `ADXKEY`.
fn description(screen: &Screen<'_>, switches: &Switches) -> String {
    let mut out = String::from("<ADXDATA><ADXREAD>");
    for (id, fields) in screen.blocks() {
        let tag = if Screen::is_grid(id) { "TAB" } else { "GRP" };
        let fields: String = fields
            .iter()
            .map(|name| format!("<FLD NAME=\"{}\"/>", escape(name)))
            .collect();
        out += &format!("<{tag} ID=\"{id}\">{fields}</{tag}>");
    }
    out += "</ADXREAD><ADXKEY>";
    for name in left_list(switches) {
        out += &format!("<FLD NAME=\"{name}\"/>");
    }
    out + "</ADXKEY></ADXDATA>"
}

/// The object BPC, for "exists and active" (X3 6.2).
fn customers(folder: &Folder, call: &Call) -> Outcome {
    if call.operation != "read" {
        return Err(vec![no_operation(call)]);
    }
    let mut keys = call.keys.iter().filter(|(name, _)| name == "BPCNUM");
    let number = keys.next().map_or("", |(_, value)| value.as_str());
    let customer = folder.customers.get(number);
    let Some(customer) = customer else {
        return Err(vec![Message::unknown(("Customer", "Client"), number)]);
    };
    let active = if customer.active { "2" } else { "1" };
    let cells = vec![
        Cell::text("BPCNUM", customer.number.clone()),
        Cell::text("BPCNAM", customer.name.clone()),
        Cell {
            name: "BPCSTA".to_owned(),
            kind: "Integer",
            value: active.to_owned(),
        },
        Cell::text("CUR", customer.currency.clone()),
        Cell::text("WEB1", customer.email.clone()),
    ];
    let sheet = Sheet {
        groups: vec![("BPC0_1".to_owned(), cells)],
        ..Sheet::default()
    };
    Ok((sheet.render(call.json), Vec::new()))
}

/// The site's own subprogram: how many entries have this source document, and which is the first (X3 5.8).
fn find_by_source(folder: &Folder, call: &Call) -> Outcome {
    if call.operation != "run" {
        return Err(vec![no_operation(call)]);
    }
    let params = Params::parse(&call.document).map_err(|message| vec![message])?;
    let wanted = params
        .field("I_BPRVCR")
        .unwrap_or_default()
        .trim()
        .to_owned();
    if wanted.is_empty() {
        // An empty search would find every entry without a source document.
        let text = "I_BPRVCR: mandatory field";
        return Err(vec![Message::error(text, "I_BPRVCR : champ obligatoire")]);
    }
    let count = folder.entries_of(&wanted).count();
    let found = folder.entries_of(&wanted).next();
    let value = |of: fn(&Entry) -> String| found.map(of).unwrap_or_default();
    let cells = vec![
        Cell::text("I_BPRVCR", wanted.clone()),
        Cell::text("O_COUNT", count.to_string()),
        Cell::text("O_TYP", value(|entry| entry.kind.clone())),
        Cell::text("O_NUM", value(|entry| entry.number.clone())),
        Cell::text("O_STA", value(|entry| entry.status.to_string())),
    ];
    let sheet = Sheet {
        groups: vec![("GRP1".to_owned(), cells)],
        ..Sheet::default()
    };
    Ok((sheet.render(call.json), Vec::new()))
}
