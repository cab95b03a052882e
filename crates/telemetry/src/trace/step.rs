//! The steps of a request that can be seen in its trace.

/// A step of a request that can have a span of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// One plugin's handler of the phase.
    Rewrite,
    Access,
    Response,
    Log,
    /// One try to reach the service.
    Upstream,
}

/// A set of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Steps(u8);

impl Steps {
    pub fn contains(self, step: Step) -> bool {
        self.0 & (1 << step as u8) != 0
    }
}

impl FromIterator<Step> for Steps {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().fold(0, |bits, step| bits | 1 << step as u8))
    }
}
