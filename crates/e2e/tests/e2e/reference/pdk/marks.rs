//! The marks: which differences are excused, and why.

use regex::Regex;
use serde::Deserialize;

use crate::reference::recorded::{folder, read};

/// A kind of difference, with one of these reasons.
#[derive(Deserialize)]
struct Mark {
    /// It is on purpose (docs/compatibility.md has it), or an accident of the reference was recorded.
    known: Option<String>,
    /// It should not be.
    open: Option<String>,
    /// It is there or not, as time or chance will have it.
    #[serde(default)]
    unsteady: bool,
    /// Patterns of the lines that [`super::compare::lines`] makes of differences.
    #[serde(rename = "match")]
    patterns: Vec<String>,
}

pub struct Marks(Vec<(Mark, Vec<Regex>)>);

/// What the marks make of the differences.
pub struct Verdict {
    /// The differences without a mark, and the patterns without a difference.
    pub complaints: Vec<String>,
    /// What is still open, with the number of differences.
    pub open: Vec<String>,
}

impl Mark {
    fn reason(&self) -> &str {
        self.known.as_deref().or(self.open.as_deref()).unwrap_or_default()
    }
}

impl Marks {
    #[track_caller]
    pub fn load() -> Self {
        let compile = |mark: Mark| {
            assert!(
                mark.known.is_some() != mark.open.is_some(),
                "{:?}: one of known and open",
                mark.patterns
            );
            let regex = |pattern: &String| Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"));
            let patterns = mark.patterns.iter().map(regex).collect();
            (mark, patterns)
        };
        let marks: Vec<Mark> = read(&folder().join("pdk/_marks.json"));
        Self(marks.into_iter().map(compile).collect())
    }

    /// Holds the marks against the differences that were found; of several that fit one, the first counts.
    pub fn judge(&self, found: &[String]) -> Verdict {
        let mut uses: Vec<Vec<usize>> = self.0.iter().map(|(_, patterns)| vec![0; patterns.len()]).collect();
        let fitting = |line: &str| {
            let pattern = |patterns: &[Regex]| patterns.iter().position(|pattern| pattern.is_match(line));
            self.0.iter().enumerate().find_map(|(mark, (_, patterns))| Some((mark, pattern(patterns)?)))
        };
        let mut complaints = Vec::new();
        for line in found {
            match fitting(line) {
                Some((mark, pattern)) => uses[mark][pattern] += 1,
                None => complaints.push(shortened(line)),
            }
        }
        let mut open = Vec::new();
        for ((mark, patterns), uses) in self.0.iter().zip(&uses) {
            let idle = patterns.iter().zip(uses).filter(|(_, uses)| **uses == 0 && !mark.unsteady);
            complaints.extend(idle.map(|(pattern, _)| {
                format!("nothing differs any more; take the pattern off: {pattern} ({})", mark.reason())
            }));
            if mark.open.is_some() {
                open.push(format!("{} {}", uses.iter().sum::<usize>(), mark.reason()));
            }
        }
        Verdict { complaints, open }
    }
}

fn shortened(line: &str) -> String {
    const SHOWN: usize = 500;
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}
