//! The files that follow from `protocol/pdk.toml` and `crates/config/properties.toml`.

mod configuration;
mod function;
mod property_table;
mod reference;
mod shell;
mod wire_table;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::description::{self, Function};
use crate::properties;

const REMEDY: &str = "cargo run -q -p xtask -- generate";

pub fn write(root: &Path) -> Result<(), String> {
    for (_, path, text) in files(root)? {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        }
        std::fs::write(&path, text).map_err(|error| cannot_write(&path, &error))?;
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// Whether the files in the repository are those that would be written.
pub fn check(root: &Path) -> Result<(), String> {
    for (source, path, text) in files(root)? {
        if crate::read(&root.join(path))? != text {
            return Err(format!("file does not follow from {source}: {path} (write it with: {REMEDY})"));
        }
    }
    Ok(())
}

/// What each follows from, paths below `root` and texts.
fn files(root: &Path) -> Result<[(&'static str, &'static str, String); 7], String> {
    let functions = description::read(root)?;
    let groups = properties::read(root)?;
    let (pdk, conf) = (description::FILE, properties::FILE);
    Ok([
        (pdk, "crates/chain/src/pdk/function.rs", formatted(root, &function::text(&functions))?),
        (pdk, "crates/chain/src/pdk/shell.rs", formatted(root, &shell::text(&functions))?),
        (
            pdk,
            "crates/plugin-host/src/wire/msgpack/step_method.rs",
            formatted(root, &wire_table::step_methods(&functions))?,
        ),
        (
            pdk,
            "crates/plugin-host/src/wire/protobuf/shapes.rs",
            formatted(root, &wire_table::shapes(&functions))?,
        ),
        (pdk, "docs/pdk.md", reference::text(&functions)),
        (
            conf,
            "crates/config/src/conf/properties/table.rs",
            formatted(root, &property_table::text(&groups))?,
        ),
        (conf, "docs/configuration.md", configuration::text(&groups)),
    ])
}

/// Says in the text's first lines where it comes from.
fn header(source: &str) -> String {
    format!("// Written from {source} by `{REMEDY}`; do not edit.\n\n")
}

/// `Function::A | Function::B`, of those that `chosen` takes.
fn variants(functions: &[Function], chosen: impl Fn(&Function) -> bool) -> String {
    let chosen = functions.iter().filter(|function| chosen(function));
    chosen.map(|function| format!("Function::{}", function.variant())).collect::<Vec<_>>().join(" | ")
}

fn formatted(root: &Path, text: &str) -> Result<String, String> {
    rustfmt(root, text).map_err(|error| format!("cannot format with rustfmt: {error}"))
}

fn rustfmt(root: &Path, text: &str) -> std::io::Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // Dropped at once, which ends the input; rustfmt reads all of it before it writes.
    child.stdin.take().expect("a piped input").write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(std::io::Error::other(output.status.to_string()));
    }
    String::from_utf8(output.stdout).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_files_are_the_generated_ones() {
        super::check(crate::root()).expect("generated files");
    }
}
