//! `config parse` of configurations, beside what the reference said.

use std::fs;
use std::process::Command;

use polygate_testkit::gateway::program;
use regex::{Captures, Regex};
use serde::Deserialize;

use crate::reference::bundled::recorded::{Configuration, folder, load};

#[derive(Deserialize)]
struct File {
    config_cases: Vec<Configuration>,
}

/// All recorded configurations.
#[track_caller]
pub fn all() {
    let mut files: Vec<_> = fs::read_dir(folder("bundled-config"))
        .expect("the folder")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let mut complaints = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for case in load::<File>(&path).config_cases {
            let observed = observe(&case);
            let differs =
                observed.0 != case.expect.exit || comparable(&observed.1) != comparable(&case.expect.output);
            let label = format!("{name}/{}", case.name);
            match (case.mark.reason(), differs) {
                (None, true) => complaints.push(format!(
                    "{label}: recorded {} {:?}\n    observed {} {:?}",
                    case.expect.exit, case.expect.output, observed.0, observed.1
                )),
                (Some(mark), false) => {
                    complaints.push(format!("{label}: does not differ any more; take its mark off: {mark}"));
                }
                _ => {}
            }
        }
    }
    assert!(complaints.is_empty(), "{} cases:\n{}", complaints.len(), complaints.join("\n"));
}

/// The exit code and what was said, without lines of the log.
fn observe(case: &Configuration) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join(format!("kong.{}", case.ext.as_deref().unwrap_or("yml")));
    let text = match (&case.text, &case.config) {
        (Some(text), _) => text.clone(),
        (None, Some(config)) => config.to_string(),
        (None, None) => String::new(),
    };
    fs::write(&file, &text).expect("the folder is writable");
    let output = Command::new(program())
        .args(["config", "parse"])
        .arg(&file)
        .env("KONG_PREFIX", folder.path().join("p"))
        .env("KONG_DATABASE", "off")
        .output()
        .expect("the program can be run");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said)
        .replace(&file.display().to_string(), "{{FILE}}")
        .replace(&folder.path().display().to_string(), "{{DIR}}");
    let uuid = Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a pattern");
    let name = |found: &Captures<'_>| {
        if text.contains(&found[0]) { found[0].to_owned() } else { "{{UUID}}".to_owned() }
    };
    let said = uuid.replace_all(&said, name);
    let log = Regex::new(r"^\d{4}/\d\d/\d\d |^prefix directory |^\s*$").expect("a pattern");
    let lines: Vec<_> = said.lines().filter(|line| !log.is_match(line)).collect();
    (output.status.code().unwrap_or(-1), lines.join("\n"))
}

/// The order of a message's lines, and that of allowed values, changes from run to run in the reference.
fn comparable(output: &str) -> Vec<String> {
    let line = |line: &str| {
        if !line.contains("expected one of") {
            return line.to_owned();
        }
        let mut words: Vec<_> =
            line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
        words.sort_unstable();
        words.join(" ")
    };
    let mut lines: Vec<_> = output.lines().map(line).collect();
    lines.sort();
    lines
}
