//! Binding a site: what does not fit the library is found where it stands.

use super::*;

fn found(from: &str, to: &str) -> String {
    assert!(SITE.contains(from), "the site has no `{from}`");
    bind(&SITE.replacen(from, to, 1)).1
}

#[test]
fn defaults_are_filled_in_and_disabled_integrations_do_not_run() {
    let (plan, findings) = bind(SITE);
    assert_eq!(findings, "");
    let plan = plan.unwrap();
    assert_eq!(plan.instances.len(), 1);
    let instance = plan.instances.values().next().unwrap();
    assert_eq!(instance.params["mode"], "all");
    assert_eq!(instance.connections["ledger"].as_str(), "ledger-north");
    assert_eq!(instance.crosswalks["customers"].as_str(), "north-customers");
    assert_eq!(instance.crosswalks["bills"].as_str(), "bills");
    assert_eq!(plan.connections["ledger-north"].settings["parallel"], 2);
}

#[test]
fn each_mistake_is_one_finding() {
    let mut wrong = Vec::new();
    for (from, to, expected) in [
        (
            "connector: payfast",
            "connector: payfats",
            "E0601 ml-connector.yaml:17:16",
        ),
        (
            "base_url: \"https://north.example\", ",
            "",
            "E0602 ml-connector.yaml:11:5",
        ),
        ("company: N", "company: 7", "E0602 ml-connector.yaml:11:61"),
        ("company: N", "compny: N", "E0602 ml-connector.yaml:11:52"),
        ("timeout: 20s", "timeout: 20", "E0602"),
        ("timeout: 20s", "timeout: 20 s", "E0602"),
        (
            "{ one: bank/one, two: bank/two }",
            "{ one: bank/one }",
            "E0603 ml-connector.yaml:18:5",
        ),
        (
            "one: bank/one",
            "one: [bank/one, bank/more]",
            "E0603 ml-connector.yaml:18:16",
        ),
        (
            "one: bank/one",
            "one: bank/one, three: bank/three",
            "E0603 ml-connector.yaml:18:31",
        ),
        ("one: bank/one", "one: []", "E0603 ml-connector.yaml:18:16"),
        (
            "poll: { sweep:",
            "poll: { sweeep:",
            "E0607 ml-connector.yaml:13:13",
        ),
        (
            "poll: { sweep:",
            "poll: { hooks:",
            "E0607 ml-connector.yaml:13:13",
        ),
        (
            "use: netledger-payfast/bills",
            "use: netledger-payfast/bils",
            "E0604 ml-connector.yaml:20:10",
        ),
        ("name: north/bills\n", "\n", "E0201 ml-connector.yaml:27:10"),
        (
            "account: \"1200\"",
            "account: 1200",
            "E0605 ml-connector.yaml:22:24",
        ),
        (
            "params: { account: \"1200\" }",
            "params: {}",
            "E0605 ml-connector.yaml:22:5",
        ),
        (
            "connections: { ledger: ledger-north }",
            "connections: { ledger: bank }",
            "E0606 ml-connector.yaml:23:28",
        ),
        (
            "connections: { ledger: ledger-north }",
            "connections: { ledger: south }",
            "E0606 ml-connector.yaml:23:28",
        ),
        (
            "connections: { ledger: ledger-north }",
            "",
            "E0606 ml-connector.yaml:20:5",
        ),
        (
            "connections: { ledger: ledger-north }",
            "connections: { ledger: ledger-north, more: bank }",
            "E0606 ml-connector.yaml:23:42",
        ),
        (
            "crosswalks: { customers:",
            "crosswalks: { customer:",
            "E0606 ml-connector.yaml:24:19",
        ),
        (
            "webhooks: \"0.0.0.0:9000\"",
            "webhooks: localhost",
            "E0115 ml-connector.yaml:7:21",
        ),
        (
            "env: VAULT_KEY",
            "env: VAULT_KEY, file: x",
            "E0114 ml-connector.yaml:6:55",
        ),
        (
            "every: 2m",
            "every: 2 minutes",
            "E0115 ml-connector.yaml:13:29",
        ),
        ("30 5 * * 1-5", "30 5 * *", "E0115 ml-connector.yaml:13:55"),
        (
            "zone: Europe/Paris",
            "zone: Europe/Pairs",
            "E0115 ml-connector.yaml:25:43",
        ),
        (
            "every: 2m",
            "every: 2m, at: { cron: \"0 6 * * *\" }",
            "E0114 ml-connector.yaml:13:33",
        ),
        (
            "enabled: true",
            "enabled: yes",
            "E0112 ml-connector.yaml:26:14",
        ),
    ] {
        let text = found(from, to);
        if !text.starts_with(expected)
            || text.contains(
                "
E",
            )
        {
            wrong.push(format!(
                "{to}: not {expected}
{text}
"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn a_finding_of_a_secret_reference_says_what_to_write() {
    let text = found("{ one: bank/one, two: bank/two }", "{ one: bank/one }");
    assert!(
        text.contains("write `two: bank/two` under `secrets`"),
        "{text}"
    );
}

#[test]
fn a_file_of_another_kind_is_no_site() {
    let text = bind("version: 1\nconnector: x\n").1;
    assert!(text.starts_with("E0120 ml-connector.yaml:2:1"), "{text}");
    assert!(bind("").1.starts_with("E0120"));
    assert!(
        bind("version: 2\nsite: x\n")
            .1
            .starts_with("E0121 ml-connector.yaml:1:10")
    );
}

#[test]
fn the_plan_hash_changes_with_the_site() {
    let hash = |site: &str| bind(site).0.unwrap().hash;
    assert_eq!(hash(SITE), hash(SITE));
    assert_ne!(hash(SITE), hash(&SITE.replace("20s", "21s")));
}
