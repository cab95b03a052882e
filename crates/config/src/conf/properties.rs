//! The table of properties and the ways into it. It is written in `properties.toml` of this crate, from which
//! `table.rs` and docs/configuration.md are generated.

pub(crate) use self::property::{Effect, Kind, Property};
pub(super) use self::table::{PROPERTIES, WITHHELD_VARIABLES};

mod property;
mod table;

/// The row of the property `name`, or of its family.
pub(crate) fn find(name: &str) -> Option<&'static Property> {
    let is_named = |row: &&Property| row.name == name || row.overridden_by == Some(name);
    let is_member = |row: &&Property| {
        let chosen = row.family().and_then(|(begin, end)| name.strip_prefix(begin)?.strip_suffix(end));
        chosen.is_some_and(|word| !word.is_empty() && is_word(word))
    };
    PROPERTIES.iter().find(is_named).or_else(|| PROPERTIES.iter().find(is_member))
}

/// The row that has `name` for another name, and whether that is deprecated.
pub(super) fn find_alias(name: &str) -> Option<(&'static Property, bool)> {
    PROPERTIES.iter().find_map(|row| {
        let (_, is_deprecated) = row.aliases.iter().find(|(alias, _)| *alias == name)?;
        Some((row, *is_deprecated))
    })
}

/// Whether `name` begins like a family, known member or not.
pub(super) fn is_dynamic(name: &str) -> bool {
    is_word(name) && PROPERTIES.iter().filter_map(Property::family).any(|(begin, _)| name.starts_with(begin))
}

/// A variable of the environment may have any bytes in its name; one with a line break would be two properties once
/// it is saved.
fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
