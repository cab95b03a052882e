//! What the reference answered to 78,000 calls of PDK functions by plugins in Go, JavaScript and Python, and what
//! polygate answers.
//!
//! A row is one request and a script: the calls that a plugin makes in each phase. The plugins are `diff-go`, `diff-js`
//! and `diff-py` of fixtures/; they write down what each call answered. The files of tests/reference/pdk hold rows by
//! number ([`recorded`] has their form), with what Kong 3.9.3 answered to each call and the exchange: what the client
//! got and what reached the upstream. Differences on purpose, and those that are still open, are listed in _marks.json
//! ([`marks`]); a mark that nothing needs any more fails.
//!
//! Not compared: what changes from run to run ([`answers`]); the letters and the order of header names, reason phrases
//! and `Date` ([`traffic`]); of two answers with status 500 anything but that; and what comes after a call that the
//! reference never answered: its Python server hangs on a header that is not UTF-8, its Go server's connection ends with
//! an error.
//!
//! Left out of the recordings are rows of Go in which the recording plugin itself panicked, and those after it, for
//! which its server was away.

mod answers;
mod compare;
mod marks;
mod recorded;
mod site;
mod traffic;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::thread;

use marks::{Marks, Verdict};
use recorded::Corpus;
use site::{SETS, Site};

use crate::reference::recorded::folder;
use crate::scripts::LANGUAGES;

/// How many complaints are shown.
const SHOWN: usize = 100;

/// One test for all languages, since a mark holds for all of them.
#[test]
fn plugins_calls() {
    let corpus = Corpus::load();
    let found: Vec<String> = thread::scope(|scope| {
        let replays: Vec<_> = LANGUAGES
            .iter()
            .map(|language| scope.spawn(|| Site::start(language, &corpus).replay(&corpus)))
            .collect();
        replays.into_iter().flat_map(|replay| replay.join().expect("a replay does not panic")).collect()
    });
    let Verdict { complaints, open } = Marks::load().judge(&found);
    // Past the capture of the test harness, so that every run shows it.
    drop(writeln!(io::stderr(), "open differences of PDK calls:\n{}", open.join("\n")));
    let shown = complaints.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(complaints.is_empty(), "{} complaints:\n{shown}", complaints.len());
}

#[test]
fn every_file_of_calls_is_replayed() {
    let folder = fs::read_dir(folder().join("pdk")).expect("the recorded calls");
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let recorded: BTreeSet<String> = names.filter(|name| !name.starts_with('_')).collect();
    let replayed =
        LANGUAGES.iter().flat_map(|language| SETS.map(|set| format!("{}-{set}.json", language.name)));
    assert_eq!(recorded, replayed.collect());
}
