//! The configuration that a command works with: from the command line, the environment and the files they name.

use std::path::{Path, PathBuf};

use polygate_config::Settings;
use polygate_config::conf::{self, ConfError, Sources};

use crate::command::{Invocation, Outcome};
use crate::console::Console;

/// What the environment and the command line say. The file is that of `--conf`, else the usual one.
pub fn sources(invocation: &Invocation) -> Sources {
    let mut sources = Sources::from_process();
    sources.file = invocation.path("conf").or_else(conf::default_file);
    if let Some(prefix) = invocation.value("prefix") {
        sources.overrides.push(("prefix".to_owned(), prefix.to_owned()));
    }
    sources
}

/// Loads a configuration; warnings are shown, of several problems the first one.
pub fn load(sources: Sources, console: Console) -> Outcome<Settings> {
    if let Some(file) = &sources.file {
        console.verbose(format!("reading config file at {}", file.display()));
    }
    let (settings, warnings) = conf::load(sources).map_err(first)?;
    console.warnings(&warnings);
    for (name, text) in settings.values.masked().filter(|(_, text)| !text.is_empty()) {
        console.debug(format!("{name} = \"{text}\""));
    }
    Ok(settings)
}

/// That of the gateway which runs in `prefix`: the saved state with the given file and the environment over it. A
/// file that was not given is not looked for: the saved state has it.
pub fn load_running(invocation: &Invocation, prefix: &Path, console: Console) -> Outcome<Settings> {
    let mut sources = sources(invocation);
    sources.file = invocation.path("conf");
    sources.saved = Some(conf::saved_file(prefix));
    sources.overrides.push(("prefix".to_owned(), prefix.to_string_lossy().into_owned()));
    load(sources, console)
}

/// The prefix for commands that speak to a running gateway, whatever else the configuration says.
pub fn running_prefix(invocation: &Invocation) -> Outcome<PathBuf> {
    let prefix = conf::prefix(&sources(invocation))?;
    match prefix.exists() {
        true => Ok(prefix),
        false => Err(format!("no such prefix: {}", prefix.display()).into()),
    }
}

/// The first of several problems, with the way to see the others.
pub fn first(errors: Vec<ConfError>) -> String {
    let more = match errors.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more, shown by 'polygate check')", count - 1),
    };
    errors.first().map_or(String::new(), ToString::to_string) + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_problem_tells_of_the_others() {
        let problem = |text: &str| ConfError::Refused(text.to_owned());
        assert_eq!(first(vec![problem("a")]), "a");
        assert_eq!(first(vec![problem("a"), problem("b")]), "a (and 1 more, shown by 'polygate check')");
    }
}
