//! The guide for a new connector: its own files are taken out of it, checked, and run against a tiny server that does what
//! the guide says of the system.

use crate::cli::Sealed;
use crate::cli::operating::{Engine, until};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

const ADDRESS: &str = "https://api.tallybook.example/v2";
const FLOW: &str = "tallybook-tallybook/head-office";

/// The files of the guide: code blocks that are marked with a kind and a path.
fn files(guide: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in guide.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => files.extend(open.take()),
            (Some((_, text)), _) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, Some(mark)) => {
                let path = mark.split_once(' ').map(|(_, path)| path);
                open = Some((path.unwrap_or_default().to_owned(), String::new()));
            }
            (None, None) => {}
        }
    }
    files.retain(|(path, _)| !path.is_empty());
    files
}

/// A folder with the guide's files in it, at this address.
fn unpacked(address: &str) -> Sealed {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/new-connector.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let files = files(&guide);
    assert!(files.len() >= 8, "{files:?}");
    let sealed = Sealed::new();
    for (path, text) in files {
        let text = text.replace(ADDRESS, address);
        sealed.file(&path, &text.replace(":8080", ":0").replace(":8081", ":0"));
    }
    sealed
}

/// What the guide says of Tallybook, and nothing more.
#[derive(Default)]
struct Tallybook {
    invoices: Vec<Value>,
    journals: Vec<Value>,
    asked: Vec<String>,
    /// Answers to the next posts are cut off after the effect.
    cut: usize,
}

impl Tallybook {
    /// Status and body; nothing where the connection is cut.
    fn answer(&mut self, request: &str, key: &str, body: &str) -> Option<(u16, Value)> {
        self.asked.push(request.to_owned());
        if key != "good" {
            return Some((401, json!({ "message": "who are you?" })));
        }
        let (path, query) = request.split_once('?').unwrap_or((request, ""));
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(found, _)| *found == name)
                .map(|(_, value)| value.to_owned())
        };
        Some(match path {
            "GET /v2/me" => (200, json!({ "company": "Halden Ltd" })),
            "GET /v2/invoices" => {
                // One on a page, so that paging is needed.
                assert!(parameter("changed_after").is_some(), "{request}");
                let at: usize = parameter("cursor").map_or(0, |cursor| cursor.parse().unwrap());
                let next = (at + 1 < self.invoices.len()).then(|| (at + 1).to_string());
                let data: Vec<&Value> = self.invoices.iter().skip(at).take(1).collect();
                (200, json!({ "data": data, "next": next }))
            }
            "GET /v2/journals" => {
                let id = parameter("external_id").unwrap();
                let found = self.journals.iter().filter(|one| one["external_id"] == *id);
                (200, json!({ "data": found.collect::<Vec<_>>() }))
            }
            "POST /v2/journals" => {
                let mut journal: Value = serde_json::from_str(body).unwrap();
                let number = 17 + self.journals.len();
                journal["number"] = number.into();
                self.journals.push(journal);
                if self.cut > 0 {
                    self.cut -= 1;
                    return None;
                }
                (201, json!({ "number": number }))
            }
            _ => (404, json!({ "message": "no such thing" })),
        })
    }
}

fn serve(books: &Arc<Mutex<Tallybook>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let books = Arc::clone(books);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let books = Arc::clone(&books);
            std::thread::spawn(move || converse(&stream.unwrap(), &books));
        }
    });
    address
}

/// One request, one answer.
fn converse(stream: &TcpStream, books: &Mutex<Tallybook>) {
    let mut input = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if input.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let field = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    };
    let mut body = vec![0; field("content-length").parse().unwrap_or(0)];
    input.read_exact(&mut body).unwrap();
    let request = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
    let body = String::from_utf8(body).unwrap();
    let answer = books
        .lock()
        .unwrap()
        .answer(request, field("x-api-key"), &body);
    let Some((status, body)) = answer else {
        return;
    };
    let body = body.to_string();
    let mut output = stream;
    let _gone = write!(
        output,
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn invoice(id: &str, customer: &str, total: &str) -> Value {
    json!({
        "id": format!("inv_{id}"), "number": format!("F-{id}"), "status": "paid", "changed_at": "2026-03-16T08:00:00Z",
        "paid_on": "2026-03-15", "total": total, "currency": "EUR", "customer": customer,
    })
}

#[test]
fn what_the_guide_shows_validates_and_its_cases_pass() {
    let sealed = unpacked(ADDRESS);
    sealed.run(&["validate", "--deny-warnings"]).fine();
    let ran = sealed.run(&["test"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("5 cases passed") || ran.out.contains("5 cases passed"),
        "{ran:?}"
    );
    let case = "mappings/tallybook-tallybook/cases/paid.yaml";
    let shown = sealed.run(&["preview", FLOW, "--case", case]).fine();
    assert!(
        shown.contains("F-1001") && shown.contains("120.50"),
        "{shown}"
    );
    // What a newcomer does first, in a folder of its own.
    let fresh = Sealed::new();
    fresh.run(&["new", "connector", "tallybook"]).fine();
    fresh.run(&["validate"]).fine();
    let begun = unpacked(ADDRESS);
    std::fs::remove_dir_all(begun.path("mappings")).unwrap();
    std::fs::remove_file(begun.path("ml-connector.yaml")).unwrap();
    begun
        .run(&[
            "new",
            "mapping",
            FLOW,
            "--from",
            "tallybook.invoices",
            "--to",
            "tallybook.post_journal",
        ])
        .fine();
}

#[test]
fn what_the_guide_shows_runs_and_posts_once_though_an_answer_is_lost() {
    let books = Arc::new(Mutex::new(Tallybook {
        invoices: vec![
            invoice("1001", "cus_7", "120.50"),
            invoice("1002", "cus_8", "9.99"),
            invoice("1003", "cus_7", "0.00"),
            json!({ "id": "inv_4", "number": "F-4", "status": "draft", "changed_at": "2026-03-16T08:00:00Z", "total": "1.00",
                    "currency": "EUR", "customer": "cus_7" }),
            invoice("1005", "cus_7", "7.25"),
        ],
        cut: 1,
        ..Tallybook::default()
    }));
    let address = serve(&books);
    let sealed = unpacked(&format!("http://{address}/v2"));
    // Nobody waits half a minute for a system in this process.
    sealed.change(
        "connectors/tallybook/connector.yaml",
        "settle: 30s",
        "settle: 100ms",
    );
    sealed.run(&["secrets", "init"]).fine();
    for key in ["branch/key", "office/key"] {
        sealed.run_with(&["secrets", "set", key], "good").fine();
    }
    let ping = sealed.run(&["ping"]).fine();
    assert_eq!(ping.matches("the books of Halden Ltd").count(), 2, "{ping}");
    let set = [
        "crosswalk",
        "set",
        "customers",
        "cus_7",
        "account=4007",
        "--reason",
        "first customer",
    ];
    sealed.run(&set).fine();
    let engine = Engine::start(&sealed);
    until(
        &sealed,
        &["deliveries", "list", "--format", "json"],
        |ran| {
            let listed = ran.json();
            let ended = |state: &str| {
                let all = listed["deliveries"].as_array().unwrap().iter();
                all.filter(|one| one["state"] == state).count()
            };
            ended("delivered") == 2 && ended("held") == 1 && ended("skipped") == 1
        },
    );
    let journals = books.lock().unwrap().journals.clone();
    assert_eq!(journals.len(), 2, "{journals:#?}");
    let first = journals
        .iter()
        .find(|one| one["external_id"] == "F-1001")
        .unwrap();
    assert_eq!(
        first["lines"][0],
        json!({ "account": "1200", "debit": "120.50" })
    );
    assert_eq!(
        first["lines"][1],
        json!({ "account": "4007", "credit": "120.50" })
    );
    let asked = books.lock().unwrap().asked.clone();
    assert!(
        asked
            .iter()
            .any(|one| one.starts_with("GET /v2/journals?external_id=F-")),
        "{asked:?}"
    );
    assert_eq!(engine.stop().0, 0);
}
