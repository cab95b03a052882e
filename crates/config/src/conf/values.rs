//! The text of every property after all sources were laid over one another.

use std::collections::BTreeMap;

use polygate_model::Vaults;

use super::properties;

/// Texts by name, checked or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    texts: BTreeMap<String, String>,
}

impl Values {
    pub(crate) fn new(texts: impl IntoIterator<Item = (String, String)>) -> Values {
        Values { texts: texts.into_iter().collect() }
    }

    /// What a configuration that says nothing has.
    pub(crate) fn defaults() -> Values {
        let single = properties::PROPERTIES.iter().filter(|row| row.family().is_none());
        Values::new(single.map(|row| (row.name.to_owned(), row.default.to_owned())))
    }

    /// The value of `name`; `None` when unset or unknown. Others read [`Settings`](crate::Settings), so that the
    /// table of properties can tell who reads what.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The vaults of references in properties: those of entities are not known yet.
    pub(crate) fn vaults(&self) -> Vaults {
        Vaults::env(self.get("vault_env_prefix").unwrap_or_default())
    }

    pub(crate) fn set(&mut self, name: &str, text: &str) {
        self.texts.insert(name.to_owned(), text.to_owned());
    }

    /// All properties by name; an unset one has an empty text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// As [`Values::iter`], with the values of secret properties replaced by asterisks.
    pub fn masked(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().map(|(name, text)| {
            let is_secret = properties::find(name).is_some_and(|row| row.is_secret);
            (name, if is_secret && !text.is_empty() { "******" } else { text })
        })
    }

    /// Whether the value is that of a configuration that says nothing about the property.
    pub fn is_default(&self, name: &str) -> bool {
        properties::find(name).is_some_and(|row| row.is_default(self.get(name).unwrap_or_default()))
    }

    #[cfg(test)]
    pub(crate) fn from_pairs(pairs: &[(&str, &str)]) -> Values {
        Values::new(pairs.iter().map(|(name, text)| (name.to_string(), text.to_string())))
    }
}
