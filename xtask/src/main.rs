//! Chores of the repository.
//!
//! ```text
//! cargo run -q -p xtask -- generate    writes what follows from protocol/pdk.toml, crates/config/properties.toml and plugins' schemas
//! cargo run -q -p xtask -- check       fails if one of those files, or a dependency between crates, is wrong, if files
//!                                      of one crate use each other in a circle, and if a plugin server's protocol
//!                                      is known outside of its folder
//! ```

mod circles;
mod dependencies;
mod description;
mod generate;
mod plugins;
mod properties;
mod source;
mod wires;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["generate"] => generate::write(root()),
        ["check"] => check(root()),
        _ => Err(format!("expected one argument, generate or check, not: {}", arguments.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn check(root: &Path) -> Result<(), String> {
    generate::check(root)?;
    dependencies::check(root)?;
    circles::check(root)?;
    wires::check(root)
}

/// The folder of the workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Names and folders of the crates, in the order of the names.
fn crates(root: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let folder = root.join("crates");
    let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let folders = entries.iter().map(std::fs::DirEntry::path).filter(|path| path.join("Cargo.toml").exists());
    let mut crates: Vec<_> =
        folders.filter_map(|path| Some((path.file_name()?.to_string_lossy().into_owned(), path))).collect();
    crates.sort();
    Ok(crates)
}
