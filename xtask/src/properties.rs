//! What `crates/config/properties.toml` says; the comment at its top explains the members.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::Deserialize;

pub const FILE: &str = "crates/config/properties.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub title: String,
    pub doc: Option<String>,
    no_effect: Option<String>,
    #[serde(rename = "property")]
    pub properties: Vec<Property>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub choices: Vec<String>,
    /// Empty: unset.
    #[serde(default)]
    pub default: String,
    pub unset: Option<String>,
    pub doc: String,
    #[serde(default)]
    pub aliases: Vec<String>,
    #[serde(default)]
    pub deprecated_aliases: Vec<String>,
    pub overridden_by: Option<String>,
    #[serde(default)]
    pub secret: bool,
    #[serde(default)]
    pub withheld: bool,
    /// Remedies by value.
    #[serde(default)]
    pub refused: BTreeMap<String, String>,
    read_by: Option<String>,
    obeyed: Option<String>,
    no_effect: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    Path,
    Arguments,
    List,
    Number,
    Boolean,
    Size,
    Time,
    Choice,
}

/// Where a value has its effect.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<'a> {
    ReadBy(&'a str),
    Obeyed(&'a str),
    None(&'a str),
}

impl Property {
    /// What the row says; there is exactly one, which was checked when it was read.
    pub fn effect(&self) -> Effect<'_> {
        match (&self.read_by, &self.obeyed, &self.no_effect) {
            (Some(reader), _, _) => Effect::ReadBy(reader),
            (_, Some(why), _) => Effect::Obeyed(why),
            (_, _, why) => Effect::None(why.as_deref().unwrap_or_default()),
        }
    }

    /// Every name that sets the property.
    fn names(&self) -> impl Iterator<Item = &String> {
        let others = self.aliases.iter().chain(&self.deprecated_aliases).chain(&self.overridden_by);
        std::iter::once(&self.name).chain(others)
    }
}

pub fn read(root: &Path) -> Result<Vec<Group>, String> {
    let crates: Vec<String> = crate::crates(root)?.into_iter().map(|(name, _)| name).collect();
    parse(&crate::read(&root.join(FILE))?, &crates).map_err(|error| format!("{FILE}: {error}"))
}

fn parse(text: &str, crates: &[String]) -> Result<Vec<Group>, String> {
    let File { group: mut groups } = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut seen = HashSet::new();
    for group in &mut groups {
        for property in &mut group.properties {
            if property.read_by.is_none() && property.obeyed.is_none() && property.no_effect.is_none() {
                property.no_effect.clone_from(&group.no_effect);
            }
            check(property, crates)?;
            if let Some(twice) = property.names().find(|name| !seen.insert((*name).clone())) {
                return Err(format!("property is described twice: {twice}"));
            }
        }
    }
    Ok(groups)
}

fn check(property: &Property, crates: &[String]) -> Result<(), String> {
    let Property { name, read_by, obeyed, no_effect, .. } = property;
    if [read_by, obeyed, no_effect].into_iter().flatten().count() != 1 {
        return Err(format!("property must have one of read_by, obeyed and no_effect: {name}"));
    }
    if let Some(reader) = read_by.as_ref().filter(|reader| !crates.contains(reader)) {
        return Err(format!("property is read by a crate that does not exist: {name}, {reader}"));
    }
    if (property.kind == Kind::Choice) == property.choices.is_empty() {
        return Err(format!("property must have choices exactly if its type is choice: {name}"));
    }
    if property.withheld && !property.secret {
        return Err(format!("property is withheld from programs, but not secret: {name}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "[[group]]\ntitle = 'G'\nno_effect = 'not built yet'\n";

    fn described(members: &str) -> String {
        format!("[[group.property]]\nname = 'a'\ntype = 'text'\ndoc = ''\n{members}\n")
    }

    #[test]
    fn a_property_without_an_effect_of_its_own_has_that_of_its_group() {
        let text = [BEGIN, &described(""), &described("read_by = 'http'").replace("'a'", "'b'")].concat();
        let groups = parse(&text, &["http".to_owned()]).expect("a description");
        let effects: Vec<_> = groups[0].properties.iter().map(Property::effect).collect();
        assert_eq!(effects, [Effect::None("not built yet"), Effect::ReadBy("http")]);
    }

    #[test]
    fn wrong_descriptions_are_refused() {
        for (members, why) in [
            ("read_by = 'http'\nobeyed = 'o'", "one of read_by"),
            ("read_by = 'moon'", "does not exist: a, moon"),
            ("choices = ['x']", "exactly if its type is choice"),
            ("withheld = true", "but not secret"),
            ("aliases = ['a']", "twice: a"),
            ("reader = 'http'", "unknown field"),
        ] {
            let told = parse(&[BEGIN, &described(members)].concat(), &["http".to_owned()]);
            assert!(told.as_ref().is_err_and(|told| told.contains(why)), "{members}: {told:?}");
        }
    }
}
