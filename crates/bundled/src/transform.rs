//! What the two transformers have in common: pairs of names and values, and changes of JSON.

use polygate_http1::is_name;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// `name:value`, as configurations have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    pub name: String,
    pub value: String,
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// The five kinds of changes, in the order in which they are made.
pub struct Changes<'c> {
    pub remove: &'c [String],
    pub rename: &'c [Pair],
    pub replace: Vec<(&'c str, Value)>,
    pub add: Vec<(&'c str, Value)>,
    pub append: Vec<(&'c str, Value)>,
}

impl Changes<'_> {
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.rename.is_empty()
            && [&self.replace, &self.add, &self.append].iter().all(|pairs| pairs.is_empty())
    }

    pub fn apply(self, members: &mut Map<String, Value>) {
        for name in self.remove {
            members.shift_remove(name);
        }
        for Pair { name, value: new } in self.rename {
            if let Some(value) = members.shift_remove(name) {
                members.shift_remove(new);
                members.insert(new.clone(), value);
            }
        }
        for (name, value) in self.replace {
            if members.contains_key(name) {
                members.shift_remove(name);
                members.insert(name.to_owned(), value);
            }
        }
        for (name, value) in self.add {
            members.entry(name).or_insert(value);
        }
        for (name, value) in self.append {
            let member = members.entry(name).or_insert(Value::Null);
            append(member, value);
        }
    }
}

/// Text becomes a list, a list grows, anything else makes room.
fn append(member: &mut Value, value: Value) {
    match member {
        Value::Array(items) => items.push(value),
        Value::String(text) => *member = Value::Array(vec![std::mem::take(text).into(), value]),
        _ => *member = Value::Array(vec![value]),
    }
}

/// For the schema: a header that has such a name can be there.
pub fn check_header(pair: &Value) -> Result<(), String> {
    let name = pair.as_str().unwrap_or_default().split(':').next().unwrap_or_default();
    match is_name(name.as_bytes()) {
        true => Ok(()),
        false => Err(format!("'{name}' is not a valid header")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_come_in_their_order() {
        let pair = |name: &str, value: &str| Pair { name: name.to_owned(), value: value.to_owned() };
        let mut members = json!({"gone": 1, "old": 2, "new": 3, "text": "a", "list": [1], "number": 1});
        let changes = Changes {
            remove: &["gone".to_owned(), "absent".to_owned()],
            rename: &[pair("old", "new"), pair("absent", "x")],
            replace: vec![("new", json!("r")), ("absent", json!("x"))],
            add: vec![("new", json!("x")), ("added", json!("a"))],
            append: vec![("text", json!("b")), ("list", json!(2)), ("number", json!(2)), ("none", json!(1))],
        };
        changes.apply(members.as_object_mut().unwrap());
        let expected = json!({
            "text": ["a", "b"], "list": [1, 2], "number": [2], "new": "r", "added": "a", "none": [1],
        });
        assert_eq!(members, expected);
    }
}
