//! What goes wrong on the way: pools, processes, cut connections, locked users (X3 5.6, 9, 11).

use super::{ask, ask_at, basic, call, call_as, entry, folder, plain_lines, save, site, site_with};
use crate::support::{answer, at, request, start};
use ml_connector_core::http::{HttpRequest, Method};
use ml_connector_simulators::sage_x3::{Fault, On, Settings, Simulator, Switches};
use ml_connector_simulators::{Reply, Simulated as _};
use std::time::Duration;

fn post(source: &str) -> HttpRequest {
    save(&entry(source, "20260304", &plain_lines("1")))
}

#[test]
fn the_server_finishes_what_the_client_gave_up_on() {
    let mut site = site();
    site.faults.plan(On::Writes, Fault::DropAfter);
    assert_eq!(site.handle(&post("PM001"), start()), Reply::Drop);
    assert_eq!(folder(&site).entries_of("PM001").count(), 1);
    site.faults.plan(On::Writes, Fault::DropBefore);
    assert_eq!(site.handle(&post("PM002"), start()), Reply::Drop);
    assert_eq!(folder(&site).entries_of("PM002").count(), 0);
    let by = Duration::from_secs(200);
    site.faults.plan(On::Writes, Fault::Late { by });
    let reply = site.handle(&post("PM003"), start());
    assert!(matches!(reply, Reply::Delay { .. }), "{reply:?}");
    site.tick(at(199));
    assert_eq!(folder(&site).entries_of("PM003").count(), 0);
    site.tick(at(200));
    assert_eq!(folder(&site).entries_of("PM003").count(), 1);
    site.faults
        .plan(On::Writes, Fault::ProxyAfter { status: 504 });
    assert_eq!(answer(site.handle(&post("PM004"), at(201))).status, 504);
    assert_eq!(folder(&site).entries_of("PM004").count(), 1);
    site.faults.plan(On::Writes, Fault::RefusedButWritten);
    assert!(!ask_at(&mut site, &post("PM005"), at(202)).done);
    assert_eq!(folder(&site).entries_of("PM005").count(), 1);
    site.faults.plan(On::Writes, Fault::Mute);
    let mute = ask_at(&mut site, &post("PM006"), at(203));
    assert!(!mute.done && mute.messages.is_empty());
    assert_eq!(folder(&site).entries_of("PM006").count(), 0);
}

#[test]
fn one_channel_runs_one_call_at_a_time_and_rejects_who_waits_for_too_long() {
    let settings = Settings {
        run_time: Duration::from_secs(20),
        ..Settings::default()
    };
    let mut site = Simulator::new(settings, Switches::default(), 1);
    let mut tickets = Vec::new();
    for (source, wait) in [("PM001", 20), ("PM002", 40), ("PM003", 60), ("PM004", 80)] {
        let Reply::Delay { by, ticket } = site.handle(&post(source), start()) else {
            panic!("{source} did not wait");
        };
        assert_eq!(by, Duration::from_secs(wait), "{source}");
        tickets.push(ticket);
    }
    let rejected = ask(&mut site, &post("PM005"));
    assert!(
        !rejected.done && rejected.text().contains("channel"),
        "{rejected:?}"
    );
    site.tick(at(80));
    assert_eq!(folder(&site).entries().len(), 4);
    assert_eq!(site.channels_peak(), 1);
    assert!(matches!(site.collect(tickets[0], at(80)), Reply::Answer(_)));
}

#[test]
fn wrong_pools_publications_and_processes_each_have_their_sign() {
    let mut site = site();
    let parts = "<publicName>YWSGAS</publicName>";
    let unknown = ask(&mut site, &call("getDescription", "NOPOOL", parts));
    assert_eq!(
        unknown.text(),
        "No classic web service pool match to 'NOPOOL'"
    );
    let described = ask(&mut site, &call("getDescription", "GCPOOL", parts));
    assert!(
        described
            .result()
            .contains("<GRP ID=\"HAE0_1\"><FLD NAME=\"FCY\"/>")
    );
    let none = ask(
        &mut site,
        &call(
            "getDescription",
            "GCPOOL",
            "<publicName>YWSNONE</publicName>",
        ),
    );
    assert!(none.text().contains("not published"));
    site.faults.plan(On::Any, Fault::NoProcesses);
    let response = answer(site.handle(&post("PM001"), start()));
    assert_eq!(
        (response.status, &response.body[..]),
        (500, &b"No Web services accepted"[..])
    );
    for (fault, wanted) in [
        (Fault::PoolStopped, "No classic web service pool"),
        (Fault::PublicationStale, "not published"),
        (Fault::QueueTimeout, "channel"),
        (Fault::Locked, "another user"),
        (Fault::PeriodClosed, "Period 03/2026"),
        (Fault::LicenceRefused, "licence"),
    ] {
        site.faults.plan(On::Writes, fault);
        let said = ask(&mut site, &post("PM001"));
        assert!(
            !said.done && said.text().contains(wanted),
            "{wanted}: {said:?}"
        );
    }
    assert!(folder(&site).entries().is_empty());
}

#[test]
fn envelopes_are_read_strictly() {
    let mut site = site();
    let good = post("PM001");
    let text = String::from_utf8(good.body.to_vec()).unwrap();
    for (broken, wanted) in [
        (
            text.replace("http://www.adonix.com/WSS", "http://other"),
            "namespace",
        ),
        (text.replace("soap/envelope/", "soap/"), "Envelope"),
        (text.replace("publicName", "name"), "unknown part name"),
        (text.replace("&amp;", "&"), "well-formed"),
        (text.replace("<codeLang>ENG</codeLang>", ""), "codeLang"),
    ] {
        let mut request = good.clone();
        request.body = broken.into_bytes().into();
        let response = answer(site.handle(&request, start()));
        let body = String::from_utf8_lossy(&response.body).into_owned();
        assert!(
            response.status == 500 && body.contains(wanted),
            "{wanted}: {body}"
        );
    }
    let mut without = good.clone();
    without.headers.retain(|(name, _)| name != "SOAPAction");
    assert_eq!(answer(site.handle(&without, start())).status, 500);
    assert!(folder(&site).entries().is_empty());
}

#[test]
fn a_user_is_locked_after_wrong_passwords() {
    let mut site = site();
    let parts = "<publicName>YWSGAS</publicName>";
    for password in ["a", "b", "c"] {
        let call = call_as(
            &basic("engine", password),
            "getDescription",
            "GCPOOL",
            "XML",
            parts,
        );
        assert_eq!(answer(site.handle(&call, start())).status, 401);
    }
    assert!(site.is_locked("engine"));
    assert_eq!(answer(site.handle(&post("PM001"), start())).status, 401);
}

#[test]
fn a_call_without_its_cookie_opens_another_session() {
    let mut site = site_with(Switches {
        sessions_max: Some(1),
        ..Switches::default()
    });
    let first = answer(site.handle(&post("PM001"), start()));
    let cookie = first
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(answer(site.handle(&post("PM002"), start())).status, 503);
    let mut with = post("PM002");
    with.headers.push(("Cookie".to_owned(), cookie));
    assert!(ask(&mut site, &with).done);
    assert_eq!(site.open_sessions(), 1);
    assert_eq!(answer(site.handle(&post("PM003"), at(1201))).status, 200);
}

#[test]
fn a_restart_answers_503_and_the_login_page_says_when_it_is_back() {
    let mut site = site();
    site.restart_until(at(60));
    assert_eq!(answer(site.handle(&post("PM001"), at(59))).status, 503);
    let page = request(Method::Get, "http://x3/auth/login/page", &[], "");
    assert_eq!(answer(site.handle(&page, at(59))).status, 503);
    assert_eq!(answer(site.handle(&page, at(60))).status, 200);
}
