//! The table of properties that `crates/config` reads.

use crate::properties::{Effect, Group, Kind, Property};

pub fn text(groups: &[Group]) -> String {
    let properties = || groups.iter().flat_map(|group| &group.properties);
    let rows: String = properties().map(row).collect();
    let withheld: String = properties()
        .filter(|property| property.withheld)
        .map(|property| format!("{:?},", format!("KONG_{}", property.name.to_uppercase())))
        .collect();
    format!(
        "//! Every property of kong.conf.
//!
{}use super::property::{{Effect, Kind, Property}};

/// Variables of the environment that programs which the gateway starts are not to have.
pub(in crate::conf) static WITHHELD_VARIABLES: &[&str] = &[{withheld}];

pub(in crate::conf) static PROPERTIES: &[Property] = &[{rows}];
",
        super::header(crate::properties::FILE).replacen("// ", "//! ", 1)
    )
}

/// Members that say nothing are left out.
fn row(property: &Property) -> String {
    let Property { name, default, choices, .. } = property;
    let mut members = vec![format!("name: {name:?}")];
    if let Some(narrower) = &property.overridden_by {
        members.push(format!("overridden_by: Some({narrower:?})"));
    }
    let aliases = property.aliases.iter().map(|alias| (alias, false));
    let aliases: Vec<_> =
        aliases.chain(property.deprecated_aliases.iter().map(|alias| (alias, true))).collect();
    if !aliases.is_empty() {
        members.push(format!("aliases: &{aliases:?}"));
    }
    match property.kind {
        Kind::Text => {}
        Kind::Choice => members.push(format!("kind: Kind::Choice(&{choices:?})")),
        kind => members.push(format!("kind: Kind::{kind:?}")),
    }
    if !default.is_empty() {
        members.push(format!("default: {default:?}"));
    }
    if property.secret {
        members.push("is_secret: true".to_owned());
    }
    if !property.refused.is_empty() {
        members.push(format!("refused: &{:?}", property.refused.iter().collect::<Vec<_>>()));
    }
    match property.effect() {
        Effect::ReadBy(_) => {}
        Effect::Obeyed(_) => members.push("effect: Effect::Obeyed".to_owned()),
        Effect::None(why) => members.push(format!("effect: Effect::None({why:?})")),
    }
    format!("Property {{ {}, ..Property::EMPTY }},\n", members.join(", "))
}
