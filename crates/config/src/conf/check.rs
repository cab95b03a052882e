//! From text to [`Settings`]: references, types, what is refused and what has no effect here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::properties::{self, Kind};
use super::{ConfError, Merged, Values, Warning, is_reference, vaults};
use crate::settings::{Reader, Settings};
use crate::units::{number, size, time};

/// Checks everything and resolves it; those of types come first, by name.
pub(super) fn resolve(
    merged: Merged,
    env: &[(String, String)],
    default_bin_dir: &Path,
) -> Result<(Settings, Vec<Warning>), Vec<ConfError>> {
    let Merged { mut values, given, mut warnings } = merged;
    let prefix = absolute_prefix(&values).map_err(|error| vec![error])?;
    values.set("prefix", &prefix.to_string_lossy());
    make_absolute(&mut values);
    if !given.contains("database") {
        default_to_declarative(&mut values, &mut warnings);
    }

    let mut errors = Vec::new();
    let plain = dereference_all(&values, env, &mut errors, &mut warnings);
    check_types(&plain, &mut errors, &mut warnings);
    refuse(&plain, &mut errors);
    warn_of_unused(&plain, &mut warnings);

    let mut reader = Reader { errors, warnings, ..Reader::new(&plain) };
    let settings = Settings::resolve(&mut reader, prefix, values, default_bin_dir);
    match reader.errors.is_empty() {
        true => Ok((settings, reader.warnings)),
        false => Err(reader.errors),
    }
}

/// `prefix` made absolute, without a trailing slash.
pub(super) fn absolute_prefix(values: &Values) -> Result<PathBuf, ConfError> {
    let written = values.get("prefix").unwrap_or("/usr/local/kong");
    let absolute = std::path::absolute(written)
        .map_err(|cause| ConfError::Unreadable { path: written.into(), cause })?;
    Ok(absolute.components().collect())
}

/// Files that a later command or the running gateway reads again, whatever directory it is in.
fn make_absolute(values: &mut Values) {
    let templates = ["html", "json", "xml", "plain"].map(|form| format!("error_template_{form}"));
    for name in templates.iter().map(String::as_str).chain(["declarative_config"]) {
        let Some(path) = values.get(name).filter(|text| !is_reference(text)) else { continue };
        // Fails for an empty path or without a working directory only.
        if let Ok(absolute) = std::path::absolute(path) {
            values.set(name, &absolute.to_string_lossy());
        }
    }
}

/// A declarative configuration without a word about the database means that there is none.
fn default_to_declarative(values: &mut Values, warnings: &mut Vec<Warning>) {
    let declarative = ["declarative_config", "declarative_config_string"];
    if let Some(name) = declarative.into_iter().find(|name| values.get(name).is_some()) {
        values.set("database", "off");
        warnings.push(Warning::notice(format!("database is taken as 'off', as {name} is set")));
    }
}

/// The values with every reference replaced. In a list each item may be one. What has no effect anyway need not
/// lead anywhere.
fn dereference_all(
    values: &Values,
    env: &[(String, String)],
    errors: &mut Vec<ConfError>,
    warnings: &mut Vec<Warning>,
) -> Values {
    let variables: BTreeMap<&str, &str> =
        env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let vaults = vaults(values);
    let mut dereference = |name: &str, text: &str| {
        if !is_reference(text) {
            return text.to_owned();
        }
        let variable = |name: &str| variables.get(name).map(|value| value.to_string());
        vaults.secret(text, variable).unwrap_or_else(|why| {
            match properties::has_effect(name) {
                true => {
                    errors.push(ConfError::Reference {
                        reference: text.to_owned(),
                        why,
                        name: name.to_owned(),
                    });
                }
                false => warnings.push(without_effect(name)),
            }
            String::new()
        })
    };
    Values::new(values.iter().map(|(name, text)| {
        let list = properties::find(name).is_some_and(|row| row.kind == Kind::List);
        let plain = match list && text.contains("{vault://") {
            true => text.split(',').map(|item| dereference(name, item.trim())).collect::<Vec<_>>().join(","),
            false => dereference(name, text),
        };
        (name.to_owned(), plain)
    }))
}

fn check_types(values: &Values, errors: &mut Vec<ConfError>, warnings: &mut Vec<Warning>) {
    for (name, text) in values.iter() {
        let (name, value) = (name.to_owned(), text.to_owned());
        let fits = |parsed: bool| text.is_empty() || parsed;
        match properties::kind(&name) {
            Kind::Number if !fits(number(text).is_some()) => {
                errors.push(ConfError::WrongType { name, kind: "number", value });
            }
            Kind::Size if !fits(size(text).is_some()) => {
                errors.push(ConfError::WrongType { name, kind: "size", value });
            }
            Kind::Time if !fits(time(text).is_some()) => {
                errors.push(ConfError::WrongType { name, kind: "time", value });
            }
            Kind::Bool if !fits(["on", "off", "true", "false"].contains(&text)) => {
                warnings
                    .push(Warning::warn(format!("{name} is not a boolean: '{value}', it is taken as off")));
            }
            Kind::Enum(allowed) if !fits(allowed.contains(&text)) => {
                errors.push(ConfError::NotAllowed { name, value, allowed: allowed.join(", ") });
            }
            _ => {}
        }
    }
}

/// What is known, understood and cannot be done, with the remedy: better no start than another
/// behaviour.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "database",
        "cassandra",
        "gone since Kong 3.4; set database = off and name a file with declarative_config",
    ),
    ("database", "postgres", "not built yet; set database = off and name a file with declarative_config"),
    ("role", "control_plane", "hybrid mode is not built; set role = traditional"),
    ("role", "data_plane", "hybrid mode is not built; set role = traditional"),
    ("router_flavor", "traditional", "not built yet; set router_flavor = traditional_compatible"),
    ("router_flavor", "expressions", "not built yet; set router_flavor = traditional_compatible"),
    ("wasm", "on", "filters are not built; set wasm = off"),
    ("wasm", "true", "filters are not built; set wasm = off"),
];

fn refuse(values: &Values, errors: &mut Vec<ConfError>) {
    let refused = REFUSED.iter().filter(|(name, value, _)| values.get(name) == Some(value));
    errors.extend(refused.map(|(name, value, remedy)| {
        ConfError::Refused(format!("{name} has an unsupported value: '{value}' ({remedy})"))
    }));
}

/// One warning per property that says something and has no effect. Values are not shown, as some
/// are secret.
fn warn_of_unused(values: &Values, warnings: &mut Vec<Warning>) {
    for (name, text) in values.iter().filter(|(_, text)| !text.is_empty()) {
        let is_default = properties::find(name).is_some_and(|row| same(row, text));
        if !is_default && !properties::has_effect(name) {
            warnings.push(without_effect(name));
        }
    }
    if values.get("worker_consistency") == Some("strict") {
        warnings.push(Warning::warn("the value 'strict' of worker_consistency is deprecated"));
    }
}

fn without_effect(name: &str) -> Warning {
    Warning::warn(format!("{name} is not supported, its value has no effect"))
}

/// Whether `text` says the same as the default.
fn same(row: &properties::Property, text: &str) -> bool {
    match row.kind {
        Kind::Bool => is_on(row.default) == is_on(text),
        Kind::Number => number(row.default) == number(text),
        _ => row.default == text,
    }
}

/// Whether a boolean's text means true.
pub(crate) fn is_on(text: &str) -> bool {
    matches!(text, "on" | "true")
}
