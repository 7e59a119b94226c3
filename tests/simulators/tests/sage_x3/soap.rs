//! Journal entries through SOAP (X3 5, 6.1).

use super::{
    ask, ask_at, call, call_as, entry, field, folder, keys, line, plain_lines, save, site,
    site_with,
};
use crate::support::{answer, at, start};
use ml_connector_simulators::sage_x3::{
    ResultText, Switches, TooLong, UnknownField, connected_token,
};
use rust_decimal::Decimal;
use std::time::Duration;

#[test]
fn an_entry_is_written_numbered_and_read_back() {
    for (name, switches) in Switches::variations() {
        let mut site = site_with(switches);
        let said = ask(
            &mut site,
            &save(&entry("PM001", "20260304", &plain_lines("120.00"))),
        );
        assert!(said.done, "{name}: {said:?}");
        assert_eq!(field(said.result(), "NUM"), Some("GCPAY26000001"), "{name}");
        assert_eq!(field(said.result(), "BPRVCR"), Some("PM001"), "{name}");
        let posted = folder(&site).entry("GCPAY", "GCPAY26000001").unwrap();
        assert_eq!(posted.debit(), Decimal::from(120));
        assert_eq!(posted.lines[1].amount, Decimal::from(-120));
        assert_eq!((posted.status, posted.journal.as_str()), (1, "GCJ"));
        let parts = "<publicName>YWSGAS</publicName>".to_owned()
            + &keys(&[("TYP", "GCPAY"), ("NUM", "GCPAY26000001")]);
        let read = ask(&mut site, &call("read", "GCPOOL", &parts));
        assert_eq!(field(read.result(), "DEB"), Some("120"), "{name}");
        let sums = site.sums();
        assert_eq!(sums["GBP"], (Decimal::from(120), Decimal::from(120)));
    }
}

#[test]
fn the_parameter_may_be_json_and_so_may_the_result() {
    let mut site = site();
    let parameter = r#"{"HAE0_1":{"FCY":"UK01","TYP":"GCPAY","NUM":"","ACCDAT":"20260304"},
        "HAE1_3":{"BPRVCR":"PM001"},"HAE1_5":{"CUR":"GBP"},
        "HAE2_1":[{"ACC1":"12500","DEB":"1.50","DES":"a & b"},{"ACC1":"40100","CDT":"1.50"}]}"#;
    let parts =
        format!("<publicName>YWSGAS</publicName><objectXml><![CDATA[{parameter}]]></objectXml>");
    let basic = super::basic("engine", "secret");
    let said = ask(
        &mut site,
        &call_as(&basic, "save", "GCPOOL", "JSON", &parts),
    );
    let result: serde_json::Value = serde_json::from_str(said.result()).unwrap();
    assert_eq!(result["HAE0_1"]["NUM"], "GCPAY26000001");
    assert_eq!(result["HAE2_1"][0]["DES"], "a & b");
}

#[test]
fn every_rule_of_the_ledger_refuses_with_a_message() {
    let with = |lines: String| entry("PM001", "20260304", &lines);
    let credit = || line("40100", "CDT", "1", "");
    let mut site = site();
    site.folder_mut("UKLIVE")
        .unwrap()
        .set_closed("UK10", 2026, 2, true);
    for (parameter, wanted) in [
        (with(line("12500", "DEB", "1", "")), "counterpart"),
        (
            with(line("12500", "DEB", "2", "") + &credit()),
            "debit and credit differ",
        ),
        (
            with(line("99999", "DEB", "1", "") + &credit()),
            "account 99999 does not exist",
        ),
        (
            with(line("41100", "DEB", "1", "") + &credit()),
            "needs a partner",
        ),
        (
            with(line("41100", "DEB", "1", "<FLD NAME=\"BPR\">535</FLD>") + &credit()),
            "partner 535 does not exist",
        ),
        (
            with(line("40200", "DEB", "1", "") + &credit()),
            "dimension 1 is mandatory",
        ),
        (
            with(line("12500", "DEB", "1.005", "") + &credit()),
            "more than 2 decimals",
        ),
        (
            with(line("12500", "DEB", "1,00", "") + &credit()),
            "not a number",
        ),
        (
            with(line("12500", "DEB", "1", "<FLD NAME=\"FCYLIN\">FR01</FLD>") + &credit()),
            "does not belong to the company",
        ),
        (
            entry("PM001", "20260228", &plain_lines("1")),
            "Period 02/2026 is closed for site UK01",
        ),
        (entry("PM001", "20300101", &plain_lines("1")), "is closed"),
        (
            entry("PM001", "2026-03-04", &plain_lines("1")),
            "is not a date",
        ),
        (
            entry("PM001", "", &plain_lines("1")),
            "ACCDAT: mandatory field",
        ),
        (
            entry(&"P".repeat(21), "20260304", &plain_lines("1")),
            "longer than 20",
        ),
        (
            with(plain_lines("1")).replace("GBP", "XXX"),
            "Currency XXX does not exist",
        ),
        (
            with(plain_lines("1")).replace("UK01", "UKSTO"),
            "not a financial site",
        ),
        (
            with(plain_lines("1")).replace(">GCPAY<", ">ODXXX<"),
            "Entry type ODXXX",
        ),
        (
            with(plain_lines("1")).replace("ACC1", "ACC"),
            "no such field on the screen",
        ),
        (
            with(plain_lines("1")).replace("HAE1_5", "HAE1_6"),
            "no such field on the screen",
        ),
        (
            with(plain_lines("1")).replace("<FLD NAME=\"NUM\"/>", "<FLD NAME=\"NUM\">1</FLD>"),
            "assigned by the counter",
        ),
    ] {
        let said = ask(&mut site, &save(&parameter));
        assert!(!said.done && said.result.is_none(), "{wanted}: {said:?}");
        assert!(said.text().contains(wanted), "{wanted}: {}", said.text());
    }
    assert!(folder(&site).entries().is_empty());
    let control = line("41100", "DEB", "1", "<FLD NAME=\"BPR\">07535</FLD>") + &credit();
    assert!(ask(&mut site, &save(&with(control))).done);
    assert_eq!(site.posted_on("41100")[0].customer, "07535");
    let dimension = line("40200", "DEB", "1", "<FLD NAME=\"CCE1\">SALES</FLD>") + &credit();
    assert!(ask(&mut site, &save(&with(dimension))).done);
}

#[test]
fn the_same_source_document_is_accepted_twice_unless_the_site_forbids_it() {
    let post = save(&entry("PM001", "20260304", &plain_lines("1")));
    let mut twice = site();
    assert!(ask(&mut twice, &post).done && ask(&mut twice, &post).done);
    assert_eq!(folder(&twice).entries_of("pm001").count(), 2);
    let mut once = site_with(Switches {
        duplicate_control: true,
        ..Switches::default()
    });
    assert!(ask(&mut once, &post).done);
    let again = ask(&mut once, &post);
    assert!(
        !again.done && again.text().contains("GCPAY26000001"),
        "{again:?}"
    );
}

#[test]
fn switches_change_what_the_screen_takes() {
    let ignored = Switches {
        unknown_field: UnknownField::Ignored,
        ..Switches::default()
    };
    let mut site = site_with(ignored);
    let table_fields = entry("PM001", "20260304", &plain_lines("1")).replace("ACC1", "ACC");
    let said = ask(&mut site, &save(&table_fields));
    assert!(said.text().contains("account  does not exist"), "{said:?}");
    let cut = Switches {
        too_long: TooLong::Cut,
        ..Switches::default()
    };
    let mut site = site_with(cut);
    let long = entry(&"P".repeat(21), "20260304", &plain_lines("1"));
    assert!(ask(&mut site, &save(&long)).done);
    assert_eq!(folder(&site).entries()[0].source_document.len(), 20);
    let hidden = Switches {
        source_hidden: true,
        ..Switches::default()
    };
    let mut site = site_with(hidden);
    let said = ask(
        &mut site,
        &save(&entry("PM001", "20260304", &plain_lines("1"))),
    );
    assert!(said.text().contains("BPRVCR"), "{said:?}");
}

#[test]
fn entries_are_found_by_key_by_list_and_by_the_sites_subprogram() {
    let mut site = site();
    for source in ["PM001", "PM002", "PM002"] {
        assert!(
            ask(
                &mut site,
                &save(&entry(source, "20260304", &plain_lines("1")))
            )
            .done
        );
    }
    let find = |source: &str| {
        let input =
            format!("<PARAM><GRP ID=\"GRP1\"><FLD NAME=\"I_BPRVCR\">{source}</FLD></GRP></PARAM>");
        let parts =
            format!("<publicName>YWSGCFIND</publicName><inputXml><![CDATA[{input}]]></inputXml>");
        call("run", "GCPOOL", &parts)
    };
    for (source, count, number) in [
        ("PM001", "1", "GCPAY26000001"),
        ("PM002", "2", "GCPAY26000002"),
        ("PM003", "0", ""),
    ] {
        let said = ask(&mut site, &find(source));
        assert_eq!(field(said.result(), "O_COUNT"), Some(count));
        assert_eq!(field(said.result(), "O_NUM"), Some(number));
    }
    assert!(!ask(&mut site, &find("")).done);
    let query = |pairs: &[(&str, &str)], size: usize| {
        let keys = keys(pairs);
        let parts = format!("<publicName>YWSGAS</publicName>{keys}<listSize>{size}</listSize>");
        call("query", "GCPOOL", &parts)
    };
    let rows = ask(
        &mut site,
        &query(&[("TYP", "GCPAY"), ("NUM", "<>GCPAY26000002")], 10),
    );
    assert_eq!(rows.result().matches("<LIN ").count(), 2);
    let by_source = ask(&mut site, &query(&[("BPRVCR", "PM001")], 10));
    assert!(!by_source.done, "BPRVCR is not in the left list");
    let none = call(
        "read",
        "GCPOOL",
        &format!(
            "<publicName>YWSGAS</publicName>{}",
            keys(&[("TYP", "GCPAY"), ("NUM", "X")])
        ),
    );
    assert!(ask(&mut site, &none).text().contains("does not exist"));
}

#[test]
fn leading_zeros_count_and_final_entries_stay() {
    let mut site = site();
    let read = |number: &str| {
        let keys = keys(&[("BPCNUM", number)]);
        call(
            "read",
            "GCPOOL",
            &format!("<publicName>YWSBPC</publicName>{keys}"),
        )
    };
    let said = ask(&mut site, &read("07535"));
    assert_eq!(
        field(said.result(), "BPCNAM"),
        Some("Brookfield &amp; Söhne &lt;Ltd&gt;")
    );
    assert_eq!(
        field(ask(&mut site, &read("7535")).result(), "BPCNAM"),
        Some("Another one")
    );
    assert!(!ask(&mut site, &read("007535")).done);
    assert!(
        ask(
            &mut site,
            &save(&entry("PM001", "20260304", &plain_lines("1")))
        )
        .done
    );
    site.folder_mut("UKLIVE")
        .unwrap()
        .finalise("GCPAY", "GCPAY26000001");
    let delete = keys(&[("TYP", "GCPAY"), ("NUM", "GCPAY26000001")]);
    let delete = call(
        "delete",
        "GCPOOL",
        &format!("<publicName>YWSGAS</publicName>{delete}"),
    );
    assert!(ask(&mut site, &delete).text().contains("final"));
    let folder = site.folder_mut("UKLIVE").unwrap();
    let date = jiff::civil::date(2026, 3, 5);
    let mirror = folder
        .reverse_by_hand("GCPAY", "GCPAY26000001", date, start())
        .unwrap();
    assert_eq!(
        folder.entry("GCPAY", &mirror).unwrap().lines[0].amount,
        Decimal::from(-1)
    );
    assert_eq!(
        folder.reverse_by_hand("GCPAY", "GCPAY26000001", date, start()),
        None
    );
}

#[test]
fn an_import_succeeds_as_a_service_while_its_records_fail() {
    let mut site = site();
    let run = |file: &str| {
        let input = format!(
            "{{\"GRP1\":{{\"I_MODIMP\":\"YGASGC\",\"I_AOWSTA\":\"NO\",\"I_EXEC\":\"REALTIME\",\
             \"I_RECORDSEP\":\"|\",\"I_FILE\":\"{file}\"}}}}"
        );
        let parts =
            format!("<publicName>AOWSIMPORT</publicName><inputXml><![CDATA[{input}]]></inputXml>");
        call("run", "GCPOOL", &parts)
    };
    let good = "A;GCPAY;;UK01;;04032026;GoCardless;PM001;GBP|B;1;1;UK01;;12500;;PM001;1;120.00;GBP|B;2;1;UK01;;40100;;PM001;-1;120.00;GBP";
    let bad = good.replace("12500", "99999").replace("PM001", "PM002");
    let said = ask(&mut site, &run(&format!("{good}|{bad}|END")));
    assert!(said.done, "{said:?}");
    assert_eq!(field(said.result(), "O_STATUS"), Some("1"));
    assert!(said.text().contains("account 99999"), "{said:?}");
    assert_eq!(folder(&site).entries_of("PM001").count(), 1);
    assert_eq!(folder(&site).entries_of("PM002").count(), 0);
    let open = ask(&mut site, &run(good));
    assert!(open.done && open.text().contains("End of file"), "{open:?}");
    assert_eq!(folder(&site).entries().len(), 1);
}

#[test]
fn a_signed_token_opens_the_soap_service_as_well() {
    let mut site = site();
    let application = site.settings.applications["connected-app"].clone();
    let token = |audience: &str, now, life| {
        let life = Duration::from_secs(life);
        let token = connected_token("connected-app", &application, audience, now, life);
        format!("Bearer {token}")
    };
    let post = entry("PM001", "20260304", &plain_lines("1"));
    let parts = format!("<publicName>YWSGAS</publicName><objectXml><![CDATA[{post}]]></objectXml>");
    let with = |token: &str| call_as(token, "save", "GCPOOL", "XML", &parts);
    let url = application.url.as_str();
    assert!(ask(&mut site, &with(&token(url, start(), 120))).done);
    for (token, code) in [
        (token("", start(), 120), 45),
        (token(url, at(60), 120), 21),
        (token(url, at(-600), 120), 50),
        (token(url, start(), 601), 50),
        (token(url, start(), 120) + "x", 50),
        ("Bearer nonsense".to_owned(), 30),
    ] {
        let refused = answer(site.handle(&with(&token), start()));
        let wanted = format!("Error {code}: Invalid token");
        assert_eq!(
            (refused.status, &refused.body[..]),
            (401, wanted.as_bytes())
        );
    }
    assert!(ask_at(&mut site, &with(&token(url, at(600), 120)), at(600)).done);
}

#[test]
fn results_come_in_cdata_or_escaped_and_messages_by_reference_or_inline() {
    let bad = save(&entry("PM001", "20260304", &line("12500", "DEB", "1", "")));
    for (inline, wanted) in [(false, "href=\"#id0\""), (true, "<messages xsi:type")] {
        let mut site = site_with(Switches {
            inline_messages: inline,
            ..Switches::default()
        });
        let response = answer(site.handle(&bad, start()));
        assert!(String::from_utf8_lossy(&response.body).contains(wanted));
    }
    for (result_text, wanted) in [
        (ResultText::Cdata, "<![CDATA[<RESULT>"),
        (ResultText::Escaped, "&lt;RESULT&gt;"),
    ] {
        let mut site = site_with(Switches {
            result_text,
            ..Switches::default()
        });
        let post = save(&entry("PM001", "20260304", &plain_lines("1")));
        let response = answer(site.handle(&post, start()));
        assert!(String::from_utf8_lossy(&response.body).contains(wanted));
    }
}
