//! What a run found: figures to read, and what must not have happened.

use std::fmt::{self, Display};

#[derive(Debug, Default)]
pub struct Report {
    figures: Vec<String>,
    failures: Vec<String>,
}

/// Of many failures of one kind, so many are shown.
const SHOWN: usize = 10;

impl Report {
    pub fn say(&mut self, line: impl Display) {
        self.figures.push(line.to_string());
    }

    /// Notes a failure unless `good`.
    pub fn check(&mut self, good: bool, failure: impl Display) {
        if !good {
            self.fail(failure);
        }
    }

    pub fn fail(&mut self, failure: impl Display) {
        self.failures.push(failure.to_string());
    }

    pub fn is_good(&self) -> bool {
        self.failures.is_empty()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.figures.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        self.failures.iter().take(SHOWN).try_for_each(|line| writeln!(f, "FAILED: {line}"))?;
        match self.failures.len() {
            0 => writeln!(f, "passed"),
            1..=SHOWN => Ok(()),
            count => writeln!(f, "FAILED: and {} more", count - SHOWN),
        }
    }
}
