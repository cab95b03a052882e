//! A row of the table of properties.

use crate::units::{is_on, number};

/// What is known of a property.
#[derive(Debug)]
pub(crate) struct Property {
    /// With a `<WORD>` in it, that of a family whose members are not known in advance.
    pub name: &'static str,
    /// The same directive in a narrower block, which wins.
    pub overridden_by: Option<&'static str>,
    /// Other names, and whether they are deprecated.
    pub aliases: &'static [(&'static str, bool)],
    pub kind: Kind,
    /// Empty: unset.
    pub default: &'static str,
    pub is_secret: bool,
    /// Values that cannot be done, with the remedy.
    pub refused: &'static [(&'static str, &'static str)],
    pub effect: Effect,
}

/// Where a value has its effect.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// In the settings.
    Read,
    /// Nowhere, as the gateway does what any value asks for.
    Obeyed,
    /// It has none, and why.
    None(&'static str),
}

/// The type of a property's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Made absolute, so that later commands and the running gateway find the same file.
    Path,
    /// What stands behind the name of an nginx directive.
    Arguments,
    Number,
    /// `on`, `true`; anything else is false.
    Boolean,
    /// Comma list; items trimmed, empty ones dropped.
    List,
    Choice(&'static [&'static str]),
    /// Bytes, with `k`, `m` or `g`.
    Size,
    /// Seconds, or with units.
    Time,
}

impl Property {
    /// A row of which nothing is said.
    pub(super) const EMPTY: Property = Property {
        name: "",
        overridden_by: None,
        aliases: &[],
        kind: Kind::Text,
        default: "",
        is_secret: false,
        refused: &[],
        effect: Effect::Read,
    };

    /// What every member of the family begins and ends with; `None` for a single property.
    pub fn family(&self) -> Option<(&'static str, &'static str)> {
        let (begin, rest) = self.name.split_once('<')?;
        Some((begin, rest.rsplit_once('>')?.1))
    }

    /// Whether `text` says the same as the default.
    pub fn is_default(&self, text: &str) -> bool {
        match self.kind {
            Kind::Boolean => is_on(self.default) == is_on(text),
            Kind::Number => number(self.default) == number(text),
            _ => self.default == text,
        }
    }
}

impl Kind {
    /// Whether "no value" says nothing for this type.
    pub fn has_no_empty(self) -> bool {
        !matches!(self, Kind::Text | Kind::List)
    }
}
