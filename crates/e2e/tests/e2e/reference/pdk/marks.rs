//! The marks: which differences are excused, and why.

use regex::Regex;
use serde::Deserialize;

use crate::reference::recorded::{folder, read};

/// A kind of difference.
#[derive(Deserialize)]
struct Mark {
    /// A pattern of [`super::compare::line`], which says all that there is to know of a difference.
    #[serde(rename = "match")]
    matches: String,
    /// Why it is on purpose (docs/compatibility.md has it), or which accident of the reference was recorded.
    known: Option<String>,
    /// Why it should not be.
    open: Option<String>,
    /// It is there or not, as time or chance will have it.
    #[serde(default)]
    unsteady: bool,
}

pub struct Marks(Vec<(Mark, Regex)>);

impl Marks {
    #[track_caller]
    pub fn load() -> Self {
        let marks: Vec<Mark> = read(&folder().join("pdk/_marks.json"));
        let compile = |mark: Mark| {
            assert!(mark.known.is_some() != mark.open.is_some(), "{}: one of known and open", mark.matches);
            let regex = Regex::new(&mark.matches).unwrap_or_else(|error| panic!("{error}"));
            (mark, regex)
        };
        Self(marks.into_iter().map(compile).collect())
    }

    /// The differences without a mark, and the marks without a difference.
    pub fn complaints(&self, found: &[String]) -> Vec<String> {
        let mut needed = vec![false; self.0.len()];
        let mut complaints = Vec::new();
        for line in found {
            match self.0.iter().position(|(_, regex)| regex.is_match(line)) {
                Some(mark) => needed[mark] = true,
                None => complaints.push(shortened(line)),
            }
        }
        let idle = self.0.iter().zip(needed).filter(|((mark, _), needed)| !needed && !mark.unsteady);
        complaints.extend(idle.map(|((mark, _), _)| {
            let reason = mark.known.as_ref().or(mark.open.as_ref());
            format!(
                "nothing differs any more; take the mark off: {} ({})",
                mark.matches,
                reason.map_or("", |r| r)
            )
        }));
        complaints
    }
}

fn shortened(line: &str) -> String {
    const SHOWN: usize = 500;
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}
