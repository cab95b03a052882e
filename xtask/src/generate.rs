//! The files that follow from `protocol/pdk.toml`, `crates/config/properties.toml` and the schemas of plugins.

mod configuration;
mod function;
mod plugin_pages;
mod property_table;
mod reference;
mod shell;
mod wire_table;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::description::{self, Function};
use crate::{plugins, properties};

const REMEDY: &str = "cargo run -q -p xtask -- generate";
const PLUGIN_PAGES: &str = "docs/plugins";

pub fn write(root: &Path) -> Result<(), String> {
    let files = files(root)?;
    for orphan in orphans(root, &files)? {
        std::fs::remove_file(&orphan)
            .map_err(|error| format!("cannot remove {}: {error}", orphan.display()))?;
    }
    for Generated { path, text, .. } in files {
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
    let files = files(root)?;
    for Generated { source, path, text } in &files {
        if crate::read(&root.join(path))? != *text {
            return Err(format!("file does not follow from {source}: {path} (write it with: {REMEDY})"));
        }
    }
    match orphans(root, &files)?.first() {
        Some(page) => Err(format!("there is no such plugin: {} (remove it with: {REMEDY})", page.display())),
        None => Ok(()),
    }
}

/// A file that follows from another.
struct Generated {
    source: &'static str,
    /// Below the root.
    path: String,
    text: String,
}

fn files(root: &Path) -> Result<Vec<Generated>, String> {
    let functions = description::read(root)?;
    let groups = properties::read(root)?;
    let plugins = plugins::read(root)?;
    let (pdk, conf) = (description::FILE, properties::FILE);
    let code = |source, path: &str, text: &str| {
        Ok::<_, String>(Generated { source, path: path.to_owned(), text: formatted(root, text)? })
    };
    let page = |source, path: &str, text| Generated { source, path: path.to_owned(), text };
    let mut files = vec![
        code(pdk, "crates/chain/src/pdk/function.rs", &function::text(&functions))?,
        code(pdk, "crates/chain/src/pdk/shell.rs", &shell::text(&functions))?,
        code(
            pdk,
            "crates/plugin-host/src/wire/msgpack/step_method.rs",
            &wire_table::step_methods(&functions),
        )?,
        code(pdk, "crates/plugin-host/src/wire/protobuf/shapes.rs", &wire_table::shapes(&functions))?,
        page(pdk, "docs/pdk.md", reference::text(&functions)),
        code(conf, "crates/config/src/conf/properties/table.rs", &property_table::text(&groups))?,
        page(conf, "docs/configuration.md", configuration::text(&groups)),
        page(plugins::FOLDER, &format!("{PLUGIN_PAGES}/README.md"), plugin_pages::list(&plugins)),
    ];
    files.extend(plugins.iter().map(|plugin| {
        page(plugins::FOLDER, &format!("{PLUGIN_PAGES}/{}.md", plugin.name), plugin_pages::page(plugin))
    }));
    Ok(files)
}

/// Pages of plugins that are gone.
fn orphans(root: &Path, files: &[Generated]) -> Result<Vec<PathBuf>, String> {
    let folder = root.join(PLUGIN_PAGES);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot read {}: {error}", folder.display())),
    };
    let pages = entries.flatten().map(|entry| entry.path());
    Ok(pages.filter(|page| !files.iter().any(|file| root.join(&file.path) == *page)).collect())
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
