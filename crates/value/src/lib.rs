//! A value that crosses the plugin boundary, whatever the protocol and the language.

mod number;

pub use number::number;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

/// Strings are bytes: headers and bodies need not be UTF-8. Each protocol decides how to pack them.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    #[default]
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Bytes),
    List(Vec<Value>),
    Map(Vec<(Key, Value)>),
}

/// Keys are strings except where the PDK counts (`kong.request.get_uri_captures`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    Int(i64),
    Str(Bytes),
}

impl Value {
    pub fn str(text: impl AsRef<[u8]>) -> Self {
        Self::Str(Bytes::copy_from_slice(text.as_ref()))
    }

    /// A map of those members that are there: one that is nil does not exist, since the reference unpacks maps into
    /// Lua's tables.
    pub fn table(members: impl IntoIterator<Item = (Key, Value)>) -> Self {
        Self::Map(members.into_iter().filter(|(_, value)| !value.is_nil()).collect())
    }

    /// A list without the nils at its end, for the same reason.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        let mut items: Vec<_> = items.into_iter().collect();
        items.truncate(items.iter().rposition(|item| !item.is_nil()).map_or(0, |last| last + 1));
        Self::List(items)
    }

    /// A number, as an integer when it is one.
    pub fn number(number: f64) -> Self {
        if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
            Self::Int(number as i64)
        } else {
            Self::Float(number)
        }
    }

    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Str(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The integer, also when it came as a float without a fraction.
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Self::Int(n) => Some(n),
            Self::Float(n) if n.fract() == 0.0 && n.abs() < 9.2e18 => Some(n as i64),
            _ => None,
        }
    }

    /// The member of a map; nil for an absent one and for anything that is not a map.
    pub fn get(&self, name: &str) -> &Value {
        static NIL: Value = Value::Nil;
        let Self::Map(members) = self else { return &NIL };
        members
            .iter()
            .find(|(key, _)| matches!(key, Key::Str(key) if key == name.as_bytes()))
            .map_or(&NIL, |(_, value)| value)
    }

    /// A table's members; a list counts as a map with the keys 1, 2, 3. What is no table has none.
    pub fn members(&self) -> Vec<(Key, &Value)> {
        match self {
            Self::Map(members) => members.iter().map(|(key, value)| (key.clone(), value)).collect(),
            Self::List(items) => (1..).map(Key::Int).zip(items).collect(),
            _ => Vec::new(),
        }
    }

    /// What counts as true in Lua: all but false and nil.
    pub fn truth(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// The text of a scalar as headers and query strings have it: numbers as Lua prints them.
    pub fn plain(&self) -> Bytes {
        match self {
            Self::Str(bytes) => bytes.clone(),
            Self::Int(n) => number(*n as f64).into(),
            Self::Float(n) => number(*n).into(),
            Self::Bool(flag) => flag.to_string().into(),
            Self::Nil | Self::List(_) | Self::Map(_) => Bytes::new(),
        }
    }

    /// `string`, `number`, `table` ...: the names that the PDK's error texts use.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Float(_) => "number",
            Self::Str(_) => "string",
            Self::List(_) | Self::Map(_) => "table",
        }
    }

    /// The value as log lines and error texts show it; tables as JSON.
    pub fn shown(&self) -> String {
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Bool(flag) => flag.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Float(n) => number(*n),
            Self::Str(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::List(_) | Self::Map(_) => self.to_json().to_string(),
        }
    }

    /// As it is [serialized](Serialize).
    pub fn to_json(&self) -> Json {
        // Keys are text, so that there are no errors.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Bytes that are not UTF-8 are replaced by U+FFFD, numbers that JSON lacks become null.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::Float(n) => serializer.serialize_f64(*n),
            Self::Str(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(members) => serializer.collect_map(members.iter().map(|(key, value)| (key, value))),
        }
    }
}

/// As text.
impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(n) => serializer.collect_str(n),
            Self::Str(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
        }
    }
}

impl Key {
    pub fn to_text(&self) -> String {
        match self {
            Self::Int(n) => n.to_string(),
            Self::Str(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Str(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::number(value)
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Self::Str(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::str(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Str(value.into())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(n) => n.as_i64().map_or_else(|| Self::number(n.as_f64().unwrap_or(0.0)), Self::Int),
            Json::String(text) => Self::str(text),
            Json::Array(items) => items.iter().map(Self::from).collect(),
            Json::Object(members) => Self::from(members),
        }
    }
}

impl From<&Map<String, Json>> for Value {
    fn from(members: &Map<String, Json>) -> Self {
        Self::Map(members.iter().map(|(key, value)| (Key::from(key.as_str()), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_shown() {
        for (value, expected) in [
            (json!("a\"b"), "a\"b"),
            (json!(null), "nil"),
            (json!(true), "true"),
            (json!(7), "7"),
            (json!({"a": [1, "x"]}), "{\"a\":[1,\"x\"]}"),
        ] {
            assert_eq!(Value::from(&value).shown(), expected);
        }
    }
}
