//! Typed access to property texts. Every problem is noted and answered with the default, so that
//! reading goes on and all problems are found at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use crate::conf::properties;
use crate::conf::{ConfError, Values, Warning};
use crate::units::{is_on, number, size, time};

/// Reads one [`Values`] and collects what is wrong. Whether a text has the type of its property was
/// checked for all of them before; a wrong one reads as unset here.
pub(crate) struct Reader<'a> {
    pub values: &'a Values,
    asked: RefCell<BTreeSet<String>>,
    pub errors: Vec<ConfError>,
    pub warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    pub fn new(values: &'a Values) -> Reader<'a> {
        Reader { values, asked: RefCell::default(), errors: Vec::new(), warnings: Vec::new() }
    }

    pub fn refuse(&mut self, text: impl Into<String>) {
        self.errors.push(ConfError::Refused(text.into()));
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(Warning::warn(text));
    }

    /// The text of a property. A member of a family that nobody set has the default of all members.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.values.get(name).or_else(|| {
            let family = properties::find(name).filter(|row| row.family().is_some())?;
            Some(family.default).filter(|text| !text.is_empty())
        })
    }

    /// The names that were asked for so far, those of unset properties too.
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    /// The default of a property; empty: unset.
    pub fn default(&self, name: &str) -> &'static str {
        properties::find(name).map_or("", |row| row.default)
    }

    /// The text of an nginx directive, and the name under which it stands: the narrower block wins over `name`.
    pub fn directive(&self, name: &'static str) -> Option<(&'static str, &'a str)> {
        let narrower = properties::find(name).and_then(|row| row.overridden_by);
        let [narrower, wider] =
            [narrower, Some(name)].map(|name| name.and_then(|name| Some((name, self.text(name)?))));
        narrower.or(wider)
    }

    pub fn boolean(&self, name: &str) -> bool {
        self.text(name).is_some_and(is_on)
    }

    /// Items of a comma list, trimmed, empty ones dropped.
    pub fn list(&self, name: &str) -> Vec<String> {
        let items = self.text(name).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// Each item of a list, understood by `parse`.
    pub fn each<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
        let mut parsed = Vec::new();
        for item in self.list(name) {
            match parse(&item) {
                Ok(value) => parsed.push(value),
                Err(error) => self.refuse(error.to_string()),
            }
        }
        parsed
    }

    /// The value whose text is chosen; the first one when it is wrong.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> T {
        let text = self.text(name).unwrap_or_default();
        choices.iter().find(|(choice, _)| *choice == text).unwrap_or(&choices[0]).1
    }

    /// A whole number within bounds, if set.
    pub fn integer(&mut self, name: &str, min: u64, max: u64) -> Option<u64> {
        let text = self.text(name)?;
        let value = number(text)?;
        if value.fract() == 0.0 && value >= min as f64 && value <= max as f64 {
            return Some(value as u64);
        }
        self.refuse(match max {
            u64::MAX => format!("{name} must be an integer of {min} or greater, got '{text}'"),
            _ => format!("{name} must be an integer between {min} and {max}, got '{text}'"),
        });
        None
    }

    /// Seconds of a number property, if set.
    pub fn seconds(&mut self, name: &str) -> Option<Duration> {
        let text = self.text(name)?;
        let duration = Duration::try_from_secs_f64(number(text)?).ok();
        if duration.is_none() {
            self.refuse(format!("{name} must be 0 or greater, got '{text}'"));
        }
        duration
    }

    pub fn time(&self, name: &str) -> Option<Duration> {
        time(self.text(name)?)
    }

    /// Bytes.
    pub fn size(&self, name: &str) -> Option<u64> {
        size(self.text(name)?)
    }
}
