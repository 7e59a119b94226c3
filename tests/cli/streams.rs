//! Help, exit codes and streams, for all commands alike.

use super::Sealed;

/// The commands a help text lists.
fn listed(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    list.take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn every_command_has_help_with_an_example_that_names_it() {
    let sealed = Sealed::new();
    let commands = listed(&sealed.run(&["--help"]).fine());
    assert!(commands.len() > 3, "{commands:?}");
    for command in commands {
        let help = sealed.run(&[&command, "--help"]).fine();
        assert!(
            help.contains("Example") && help.contains(&format!("ml-connector {command}")),
            "{command}: {help}"
        );
    }
}

#[test]
fn wrong_usage_is_told_on_stderr_and_exits_with_2() {
    let sealed = Sealed::new();
    for arguments in [
        &["no-such-command"][..],
        &["version", "--no-such-option"],
        &["explain", "E9999"],
        &["schema", "output", "no-such-output"],
        &[],
    ] {
        let ran = sealed.run(arguments);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{arguments:?}: {ran:?}"
        );
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn data_goes_to_stdout_alone() {
    let sealed = Sealed::new();
    let ran = sealed.run(&["version", "--format", "json"]);
    assert_eq!(ran.json()["version"], 1);
    assert_eq!(ran.err, "");
}

#[test]
fn nothing_is_coloured_without_a_terminal_unless_it_is_asked_for() {
    let sealed = Sealed::new();
    assert!(!sealed.run(&["explain"]).fine().contains('\u{1b}'));
    assert!(!sealed.run(&["--help"]).fine().contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sealed = Sealed::new();
    let mut command = sealed.command(["completions", "bash"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer);
    let status = command.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(
        status.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
}

#[test]
fn every_shell_has_its_completions() {
    let sealed = Sealed::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sealed.run(&["completions", shell]).fine();
        assert!(script.contains("ml-connector"), "{shell}");
    }
}
