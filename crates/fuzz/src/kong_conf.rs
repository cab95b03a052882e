//! kong.conf, with properties from the command line laid over it, and the saved state of both.

use std::path::{Path, PathBuf};

use polygate_config::Settings;
use polygate_config::conf::{self, Sources};

/// A kong.conf; behind NULs, if there are any, `name=value` overrides.
pub fn kong_conf(data: &[u8]) {
    let mut parts = data.split(|&byte| byte == 0);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("kong.conf");
    std::fs::write(&file, parts.next().unwrap_or_default()).expect("a file in it");
    let overrides: Vec<_> = parts
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();

    let sources = Sources { overrides, ..sources(Some(file), folder.path()) };
    if let Some((_, reference)) = sources.overrides.iter().find(|(_, value)| conf::is_reference(value)) {
        let _ = conf::look_up(&sources, reference);
    }
    match conf::load(sources) {
        Ok((settings, warnings)) => {
            assert!(warnings.iter().all(|warning| !warning.message.is_empty()), "a warning says something");
            is_saved(&settings, folder.path());
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "a refusal has a reason");
            assert!(errors.iter().all(|error| !error.to_string().is_empty()), "a reason says something");
        }
    }
}

/// The running gateway reads what the command line wrote, and must see the same settings.
fn is_saved(settings: &Settings, folder: &Path) {
    conf::save(folder, &settings.values).expect("the values can be written");
    let saved = Sources { saved: Some(conf::saved_file(folder)), ..sources(None, folder) };
    let again = conf::load(saved);
    let (again, _) = again.unwrap_or_else(|errors| panic!("the saved state is refused: {errors:?}"));
    assert_eq!(again, *settings, "the saved state is another one");
}

/// No executables but those that the configuration names.
fn sources(file: Option<PathBuf>, folder: &Path) -> Sources {
    Sources { file, default_bin_dir: folder.join("bin"), ..Sources::default() }
}
