use std::path::Path;
use std::{env, fs};

use polygate_config::conf::{self, Sources};

use super::*;
use crate::declarative;
use crate::plugins::{self, Announced};

/// What a configuration is told: warnings, or why it is refused.
fn load(example: &Example) -> Result<Vec<String>, String> {
    let given = example.properties.iter().map(|(name, text)| (name.to_string(), text.to_string()));
    let overrides = [("database".to_owned(), "off".to_owned())].into_iter().chain(given).collect();
    let (settings, said) = conf::load(Sources { overrides, ..Sources::default() })
        .map_err(|errors| errors.iter().map(|error| format!("{error}\n")).collect::<String>())?;
    let text = format!("_format_version: '3.0'\n{}\n", example.entities);
    let enabled =
        plugins::resolve(&settings.enabled_plugins(&plugins::bundled()), &Announced::default()).unwrap();
    declarative::from_text(&text, &enabled).map_err(|error| error.to_string())?;
    Ok(said.into_iter().map(|it| it.message).chain(warnings(&settings)).collect())
}

#[test]
fn a_configuration_that_asks_for_nothing_is_told_nothing() {
    assert_eq!(load(&Example::default()), Ok(vec![]));
}

#[test]
fn every_entry_is_refused_or_told_in_one_line() {
    for entry in ENTRIES {
        let told = load(&entry.example);
        match (&entry.found, &told) {
            (Refused, Err(why)) => assert!(!why.is_empty(), "{}", entry.what),
            (Warned, Ok(lines)) => assert_eq!(lines.len(), 1, "{}: {lines:?}", entry.what),
            (InSettings(_), Ok(lines)) => {
                let begin = format!("not built yet: {} (", entry.what.replace('`', "'"));
                let found = lines.iter().filter(|line| line.starts_with(&begin)).count();
                assert_eq!(found, 1, "{}: {lines:?}", entry.what);
            }
            (_, told) => panic!("{}: {told:?}", entry.what),
        }
    }
}

#[test]
fn a_line_names_what_it_is_about() {
    let listeners: Vec<_> = (1..=12).map(|port| format!("127.0.0.1:{port} deferred")).collect();
    let listeners: &'static str = listeners.join(", ").leak();
    let told = load(&Example { entities: "", properties: vec![("proxy_listen", listeners)].leak() }).unwrap();
    let first: Vec<_> =
        ["1", "10", "11", "12", "2", "3", "4", "5", "6", "7"].map(|port| format!("127.0.0.1:{port}")).into();
    let place = format!("proxy_listen {} and 2 more", first.join(", "));
    let what = "not built yet: the flag 'deferred' of a listener";
    assert_eq!(told, [format!("{what} ({place}): connections are accepted before they send anything")]);
}

/// The page has the list. With `UPDATE_EXPECT=1` the page is written.
#[test]
fn the_page_of_compatibility_has_the_list() {
    const BEGIN: &str = "| asked for | instead |\n|---|---|\n";
    let row = |entry: &Entry| {
        let told = if matches!(entry.found, Refused) { "" } else { "; a warning tells it" };
        format!("| {} | {}{told} |\n", entry.what, entry.instead)
    };
    let rows: String = ENTRIES.iter().map(row).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the part 'Not yet'");
    let (_, after) = rest.split_once("\n\n").expect("the table ends with an empty line");
    let expected = format!("{before}{BEGIN}{rows}\n{after}");
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, expected).unwrap();
    } else {
        assert_eq!(page, expected, "run the test with UPDATE_EXPECT=1");
    }
}
