//! Operations.

use super::super::reader::Reader;
use super::{classes, content, http, names, retry};
use crate::delivery::Class;
use crate::http::Method;
use crate::plan::{
    Action, AnswerFormat, Encoding, LookUpSpec, Operation, OperationKind, OutcomeRule, OutcomeWord,
    PageEnd, Paginate, PaginateKind, ReferenceRule, Repeat, Request, ResultSpec, Step, Variant,
    Write,
};
use crate::template::Template;
use serde_json::Value as Document;
use std::time::Duration;

pub(super) fn lower(
    name: String,
    kind: &str,
    reader: &Reader<'_, '_>,
    answer: &AnswerFormat,
) -> Operation {
    let anonymous = kind == "session" || reader.opt_text("auth").is_some();
    Operation {
        kind: match kind {
            "read" => OperationKind::Read,
            "session" => OperationKind::Session,
            _ => OperationKind::Write(Box::new(write(reader))),
        },
        anonymous,
        input: reader.properties("input").into(),
        documents: content::documents(reader, "documents"),
        variants: variants(&name, kind, reader),
        result: result(&reader.object("result"), answer),
        paginate: if kind == "read" {
            paginate(reader)
        } else {
            None
        },
        outcomes: outcomes(reader, "outcomes"),
        name,
    }
}

// -- how it is performed ----------------------------------------------------------------------------------------------

fn variants(name: &str, kind: &str, reader: &Reader<'_, '_>) -> Vec<Variant> {
    if let Some(action) = action(reader, kind == "write") {
        return vec![Variant {
            name: name.to_owned(),
            when: None,
            action,
        }];
    }
    names::check_items(reader, "variants");
    let variants = reader.objects("variants");
    let variant = |one: &Reader<'_, '_>| {
        Some(Variant {
            name: one.text("name"),
            when: one.opt_expression("when"),
            action: action(one, true)?,
        })
    };
    variants.iter().filter_map(variant).collect()
}

fn action(reader: &Reader<'_, '_>, may_have_steps: bool) -> Option<Action> {
    if let Some(request) = reader.opt_object("request") {
        return Some(Action::Request(Box::new(self::request(&request))));
    }
    if may_have_steps && reader.node("steps").is_some() {
        names::check_items(reader, "steps");
        return Some(Action::Sequence(
            reader.objects("steps").iter().map(step).collect(),
        ));
    }
    None
}

fn request(reader: &Reader<'_, '_>) -> Request {
    let methods = Method::ALL.map(|method| (method.as_str(), method));
    Request {
        method: reader.word("method", &methods).unwrap_or(Method::Get),
        base_url: reader.opt_template("base_url"),
        path: reader.template("path"),
        query: reader.templates("query").collect(),
        headers: reader.templates("headers").collect(),
        body: reader
            .opt_object("body")
            .and_then(|one| content::lower(&one)),
        timeout: reader.opt_template("timeout"),
    }
}

fn step(reader: &Reader<'_, '_>) -> Step {
    Step {
        name: reader.text("name"),
        operation: reader.text("operation"),
        with: reader.templates("with").collect(),
        until: reader.opt_expression("until"),
        outcomes: outcomes(reader, "outcomes"),
        wait: reader.opt_object("wait").map(|one| retry(&one)),
    }
}

// -- how it may be repeated -------------------------------------------------------------------------------------------

fn write(reader: &Reader<'_, '_>) -> Write {
    Write {
        repeat: repeat(reader),
        reference: reader.opt_object("reference").map(|one| ReferenceRule {
            length_max: one.count("length_max"),
            encoding: one
                .word("encoding", &ENCODINGS_OUT)
                .unwrap_or(Encoding::Utf8),
        }),
        receipt: reader.templates("receipt").collect(),
    }
}

/// The character sets a system may ask for.
pub(super) const ENCODINGS_OUT: [(&str, Encoding); 2] = [
    ("utf-8", Encoding::Utf8),
    ("windows-1252", Encoding::Windows1252),
];

fn repeat(reader: &Reader<'_, '_>) -> Repeat {
    let Some(one) = reader.scalar_or_object("repeat") else {
        return match reader.opt_text("repeat").as_deref() {
            Some("natural") => Repeat::Natural,
            _ => Repeat::None,
        };
    };
    if let Some(key) = one.opt_object("idempotency_key") {
        return Repeat::IdempotencyKey {
            header: key.text("header"),
            length_max: key.count("length_max"),
        };
    }
    match one.opt_object("look_up") {
        Some(spec) => Repeat::LookUp(Box::new(look_up(&spec))),
        None => Repeat::None,
    }
}

fn look_up(reader: &Reader<'_, '_>) -> LookUpSpec {
    LookUpSpec {
        settle: reader.template("settle"),
        absences: reader.count("absences"),
        give_up_after: reader.duration("give_up_after"),
        ..adopt(reader)
    }
}

/// A look-up that is made once, so that its times mean nothing.
fn adopt(reader: &Reader<'_, '_>) -> LookUpSpec {
    LookUpSpec {
        operation: reader.text("operation"),
        with: reader.templates("with").collect(),
        found: reader.expression("found"),
        same: reader.opt_expression("same"),
        receipt: reader.templates("receipt").collect(),
        settle: Template::literal(Document::from("0s")),
        absences: 1,
        give_up_after: Duration::ZERO,
    }
}

// -- what comes back --------------------------------------------------------------------------------------------------

fn result(reader: &Reader<'_, '_>, answer: &AnswerFormat) -> ResultSpec {
    ResultSpec {
        answer: reader
            .opt_object("answer")
            .map(|one| http::answer(&one, Some(answer))),
        select: reader.opt_path("select"),
        list: reader.flag("list"),
        schema: reader.schema("schema"),
    }
}

fn paginate(reader: &Reader<'_, '_>) -> Option<Paginate> {
    let (kind, one) = reader.tagged("paginate")?;
    let kind = match kind {
        "cursor" => PaginateKind::Cursor {
            next: one.path("next"),
            parameter: one.opt_text("parameter"),
            more: one.opt_path("more"),
        },
        "offset" => PaginateKind::Offset {
            parameter: one.opt_text("parameter"),
            size: one.count("size"),
            total: one.opt_path("total"),
            ends: one.word("ends", &PAGE_ENDS).unwrap_or(PageEnd::Short),
        },
        "page" => PaginateKind::Number {
            parameter: one.text("parameter"),
            first: one.count("first"),
            size: one.count("size"),
        },
        "link_header" => PaginateKind::LinkHeader,
        _ => PaginateKind::NextLink {
            next: one.path("next"),
        },
    };
    Some(Paginate {
        kind,
        pages_max: one.count("pages_max"),
    })
}

const PAGE_ENDS: [(&str, PageEnd); 2] = [("short", PageEnd::Short), ("empty", PageEnd::Empty)];

const OUTCOMES: [(&str, OutcomeWord, Class); 8] = [
    ("succeeded", OutcomeWord::Succeeded, Class::Value),
    ("already_there", OutcomeWord::AlreadyThere, Class::Duplicate),
    ("not_found", OutcomeWord::NotFound, Class::MissingMasterData),
    ("retry", OutcomeWord::Retry, Class::Intermittent),
    ("throttle", OutcomeWord::Throttle, Class::Capacity),
    (
        "reauthenticate",
        OutcomeWord::Reauthenticate,
        Class::Authentication,
    ),
    ("rejected", OutcomeWord::Rejected, Class::Value),
    ("unknown", OutcomeWord::Unknown, Class::InDoubt),
];

/// The rules of a list.
pub(super) fn outcomes(reader: &Reader<'_, '_>, key: &str) -> Vec<OutcomeRule> {
    reader.objects(key).iter().map(outcome).collect()
}

fn outcome(reader: &Reader<'_, '_>) -> OutcomeRule {
    let meanings = OUTCOMES.map(|(word, outcome, class)| (word, (outcome, class)));
    let (outcome, class) = reader
        .word("outcome", &meanings)
        .unwrap_or((OutcomeWord::Unknown, Class::InDoubt));
    OutcomeRule {
        when: reader.expression("when"),
        outcome,
        class: reader.word("class", &classes()).unwrap_or(class),
        why: reader.opt_template("why"),
        help: reader.opt_text("help"),
        wait: reader.opt_template("wait"),
        receipt: reader.templates("receipt").collect(),
        adopt: reader.opt_object("adopt").map(|one| Box::new(adopt(&one))),
    }
}
