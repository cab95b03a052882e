//! Chores of the repository.
//!
//! ```text
//! cargo run -q -p xtask -- generate    writes what follows from protocol/pdk.toml
//! cargo run -q -p xtask -- check       fails if one of those files, or a dependency between crates, is wrong
//! ```

mod dependencies;
mod description;
mod generate;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["generate"] => generate::write(root()),
        ["check"] => generate::check(root()).and_then(|()| dependencies::check(root())),
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

/// The folder of the workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
