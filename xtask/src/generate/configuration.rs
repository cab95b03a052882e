//! The reference of kong.conf for people: one table per group.

use super::REMEDY;
use crate::properties::{Effect, FILE, Group, Kind, Property};

pub fn text(groups: &[Group]) -> String {
    let tables: String = groups.iter().map(table).collect();
    format!(
        "<!-- Written from {FILE} by `{REMEDY}`; do not edit. -->

# Configuration

Every property that the gateway knows. One comes from the built-in default, the file (`-c`, else `/etc/kong/kong.conf`,
else `/etc/kong.conf`), its variable (`KONG_` and the name in capitals) or the command line; later ones win. A name that is
not on this page is dropped silently, as one file is often shared by several versions.

A value that cannot be is refused, with all others that cannot. One that is understood and has no effect here is accepted;
whoever sets it is warned at the start and at every reload. `{{vault://env/<variable>}}` stands for what a variable of the
environment holds. The last column names the crate in which a value has its effect, or says why nobody has to read it, or
why it has none.

| type | |
|---|---|
| text | as it stands; an empty one is unset, as for lists |
| path | of a file or folder, from the working directory |
| arguments | what stands behind the name of an nginx directive |
| list | items with commas between them |
| number | as Lua reads it, also `0x10` |
| boolean | `on` or `true`; anything else is off, with a warning unless it is `off` or `false` |
| size | bytes, or with `k`, `m` or `g` |
| time | seconds, or with `ms`, `s`, `m`, `h`, `d`, `w` |
{tables}"
    )
}

fn table(group: &Group) -> String {
    let rows: String = group.properties.iter().map(row).collect();
    let doc = group.doc.as_ref().map(|doc| format!("{doc}\n\n")).unwrap_or_default();
    format!(
        "\n## {}\n\n{doc}| property | type | default | what it says | effect |\n|---|---|---|---|---|\n{rows}",
        group.title
    )
}

fn row(property: &Property) -> String {
    let Property { name, default, unset, .. } = property;
    let default = match (default.as_str(), unset) {
        ("", unset) => unset.clone().unwrap_or_default(),
        (default, _) => format!("`{default}`"),
    };
    let effect = match property.effect() {
        Effect::ReadBy(reader) => format!("`{reader}`"),
        Effect::Obeyed(why) => why.to_owned(),
        Effect::None(why) => format!("none: {why}"),
    };
    format!("| {} | {} | {default} | {} | {effect} |\n", code(name), kind(property), doc(property))
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn kind(property: &Property) -> String {
    match property.kind {
        Kind::Choice => property.choices.iter().map(|choice| code(choice)).collect::<Vec<_>>().join(", "),
        kind => format!("{kind:?}").to_lowercase(),
    }
}

/// What the property says, and under which other names.
fn doc(property: &Property) -> String {
    let mut doc = property.doc.clone();
    let also = property.aliases.iter().map(|alias| code(alias));
    let deprecated = property.deprecated_aliases.iter().map(|alias| format!("{} (deprecated)", code(alias)));
    let also: Vec<_> = also.chain(deprecated).collect();
    if !also.is_empty() {
        doc += &format!(" Also {}.", also.join(", "));
    }
    if let Some(narrower) = &property.overridden_by {
        doc += &format!(" {} wins over it.", code(narrower));
    }
    if property.secret {
        doc += " Never shown.";
    }
    for (value, remedy) in &property.refused {
        doc += &format!(" {} is refused: {remedy}.", code(value));
    }
    doc
}
