//! `secrets`: values go in and never come out.

use super::{Sealed, assert_conforms, ended};

#[test]
fn a_value_comes_from_stdin_and_is_never_printed_or_readable() {
    let sealed = Sealed::with_definitions();
    let made = sealed.run(&["secrets", "init"]).ends(0);
    assert!(made.contains("vault.key"), "{made}");
    let ran = sealed.run_with(&["secrets", "set", "payfast/token"], "tok-9f3b\n");
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (0, "", "stored `payfast/token`\n")
    );
    let listed = sealed.run(&["secrets", "list", "--format", "json"]);
    assert_conforms(&sealed, "secrets", &listed.json());
    assert_eq!(listed.json()["secrets"][0]["name"], "payfast/token");
    for ran in [listed, sealed.run(&["secrets", "list"])] {
        assert!(
            !ran.out.contains("tok-9f3b") && !ran.err.contains("tok-9f3b"),
            "{ran:?}"
        );
    }
    let file = std::fs::read(sealed.path("data/vault")).unwrap();
    assert!(!String::from_utf8_lossy(&file).contains("tok-9f3b"));
}

#[test]
fn a_value_is_not_taken_from_the_arguments() {
    let sealed = Sealed::with_vault();
    sealed
        .run(&["secrets", "set", "payfast/token", "tok"])
        .ends(2);
}

#[test]
fn an_empty_value_is_refused_and_the_old_one_stands() {
    let sealed = Sealed::with_vault();
    sealed
        .run_with(&["secrets", "set", "payfast/token"], "\n")
        .ends(2);
    assert_eq!(sealed.run(&["secrets", "list"]).fine().lines().count(), 4);
}

#[test]
fn a_vault_is_made_once() {
    let sealed = Sealed::with_vault();
    let said = sealed.run(&["secrets", "init"]).ends(3);
    assert!(said.contains("already"), "{said}");
    assert_eq!(sealed.run(&["secrets", "list"]).fine().lines().count(), 4);
}

#[test]
fn what_is_deleted_is_gone_and_what_is_not_there_is_said() {
    let sealed = Sealed::with_vault();
    sealed.run(&["secrets", "delete", "payfast/token"]).fine();
    let said = sealed.run(&["secrets", "delete", "payfast/token"]).ends(3);
    assert!(said.contains("no secret `payfast/token`"), "{said}");
}

#[test]
fn a_changed_key_leaves_the_old_one_useless() {
    let sealed = Sealed::with_vault();
    let old = sealed.text("vault.key");
    sealed.run(&["secrets", "rotate"]).fine();
    assert_ne!(sealed.text("vault.key"), old);
    sealed.run(&["secrets", "list"]).fine();
    sealed.file("vault.key", &old);
    let said = sealed.run(&["secrets", "list"]).ends(3);
    assert!(said.contains("cannot decrypt"), "{said}");
}

#[test]
fn the_key_can_come_from_the_environment_or_a_credentials_directory() {
    let sealed = Sealed::new();
    let key = sealed.run(&["secrets", "new-key"]).fine();
    let with_env = |arguments: &[&str], input: &str| {
        let mut command = sealed.command(arguments);
        command.env("VAULT_KEY", key.trim());
        ended(command, input)
    };
    let place = ["--vault", "vault", "--key-env", "VAULT_KEY"];
    with_env(&[&["secrets", "init"], &place[..]].concat(), "").fine();
    with_env(
        &[&["secrets", "set", "hook"], &place[..]].concat(),
        "s3cret",
    )
    .fine();
    let said = sealed
        .run(&[&["secrets", "list"], &place[..]].concat())
        .ends(3);
    assert!(
        said.contains("VAULT_KEY") && said.contains("new-key"),
        "{said}"
    );

    sealed.file("credentials/vault-key", &key);
    let mut command = sealed.command([
        "secrets",
        "list",
        "--vault",
        "vault",
        "--key-credential",
        "vault-key",
    ]);
    command.env("CREDENTIALS_DIRECTORY", sealed.path("credentials"));
    assert!(ended(command, "").fine().contains("hook"));
}

#[test]
fn a_key_that_is_none_is_not_repeated_in_the_message() {
    let sealed = Sealed::with_vault();
    sealed.file("vault.key", "not-a-key-6b1f");
    let said = sealed.run(&["secrets", "list"]).ends(3);
    assert!(
        said.contains("vault.key") && !said.contains("6b1f"),
        "{said}"
    );
}

#[test]
fn who_changed_the_vault_stands_in_the_audit_trail_by_name() {
    let sealed = Sealed::with_vault();
    sealed
        .run(&["crosswalk", "set", "customers", "CU1", "account=7"])
        .fine();
    let mut command = sealed.command(["secrets", "set", "netledger/key"]);
    command.env("USER", "anna");
    ended(command, "key-8c2e").fine();
    let trail = sealed.run(&["audit", "export"]).fine();
    let note = trail.lines().last().unwrap();
    assert!(
        note.contains("secret_set") && note.contains("netledger/key") && note.contains("anna"),
        "{note}"
    );
    assert!(!trail.contains("key-8c2e"), "{trail}");
}
