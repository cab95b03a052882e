//! Whether the files that a server is made of have changed.
//!
//! The commands name them: the executable, the scripts, the directories with plugins. A process does
//! not load another version later, so a server whose files changed is started anew by a reload.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::settings::{Query, ServerSettings};

/// What plugins are written in. Logs, sockets and caches may lie beside them and change all the time.
const CODE: &[&str] = &["cjs", "js", "json", "mjs", "node", "py", "pyd", "so", "ts", "wasm"];
/// Not looked into: large, and changed together with the lock file beside the plugins.
const PASSED_OVER: &[&str] = &["node_modules", "__pycache__"];
const DEEPEST: usize = 8;

/// A number that changes with the files that the server's commands name.
pub(crate) fn fingerprint(settings: &ServerSettings) -> u64 {
    let mut files = BTreeMap::new();
    for command in commands(settings) {
        for path in command.split(|c: char| c.is_whitespace() || "'\"=;|&()<>".contains(c)).filter_map(locate)
        {
            match path.metadata() {
                Ok(it) if it.is_file() => drop(files.insert(path, version(&it))),
                // The gateway and its servers write there themselves.
                Ok(it) if it.is_dir() && !settings.socket.starts_with(&path) => {
                    collect(&path, DEEPEST, &mut files)
                }
                _ => {}
            }
        }
    }
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    hasher.finish()
}

fn commands(settings: &ServerSettings) -> impl Iterator<Item = &str> {
    let query = match &settings.query {
        Query::All(command) => std::slice::from_ref(command),
        Query::Each(commands) => commands,
        Query::None => &[],
    };
    settings.start_cmd.iter().chain(query).map(String::as_str)
}

/// The file or directory of a word, as the shell finds it.
fn locate(word: &str) -> Option<PathBuf> {
    if word.is_empty() {
        return None;
    }
    if word.contains('/') {
        return Some(word.into());
    }
    let directories = std::env::var_os("PATH")?;
    std::env::split_paths(&directories).map(|directory| directory.join(word)).find(|path| path.is_file())
}

fn collect(directory: &Path, depth: usize, files: &mut BTreeMap<PathBuf, (u64, i64, i64)>) {
    let entries = directory.read_dir().into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        let Ok(metadata) = path.metadata() else { continue };
        let is_code = path.extension().is_some_and(|it| CODE.iter().any(|code| it == *code));
        if metadata.is_dir() && depth > 0 && !PASSED_OVER.iter().any(|it| name == *it) {
            collect(&path, depth - 1, files);
        } else if metadata.is_file() && is_code {
            files.insert(path, version(&metadata));
        }
    }
}

fn version(file: &Metadata) -> (u64, i64, i64) {
    (file.size(), file.mtime(), file.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::settings::tests::settings;

    #[test]
    fn code_counts_and_what_runs_along_does_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("plugins/node_modules")).expect("makes directories");
        let write = |name: &str, text: &str| fs::write(path(name), text).expect("writes");
        write("server", "binary");
        write("plugins/hello.py", "one");
        let settings = ServerSettings {
            start_cmd: Some(format!("{} -d '{}'", path("server").display(), path("plugins").display())),
            ..settings()
        };
        let mut latest = fingerprint(&settings);
        assert_eq!(fingerprint(&settings), latest);
        for (name, counts) in [
            ("plugins/hello.py", true),
            ("plugins/new.js", true),
            ("plugins/server.log", false),
            ("plugins/node_modules/x.js", false),
            ("server", true),
            ("other", false),
        ] {
            write(name, "changed");
            let now = fingerprint(&settings);
            assert_eq!(now != latest, counts, "{name}");
            latest = now;
        }
        fs::remove_file(path("plugins/new.js")).expect("is there");
        assert_ne!(fingerprint(&settings), latest);
    }

    #[test]
    fn the_directory_of_the_socket_changes_all_the_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = ServerSettings {
            socket: directory.path().join("test.socket"),
            start_cmd: Some(format!("/bin/true -kong-prefix {}", directory.path().display())),
            ..settings()
        };
        let before = fingerprint(&settings);
        fs::write(directory.path().join("saved.json"), "{}").expect("writes");
        assert_eq!(fingerprint(&settings), before);
    }
}
