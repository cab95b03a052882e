//! Broken configurations: what `polygate` says about each file in `tests/bad/`, compared with the text beside it.
//!
//! `<name>.conf` goes through `polygate check`, `<name>.yml` through `polygate config parse`; `<name>.out` holds the
//! exit code and what was printed. `UPDATE_BAD=1` rewrites the texts: read the difference before committing it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use polygate_testkit::gateway::program;
use regex::Regex;

/// Prefix of the runs, and the name of the folder in the texts.
const PREFIX: &str = "PREFIX";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

fn inputs() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("tests/bad exists").flatten().map(|entry| entry.path());
    let mut inputs: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "conf" || e == "yml")).collect();
    inputs.sort();
    inputs
}

/// The exit code and output of the check of one file.
fn run(input: &Path) -> String {
    let prefix = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(program());
    if input.extension().is_some_and(|e| e == "conf") {
        command.arg("check").arg(input);
    } else {
        let conf = prefix.path().join("kong.conf");
        fs::write(&conf, format!("prefix = {}\ndatabase = off\n", prefix.path().display()))
            .expect("the prefix is writable");
        command.args(["config", "parse"]).arg(input).arg("-c").arg(conf);
    }
    let output = command.current_dir(folder()).env_clear().output().expect("the program can be run");
    let text = |bytes: &[u8]| {
        without_times(&String::from_utf8_lossy(bytes))
            .replace(&prefix.path().display().to_string(), PREFIX)
            .replace(&folder().display().to_string(), "")
    };
    format!(
        "exit code {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().map_or("none".to_owned(), |code| code.to_string()),
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// Log lines on the console start with the time.
fn without_times(text: &str) -> String {
    let time = Regex::new(r"(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ").expect("a valid pattern");
    time.replace_all(text, "TIME ").into_owned()
}

#[test]
fn broken_files_are_explained() {
    let inputs = inputs();
    assert!(inputs.len() >= 40, "{} files", inputs.len());
    let update = std::env::var_os("UPDATE_BAD").is_some();
    let mut wrong = Vec::new();
    for input in inputs {
        let (said, expected) = (run(&input), input.with_extension("out"));
        if update {
            fs::write(&expected, &said).expect("tests/bad is writable");
        }
        let known = fs::read_to_string(&expected).unwrap_or_default();
        if known != said {
            wrong.push(format!("{}: expected\n{known}\nbut polygate said\n{said}", input.display()));
        }
        if !said.starts_with("exit code 1\n") {
            wrong.push(format!("{} is not refused: {said}", input.display()));
        }
    }
    assert!(wrong.is_empty(), "UPDATE_BAD=1 takes these over:\n{}", wrong.join("\n"));
}
