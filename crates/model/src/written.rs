//! Entities with the text that log records show of them.

use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that changes no more, whose JSON is written once: when somebody first asks for it.
#[derive(Debug)]
pub struct Written<T> {
    value: T,
    json: OnceLock<String>,
}

impl<T> From<T> for Written<T> {
    fn from(value: T) -> Self {
        Self { value, json: OnceLock::new() }
    }
}

impl<T> Deref for Written<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Serialize> Written<T> {
    /// As [`Serialize`] writes it; `null` if it cannot be written.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| serde_json::to_string(&self.value).unwrap_or_else(|_| "null".to_owned()))
    }
}

impl<T: Serialize> Serialize for Written<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_values() {
        let list: Written<Vec<u8>> = serde_json::from_str("[1, 2]").unwrap();
        assert_eq!((list.json(), list.len()), ("[1,2]", 2));
        assert_eq!(serde_json::to_string(&list).unwrap(), "[1,2]");
    }
}
