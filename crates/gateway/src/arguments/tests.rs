use std::path::PathBuf;

use super::*;
use crate::commands::COMMANDS;

fn request(line: &str) -> Result<Request, ArgumentError> {
    parse(line.split_whitespace().map(OsString::from), COMMANDS)
}

#[track_caller]
fn invocation(line: &str) -> Invocation {
    match request(line) {
        Ok(Request::Run(invocation)) => invocation,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn error(line: &str) -> String {
    request(line).expect_err(line).to_string()
}

#[test]
fn options_are_read_in_every_spelling() {
    for line in
        ["start -c a -p b", "start --conf a --prefix b", "start --conf=a -pb", "start -c x --v -c a -p b"]
    {
        let invocation = invocation(line);
        assert_eq!(invocation.command.name, "start", "{line}");
        assert_eq!(invocation.value("conf"), Some("a"), "{line}");
        assert_eq!(invocation.path("prefix"), Some(PathBuf::from("b")), "{line}");
    }
    assert!(invocation("version -a").has("all"));
    assert!(!invocation("version").has("all"));
}

#[test]
fn verbosity_stands_anywhere() {
    for (line, verbosity) in [("health", 0), ("health --v", 1), ("--vv health", 2), ("health --v --vv", 2)] {
        assert_eq!(invocation(line).verbosity, verbosity, "{line}");
    }
}

#[test]
fn operands_are_kept_in_order() {
    assert_eq!(invocation("config parse -p x kong.yml").operands, ["parse", "kong.yml"]);
}

#[test]
fn seconds_have_a_least_value() {
    assert_eq!(invocation("quit").seconds("timeout", 1, 10).unwrap(), 10);
    assert_eq!(invocation("quit -t 3").seconds("timeout", 1, 10).unwrap(), 3);
    for value in ["0", "-1", "x"] {
        let wrong = invocation(&format!("quit --timeout={value}")).seconds("timeout", 1, 10).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            format!("--timeout must be a number of seconds, 1 or greater, got '{value}'")
        );
    }
}

#[test]
fn help_needs_no_valid_rest() {
    assert!(matches!(request(""), Ok(Request::Overview)));
    assert!(matches!(request("--help"), Ok(Request::Overview)));
    assert!(
        matches!(request("stop --help --nonsense"), Ok(Request::Help(command)) if command.name == "stop")
    );
}

#[test]
fn nonsense_is_named() {
    assert_eq!(error("fly"), "No such command: fly");
    assert_eq!(error("stop -c x"), "invalid option '-c'");
    assert_eq!(error("--nonsense"), "invalid option '--nonsense'");
    assert_eq!(error("start -c"), "missing argument for option '-c'");
    assert_eq!(error("version --all=x"), "unexpected argument for option '--all': \"x\"");
}
