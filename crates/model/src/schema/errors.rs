//! What is wrong with a value, by field, and the three shapes it is shown in.
//!
//! The tree follows the checked value: records by member name, arrays by index. What concerns a
//! record as a whole is a list under the member `@entity`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

/// The member that holds what concerns the whole record.
pub const ENTITY: &str = "@entity";

/// A step into a value. Indices count from 0 here and from 1 in texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Name(String),
    Index(usize),
}

/// All that is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldErrors {
    Message(String),
    Fields(BTreeMap<String, FieldErrors>),
    Items(BTreeMap<usize, FieldErrors>),
}

impl Default for FieldErrors {
    fn default() -> Self {
        Self::Fields(BTreeMap::new())
    }
}

impl From<&str> for FieldErrors {
    fn from(message: &str) -> Self {
        Self::Message(message.to_owned())
    }
}

impl From<String> for FieldErrors {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

// Building.

impl FieldErrors {
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Message(_) => false,
            Self::Fields(fields) => fields.is_empty(),
            Self::Items(items) => items.is_empty(),
        }
    }

    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Puts the errors of a member in place of what was there.
    pub fn set(&mut self, name: &str, errors: impl Into<FieldErrors>) {
        self.fields_mut().insert(name.to_owned(), errors.into());
    }

    /// The errors of a member.
    pub fn get(&self, name: &str) -> Option<&FieldErrors> {
        match self {
            Self::Fields(fields) => fields.get(name),
            _ => None,
        }
    }

    /// Adds an error of the record as a whole.
    pub fn add_entity(&mut self, message: impl Into<String>) {
        let list = self.fields_mut().entry(ENTITY.to_owned()).or_insert_with(|| Self::Items(BTreeMap::new()));
        let items = list.items_mut();
        items.insert(items.len(), Self::Message(message.into()));
    }

    /// Adds errors to what is already known about the value at a path.
    pub fn merge_at(&mut self, path: &[Step], errors: FieldErrors) {
        match path {
            [] => self.merge(errors),
            [Step::Name(name), rest @ ..] => {
                self.fields_mut().entry(name.clone()).or_default().merge_at(rest, errors);
            }
            [Step::Index(index), rest @ ..] => {
                self.items_mut().entry(*index).or_default().merge_at(rest, errors);
            }
        }
    }

    fn merge(&mut self, errors: FieldErrors) {
        if self.is_empty() {
            *self = errors;
            return;
        }
        match errors {
            Self::Message(message) => self.add_entity(message),
            Self::Fields(fields) => {
                for (name, errors) in fields {
                    self.fields_mut().entry(name).or_default().merge(errors);
                }
            }
            Self::Items(items) => {
                for (index, errors) in items {
                    self.items_mut().entry(index).or_default().merge(errors);
                }
            }
        }
    }

    /// The members; a lone message becomes the first one about the whole record.
    fn fields_mut(&mut self) -> &mut BTreeMap<String, FieldErrors> {
        if !matches!(self, Self::Fields(_)) {
            let before = std::mem::take(self);
            if let Self::Message(message) = before {
                self.add_entity(message);
            }
        }
        match self {
            Self::Fields(fields) => fields,
            _ => unreachable!("it was made a record above"),
        }
    }

    /// The entries; a value has either members or entries, so whatever else was there gives way.
    fn items_mut(&mut self) -> &mut BTreeMap<usize, FieldErrors> {
        if !matches!(self, Self::Items(_)) {
            *self = Self::Items(BTreeMap::new());
        }
        match self {
            Self::Items(items) => items,
            _ => unreachable!("it was made a list above"),
        }
    }
}

// Showing.

impl FieldErrors {
    /// The `fields` member of the Admin API's error object; entries without an error are null.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Message(message) => Value::String(message.clone()),
            Self::Fields(fields) => {
                let members = fields.iter().map(|(name, errors)| (name.clone(), errors.to_json()));
                Value::Object(Map::from_iter(members))
            }
            Self::Items(items) => {
                let length = items.keys().next_back().map_or(0, |last| last + 1);
                Value::Array((0..length).map(|index| items.get(&index).map(Self::to_json).into()).collect())
            }
        }
    }

    /// The indented lines of `config parse`, without a line end after the last.
    pub fn tree(&self) -> String {
        let mut text = String::new();
        self.write_tree(&mut text, "", 0);
        text.truncate(text.trim_end().len());
        text
    }

    fn write_tree(&self, out: &mut String, parent: &str, indent: usize) {
        for (label, name, errors) in self.labelled_children(parent) {
            let _ = write!(out, "{:indent$}{label}:", "");
            match errors {
                Self::Message(message) => {
                    let _ = writeln!(out, " {message}");
                }
                nested => {
                    out.push('\n');
                    nested.write_tree(out, &name, indent + 2);
                }
            }
        }
    }

    /// (label, name for the level below, errors). Entries of a list are labelled with its name.
    fn labelled_children(&self, parent: &str) -> Vec<(String, String, &FieldErrors)> {
        match self {
            Self::Message(_) => Vec::new(),
            Self::Fields(fields) => {
                fields.iter().map(|(name, errors)| (format!("in '{name}'"), name.clone(), errors)).collect()
            }
            Self::Items(items) => items
                .iter()
                .map(|(index, errors)| {
                    let number = index + 1;
                    (format!("- in entry {number} of '{parent}'"), number.to_string(), errors)
                })
                .collect(),
        }
    }

    /// Every message with its path in dotted form (`config.hosts[0]`), outermost first; the path of
    /// what concerns the whole record ends in `@entity`.
    pub fn flatten(&self) -> Vec<(String, &str)> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found
    }

    fn collect<'a>(&'a self, path: &str, found: &mut Vec<(String, &'a str)>) {
        match self {
            Self::Message(message) => found.push((path.to_owned(), message)),
            Self::Fields(fields) => {
                for (name, errors) in fields {
                    let separator = if path.is_empty() { "" } else { "." };
                    let path = format!("{path}{separator}{name}");
                    match errors {
                        Self::Items(items) if name == ENTITY => {
                            items.values().for_each(|error| error.collect(&path, found));
                        }
                        errors => errors.collect(&path, found),
                    }
                }
            }
            Self::Items(items) => {
                for (index, errors) in items {
                    errors.collect(&format!("{path}[{index}]"), found);
                }
            }
        }
    }

    /// The one-line parts: two levels by dotted path, anything deeper as `{key="text"}`.
    fn parts(&self) -> Vec<String> {
        let Self::Fields(fields) = self else { return vec![Pretty(self).to_string()] };
        let mut parts = Vec::new();
        for (name, errors) in fields {
            match errors {
                Self::Message(message) => parts.push(format!("{name}: {message}")),
                Self::Items(items) if name == ENTITY => {
                    parts.extend(items.values().map(|error| Pretty(error).to_string()));
                }
                Self::Items(items) => parts.extend(
                    items.iter().map(|(index, error)| format!("{name}.{}: {}", index + 1, Pretty(error))),
                ),
                Self::Fields(nested) => {
                    parts
                        .extend(nested.iter().map(|(key, error)| format!("{name}.{key}: {}", Pretty(error))));
                }
            }
        }
        parts
    }
}

/// `schema violation (config.x: ...)`, or `2 schema violations (...; ...)`.
impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts();
        match parts.as_slice() {
            [part] => write!(f, "schema violation ({part})"),
            parts => write!(f, "{} schema violations ({})", parts.len(), parts.join("; ")),
        }
    }
}

impl std::error::Error for FieldErrors {}

/// A message as it is, a tree as `{key="text",[2]="text"}`.
struct Pretty<'a>(&'a FieldErrors);

impl fmt::Display for Pretty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldErrors::Message(message) => f.write_str(message),
            FieldErrors::Fields(fields) => {
                write_pretty(f, fields.iter().map(|(name, errors)| (name.clone(), errors)))
            }
            FieldErrors::Items(items) => {
                write_pretty(f, items.iter().map(|(index, errors)| (format!("[{}]", index + 1), errors)))
            }
        }
    }
}

fn write_pretty<'a>(
    f: &mut fmt::Formatter<'_>,
    members: impl Iterator<Item = (String, &'a FieldErrors)>,
) -> fmt::Result {
    f.write_char('{')?;
    for (position, (key, errors)) in members.enumerate() {
        let separator = if position == 0 { "" } else { "," };
        match errors {
            FieldErrors::Message(message) => write!(f, "{separator}{key}={message:?}")?,
            nested => write!(f, "{separator}{key}={}", Pretty(nested))?,
        }
    }
    f.write_char('}')
}
