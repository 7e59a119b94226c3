//! api1, GraphQL and the cloud gateway (X3 2.3, 3, 4).

use super::{ORIGIN, ask, basic, entry, folder, plain_lines, save, site, site_with};
use crate::support::{answer, at, day, encode, json, request, start};
use jiff::Timestamp;
use ml_connector_core::http::{HttpRequest, HttpResponse, Method};
use ml_connector_simulators::Reply;
use ml_connector_simulators::sage_x3::{Fault, On, Simulator, Switches};
use serde_json::{Value, json};

const API1: &str = "/api1/x3/erp/UKLIVE";

fn call(method: Method, path: &str, body: &str) -> HttpRequest {
    let basic = basic("engine", "secret");
    let headers = [
        ("Authorization", basic.as_str()),
        ("x-xtrem-endpoint", "UKLIVE"),
    ];
    request(method, &format!("{ORIGIN}{path}"), &headers, body)
}

fn get(site: &mut Simulator, path: &str) -> HttpResponse {
    answer(site.handle(&call(Method::Get, path, ""), start()))
}

fn query(site: &mut Simulator, text: &str, variables: &Value) -> Value {
    let body = json!({ "query": text, "variables": variables }).to_string();
    let response = answer(site.handle(&call(Method::Post, "/xtrem/api", &body), start()));
    assert_eq!(response.status, 200);
    json(&response)
}

fn posted(site: &mut Simulator, sources: &[&str]) {
    for source in sources {
        let lines = plain_lines("120.00").replace(
            "</LIN>",
            &format!("<FLD NAME=\"DES\">{source} x</FLD></LIN>"),
        );
        assert!(ask(site, &save(&entry(source, "20260304", &lines))).done);
    }
}

fn with_entries() -> Switches {
    Switches {
        api1_entries: true,
        ..Switches::default()
    }
}

#[test]
fn customers_are_read_by_class_and_representation() {
    let mut site = site();
    let one = get(
        &mut site,
        &format!("{API1}/BPCUSTOMER('07535')?representation=BPCUSTOMER.$details"),
    );
    assert_eq!(json(&one)["BPCNUM"], "07535");
    let other = get(
        &mut site,
        "/api1/x3/$$prod/UKLIVE.BPCUSTOMER('7535')?representation=BPCUSTOMER.$details",
    );
    assert_eq!(json(&other)["BPCNAM"], "Another one");
    for path in [
        format!("{API1}/BPCUSTOMER('1')?representation=BPCUSTOMER.$details"),
        format!("{API1}/BPCUSTOMER('07535')?representation=OTHER.$details"),
        "/api1/x3/erp/NOWHERE/BPCUSTOMER?representation=BPCUSTOMER.$query".to_owned(),
        format!("{API1}/GACCENTRY?representation=GACCENTRY.$query"),
    ] {
        let refused = get(&mut site, &path);
        assert_eq!(refused.status, 404, "{path}");
        assert_eq!(json(&refused)["$diagnoses"][0]["$severity"], "error");
    }
    let list = json(&get(
        &mut site,
        "/api1/syracuse/collaboration/syracuse/endPoints?representation=endPoints.$query",
    ));
    assert_eq!(list["$resources"][0]["$key"], "UKLIVE");
}

#[test]
fn entries_are_listed_in_pages_and_an_unknown_property_is_500() {
    let mut site = site_with(with_entries());
    let names: Vec<String> = (0..25).map(|at| format!("PM{at:03}")).collect();
    let sources: Vec<&str> = names.iter().map(String::as_str).collect();
    posted(&mut site, &sources);
    let base = format!("{API1}/GACCENTRY?representation=GACCENTRY.$query");
    let first = json(&get(&mut site, &base));
    assert_eq!(first["$resources"].as_array().unwrap().len(), 20);
    let next = first["$links"]["$next"]["$url"].as_str().unwrap();
    let second = json(&get(&mut site, next.strip_prefix(ORIGIN).unwrap()));
    assert_eq!(second["$resources"].as_array().unwrap().len(), 5);
    assert_eq!(second["$links"], json!({}));
    let find = |clause: &str| format!("{base}&count=2&where={}", encode(clause));
    let found = json(&get(&mut site, &find("BPRVCR eq 'PM007'")));
    assert_eq!(found["$resources"][0]["NUM"], "GCPAY26000008");
    let none = get(&mut site, &find("BPRVCR eq 'PM999'"));
    assert_eq!((none.status, &json(&none)["$resources"]), (200, &json!([])));
    let wrong = get(&mut site, &find("BPRVCRX eq 'PM007'"));
    assert_eq!(wrong.status, 500);
    assert_eq!(
        json(&wrong)["$diagnoses"][0]["$message"],
        "Property BPRVCRX does not exist"
    );
    assert_eq!(get(&mut site, &find("STA ge '1'")).status, 400);
    let length = json(&get(
        &mut site,
        &format!("{API1}/GACCENTRY/$prototypes('GACCENTRY.$create')"),
    ));
    assert_eq!(length["$properties"]["BPRVCR"]["$maxLength"], 20);
}

#[test]
fn only_what_was_rebuilt_as_a_class_can_be_written() {
    let mut site = site_with(with_entries());
    let body = json!({
        "FCY": "UK01", "TYP": "GCPAY", "ACCDAT": "2026-03-04", "CUR": "GBP", "BPRVCR": "PM001",
        "GACCENTRYD": [
            { "ACC": "12500", "SNS": 1, "AMTCUR": 120.00 },
            { "ACC": "40100", "SNS": -1, "AMTCUR": 120.00 },
        ],
    });
    let post = |class: &str, body: &Value| {
        let path = format!("{API1}/{class}?representation={class}.$create");
        call(Method::Post, &path, &body.to_string())
    };
    assert_eq!(
        answer(site.handle(&post("GACCENTRY", &body), start())).status,
        405
    );
    site.settings.entry_class = Some(("YGASGC".to_owned(), "YGASGC".to_owned()));
    let created = answer(site.handle(&post("YGASGC", &body), start()));
    assert_eq!(
        (created.status, &json(&created)["NUM"]),
        (201, &json!("GCPAY26000001"))
    );
    let mut wrong = body.clone();
    wrong["GACCENTRYD"][0]["AMTCUR"] = json!(121);
    let refused = answer(site.handle(&post("YGASGC", &wrong), start()));
    assert_eq!(refused.status, 400);
    assert_eq!(
        json(&refused)["$diagnoses"][0]["$message"],
        "Entry UK01 GCPAY: debit and credit differ"
    );
    assert_eq!(folder(&site).entries().len(), 1);
}

const LINES: &str = "query($f:String,$n:Int,$a:String){x3Finance{journalEntryLine{query(first:$n,filter:$f,after:$a){totalCount edges{node{_id lineDescription sign transactionAmount journalEntry{journalEntryNumber}}}pageInfo{hasNextPage endCursor}}}}}";

#[test]
fn lines_are_found_by_their_description_page_by_page() {
    let mut site = site();
    posted(&mut site, &["PM001", "PM002", "PM003"]);
    let filter = "{lineDescription:{_regex:'^PM002'},accountingDate:{_gte:'2026-02-01'}}";
    let page = query(&mut site, LINES, &json!({ "n": 10, "f": filter }));
    let page = &page["data"]["x3Finance"]["journalEntryLine"]["query"];
    assert_eq!(page["totalCount"], 2);
    assert_eq!(
        page["edges"][0]["node"]["journalEntry"]["journalEntryNumber"],
        "GCPAY26000002"
    );
    let mut seen = 0;
    let mut after = Value::Null;
    loop {
        let page = query(&mut site, LINES, &json!({ "n": 4, "a": after }));
        let page = &page["data"]["x3Finance"]["journalEntryLine"]["query"];
        seen += page["edges"].as_array().unwrap().len();
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen, 6);
    for bad in [
        LINES.replace("lineDescription", "sourceDocument"),
        LINES.replace("x3Finance", "xtremX3Finance"),
        LINES.replace("journalEntryLine{", "payment{"),
    ] {
        let body = query(&mut site, &bad, &json!({ "n": 1 }));
        assert!(
            body["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains("Cannot query"),
            "{body}"
        );
    }
    let too_many = query(&mut site, LINES, &json!({ "n": 501 }));
    assert_eq!(too_many["data"], Value::Null);
    let two_ledgers = Switches {
        ledgers: 2,
        ..Switches::default()
    };
    let mut site = site_with(two_ledgers);
    posted(&mut site, &["PM001"]);
    let page = query(&mut site, LINES, &json!({ "n": 10 }));
    assert_eq!(
        page["data"]["x3Finance"]["journalEntryLine"]["query"]["totalCount"],
        4
    );
}

#[test]
fn a_customer_is_read_by_its_number() {
    let mut site = site();
    let text = "query($id:Id!){x3MasterData{customer{read(_id:$id){_id isActive companyName1 code{_id}}}}}";
    let found = query(&mut site, text, &json!({ "id": "07535" }));
    assert_eq!(
        found["data"]["x3MasterData"]["customer"]["read"]["code"]["_id"],
        "07535"
    );
    let none = query(&mut site, text, &json!({ "id": "1" }));
    assert_eq!(
        none["data"]["x3MasterData"]["customer"]["read"],
        Value::Null
    );
    let unset = query(&mut site, text, &json!({}));
    assert!(
        unset["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("was not provided")
    );
}

const CREATE: &str = "mutation($data: ZGoCardlessEntry_Input!){zGocardless{zEntry{create(data:$data){entryNumber}}}}";

fn data(source: &str, date: &str) -> Value {
    json!({ "data": {
        "site": "UK01", "entryType": "GCPAY", "accountingDate": date, "sourceDocument": source, "currency": "GBP",
        "lines": [ { "account": "12500", "debit": "120.00" }, { "account": "40100", "credit": "120.00" } ],
    } })
}

#[test]
fn the_customers_own_create_writes_and_its_severities_decide() {
    let mut site = site();
    let good = query(&mut site, CREATE, &data("PM001", "2026-03-04"));
    let number =
        |body: &Value| body["data"]["zGocardless"]["zEntry"]["create"]["entryNumber"].clone();
    assert_eq!(number(&good), "GCPAY26000001");
    assert_eq!(good["extensions"]["diagnoses"][0]["severity"], 1);
    site.folder_mut("UKLIVE")
        .unwrap()
        .set_closed("UK10", 2026, 2, true);
    let closed = query(&mut site, CREATE, &data("PM002", "2026-02-04"));
    let diagnosis = &closed["errors"][0]["extensions"]["diagnoses"][0];
    assert_eq!(diagnosis["severity"], 3);
    assert_eq!(
        diagnosis["message"],
        "Period 02/2026 is closed for site UK01"
    );
    site.switches.warnings_as_errors = true;
    let warned = query(&mut site, CREATE, &data("PM003", "2026-03-04"));
    assert_eq!(
        warned["errors"][0]["extensions"]["diagnoses"][0]["severity"],
        2
    );
    assert_eq!(number(&warned), "GCPAY26000002");
    let unnamed = Fault::Diagnosis {
        severity: 2,
        written: true,
        named: false,
    };
    site.faults.plan(On::Writes, unnamed);
    let silent = query(&mut site, CREATE, &data("PM004", "2026-03-04"));
    assert_eq!(
        silent["data"]["zGocardless"]["zEntry"]["create"],
        Value::Null
    );
    assert_eq!(folder(&site).entries_of("PM004").count(), 1);
    site.faults.plan(On::Writes, Fault::NotActivated);
    let idle = query(&mut site, CREATE, &data("PM005", "2026-03-04"));
    assert!(
        idle["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("not activated")
    );
    let standard = query(
        &mut site,
        "mutation{x3Finance{journalEntry{create(data:{}){_id}}}}",
        &json!({}),
    );
    assert!(
        standard["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("Cannot query")
    );
    site.settings.post_entry = None;
    let schema = query(
        &mut site,
        "{__schema{mutationType{fields{name}}}}",
        &json!({}),
    );
    assert_eq!(
        schema["data"]["__schema"]["mutationType"]["fields"],
        json!([])
    );
    assert_eq!(folder(&site).entries().len(), 3);
}

fn token(site: &mut Simulator, body: &Value, now: Timestamp) -> (u16, Value) {
    let request = request(
        Method::Post,
        &format!("{ORIGIN}/v1/token"),
        &[("Content-Type", "application/json")],
        &body.to_string(),
    );
    let response = answer(site.handle(&request, now));
    (response.status, json(&response))
}

fn refresh(token: &str) -> Value {
    json!({ "grant_type": "refresh_token", "refresh_token": token, "client_id": "cloud-app", "client_secret": "cloud-secret" })
}

fn at_the_gateway(site: &mut Simulator, token: &str, now: Timestamp) -> u16 {
    let body = json!({ "query": "{x3MasterData{customer{query{totalCount}}}}" }).to_string();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("x-xtrem-endpoint", "UKLIVE"),
    ];
    let request = request(
        Method::Post,
        &format!("{ORIGIN}/v1/graphql"),
        &headers,
        &body,
    );
    answer(site.handle(&request, now)).status
}

#[test]
fn a_grant_is_accepted_by_a_person_and_its_tokens_rotate() {
    let mut site = site();
    let ask_for = "/v1/token/authorise?client_id=cloud-app&scope=api.graphQL&customer=https%3A%2F%2Fhalden.example.test&redirect_uri=https%3A%2F%2Fconnector.example.test%2Fcallback&state=s1";
    let ask = request(Method::Get, &format!("{ORIGIN}{ask_for}"), &[], "");
    assert_eq!(answer(site.handle(&ask, start())).status, 200);
    let redeem = |code: &str| {
        json!({
            "grant_type": "authorization_code", "code": code, "client_id": "cloud-app",
            "client_secret": "cloud-secret", "redirect_uri": "https://connector.example.test/callback",
        })
    };
    assert_eq!(token(&mut site, &redeem("guessed"), start()).0, 403);
    let (uri, callback) = site.approve("s1").unwrap();
    assert_eq!(uri, "https://connector.example.test/callback");
    let code = callback["authorizationCode"].as_str().unwrap();
    let (status, pair) = token(&mut site, &redeem(code), start());
    assert_eq!(status, 200);
    let access = pair["access_token"].as_str().unwrap();
    let first = pair["refresh_token"].as_str().unwrap();
    assert_eq!(at_the_gateway(&mut site, access, at(299)), 200);
    assert_eq!(at_the_gateway(&mut site, access, at(300)), 401);
    let (_, second) = token(&mut site, &refresh(first), at(300));
    assert_eq!(token(&mut site, &refresh(first), at(301)).0, 403);
    let newest = second["refresh_token"].as_str().unwrap().to_owned();
    assert!(site.refresh_token_lives(&newest, at(301)));
    assert_eq!(token(&mut site, &refresh(&newest), day(31)).0, 403);
    for (wrong, status) in [
        (json!({ "grant_type": "refresh_token" }), 400),
        (
            json!({ "grant_type": "password", "client_id": "cloud-app", "client_secret": "cloud-secret" }),
            400,
        ),
        (
            json!({ "grant_type": "refresh_token", "client_id": "x", "client_secret": "y" }),
            404,
        ),
    ] {
        assert_eq!(token(&mut site, &wrong, at(301)).0, status);
    }
    site.withdraw_access();
    assert_eq!(token(&mut site, &refresh(&newest), at(302)).0, 403);
}

#[test]
fn a_pair_whose_answer_is_lost_is_lost() {
    let mut site = site();
    let (_, first) = site.pair("cloud-app", start());
    site.faults.plan(On::Token, Fault::DropAfter);
    let body = refresh(&first).to_string();
    let call = request(Method::Post, &format!("{ORIGIN}/v1/token"), &[], &body);
    assert_eq!(site.handle(&call, at(1)), Reply::Drop);
    assert_eq!(token(&mut site, &refresh(&first), at(2)).0, 403);
    let mut lenient = site_with(Switches {
        old_refresh_grace: Some(std::time::Duration::from_secs(60)),
        camel_case_tokens: true,
        ..Switches::default()
    });
    let (_, first) = lenient.pair("cloud-app", start());
    assert!(token(&mut lenient, &refresh(&first), at(1)).1["refreshToken"].is_string());
    assert_eq!(token(&mut lenient, &refresh(&first), at(2)).0, 200);
    assert_eq!(token(&mut lenient, &refresh(&first), at(61)).0, 403);
}

#[test]
fn the_gateway_may_name_another_root_and_takes_no_basic() {
    let mut site = site_with(Switches {
        other_root: true,
        ..Switches::default()
    });
    let ask_for = "/v1/token/authorise?client_id=cloud-app&scope=api.graphQL&customer=https%3A%2F%2Fhalden.example.test&redirect_uri=https%3A%2F%2Fconnector.example.test%2Fcallback&state=s1";
    let ask = request(Method::Get, &format!("{ORIGIN}{ask_for}"), &[], "");
    assert_eq!(answer(site.handle(&ask, start())).status, 200);
    let (_, callback) = site.approve("s1").unwrap();
    assert_eq!(callback["endpoint"], format!("{ORIGIN}/fr/v1/"));
    assert_eq!(token(&mut site, &refresh("any"), start()).0, 404);
    let basic = basic("engine", "secret");
    let call = request(
        Method::Post,
        &format!("{ORIGIN}/v1/graphql"),
        &[("Authorization", &basic)],
        "{}",
    );
    let refused = answer(site.handle(&call, start()));
    assert_eq!(
        (refused.status, json(&refused)),
        (401, json!({ "message": "Unauthorised" }))
    );
}
