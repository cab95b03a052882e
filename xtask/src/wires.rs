//! What goes over a connection to a plugin server is known in one folder for each protocol, below
//! `crates/plugin-host/src/wire`, and nowhere else in that crate.

use std::path::{Path, PathBuf};

use crate::source::Source;

const CRATE: &str = "crates/plugin-host/src";

/// Modules and crates that are a protocol's own.
const OF_A_WIRE: [&[&str]; 3] =
    [&["polygate_plugin_proto", "msgpack"], &["polygate_plugin_proto", "protobuf"], &["prost"]];

/// Which protocol a server speaks is read from its dump, and chosen by in one place.
const PROTOCOL: &[&str] = &["polygate_plugin_proto", "Protocol"];
const KNOW_PROTOCOL: [&str; 2] = ["discovery.rs", "wire.rs"];

pub fn check(root: &Path) -> Result<(), String> {
    let folder = root.join(CRATE);
    for path in files(&folder)? {
        let name = path.strip_prefix(&folder).unwrap_or(&path).display().to_string();
        if let Some(wrong) = wrong(&name, &crate::read(&path)?) {
            return Err(format!(
                "{CRATE}/{name} names {wrong}, which is only for the folders below {CRATE}/wire"
            ));
        }
    }
    Ok(())
}

/// A path that the file must not name.
fn wrong(name: &str, text: &str) -> Option<String> {
    let source = Source::read(text);
    let is_of_a_wire = |path: &[String]| {
        OF_A_WIRE.iter().any(|wire| is_in(path, wire)) && !name.starts_with("wire/")
            || is_in(path, PROTOCOL) && !KNOW_PROTOCOL.contains(&name)
    };
    let mut paths = source.imports.iter().map(|import| &import.path).chain(&source.paths);
    paths.find(|path| is_of_a_wire(path)).map(|path| path.join("::"))
}

fn is_in(path: &[String], module: &[&str]) -> bool {
    path.len() >= module.len() && path.iter().zip(module).all(|(word, wanted)| word == wanted)
}

/// All sources below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut files = Vec::new();
    for path in entries.into_iter().map(|entry| entry.path()) {
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wires_know_their_protocols_alone() {
        check(crate::root()).expect("no knowledge outside");
    }

    #[test]
    fn knowledge_outside_of_a_wire_is_found() {
        let import = "use polygate_plugin_proto::{dump::Dump, msgpack::{Reader, write}};";
        assert_eq!(wrong("event.rs", import).as_deref(), Some("polygate_plugin_proto::msgpack::Reader"));
        assert_eq!(wrong("wire/msgpack/event.rs", import), None);
        let path = "fn f() { polygate_plugin_proto::protobuf::name(); }";
        assert_eq!(wrong("wire.rs", path).as_deref(), Some("polygate_plugin_proto::protobuf::name"));
        assert!(wrong("event.rs", "use prost::Message;").is_some());
        let protocol = "use polygate_plugin_proto::Protocol;";
        assert!(wrong("server.rs", protocol).is_some() && wrong("wire/msgpack.rs", protocol).is_some());
        assert_eq!((wrong("wire.rs", protocol), wrong("discovery.rs", protocol)), (None, None));
        assert_eq!(wrong("output.rs", "use polygate_plugin_proto::dump::strip_ansi;"), None);
    }
}
