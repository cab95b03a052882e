//! From text to [`Settings`]: references, types, what is refused and what has no effect here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use polygate_model::vault::is_reference;

use super::error::ConfError;
use super::properties::{self, Effect, Kind};
use super::sources::Merged;
use super::values::Values;
use super::warning::Warning;
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

    let mut reader = Reader::new(&plain);
    (reader.errors, reader.warnings) = (errors, warnings);
    let settings = Settings::resolve(&mut reader, values, default_bin_dir);
    match reader.errors.is_empty() {
        true => Ok((settings, reader.warnings)),
        false => Err(reader.errors),
    }
}

/// `prefix` made absolute, without a trailing slash.
pub(super) fn absolute_prefix(values: &Values) -> Result<PathBuf, ConfError> {
    let written = values.get("prefix").unwrap_or_default();
    let absolute = std::path::absolute(written)
        .map_err(|cause| ConfError::Unreadable { path: written.into(), cause })?;
    Ok(absolute.components().collect())
}

/// Files that a later command or the running gateway reads again, whatever directory it is in.
fn make_absolute(values: &mut Values) {
    for row in properties::PROPERTIES.iter().filter(|row| row.kind == Kind::Path) {
        let Some(path) = values.get(row.name).filter(|text| !is_reference(text)) else { continue };
        // Fails for an empty path or without a working directory only.
        if let Ok(absolute) = std::path::absolute(path) {
            values.set(row.name, &absolute.to_string_lossy());
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
    let vaults = values.vaults();
    let mut dereference = |name: &str, text: &str| {
        if !is_reference(text) {
            return text.to_owned();
        }
        let variable = |name: &str| variables.get(name).map(|value| value.to_string());
        vaults.secret(text, variable).unwrap_or_else(|why| {
            match without_effect(name) {
                Some(warning) => warnings.push(warning),
                None => errors.push(ConfError::Reference {
                    reference: text.to_owned(),
                    why,
                    name: name.to_owned(),
                }),
            }
            String::new()
        })
    };
    Values::new(values.iter().map(|(name, text)| {
        let list = kind(name) == Kind::List;
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
        match kind(&name) {
            Kind::Number if !fits(number(text).is_some()) => {
                errors.push(ConfError::WrongType { name, kind: "number", value });
            }
            Kind::Size if !fits(size(text).is_some()) => {
                errors.push(ConfError::WrongType { name, kind: "size", value });
            }
            Kind::Time if !fits(time(text).is_some()) => {
                errors.push(ConfError::WrongType { name, kind: "time", value });
            }
            Kind::Boolean if !fits(["on", "off", "true", "false"].contains(&text)) => {
                warnings
                    .push(Warning::warn(format!("{name} is not a boolean: '{value}', it is taken as off")));
            }
            Kind::Choice(allowed) if !fits(allowed.contains(&text)) => {
                errors.push(ConfError::NotAllowed { name, value, allowed: allowed.join(", ") });
            }
            _ => {}
        }
    }
}

/// A member of a family that is in no row is a text.
fn kind(name: &str) -> Kind {
    properties::find(name).map_or(Kind::Text, |row| row.kind)
}

/// What is understood and cannot be done: better no start than another behaviour.
fn refuse(values: &Values, errors: &mut Vec<ConfError>) {
    for row in properties::PROPERTIES {
        let refused = row.refused.iter().find(|(value, _)| values.get(row.name) == Some(value));
        if let Some((value, remedy)) = refused {
            errors.push(ConfError::Refused(format!(
                "{} has an unsupported value: '{value}' ({remedy})",
                row.name
            )));
        }
    }
}

/// One warning per property that says something and has no effect. Values are not shown, as some
/// are secret.
fn warn_of_unused(values: &Values, warnings: &mut Vec<Warning>) {
    let said = values.iter().filter(|(name, text)| !text.is_empty() && !values.is_default(name));
    warnings.extend(said.filter_map(|(name, _)| without_effect(name)));
    if values.get("worker_consistency") == Some("strict") {
        warnings.push(Warning::warn("the value 'strict' of worker_consistency is deprecated"));
    }
}

/// What to tell those who set the property, unless it has an effect.
fn without_effect(name: &str) -> Option<Warning> {
    match properties::find(name)?.effect {
        Effect::None(why) => {
            Some(Warning::warn(format!("{name} is not supported, its value has no effect: {why}")))
        }
        Effect::Read | Effect::Obeyed => None,
    }
}
