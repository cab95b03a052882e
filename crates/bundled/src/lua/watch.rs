//! The processor time that a run takes.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// It begins to measure when it is first looked at: asking the system costs as much as a short run.
#[derive(Default)]
pub struct Watch(Cell<Option<Duration>>);

impl Watch {
    /// A new run.
    pub fn begin(&self) {
        self.0.set(None);
    }

    /// Whether the run took longer, as far as it was looked at.
    pub fn is_over(&self, limit: Duration) -> bool {
        let now = processor_time();
        match self.0.get() {
            Some(start) => now.saturating_sub(start) > limit,
            None => {
                self.0.set(Some(now));
                false
            }
        }
    }
}

/// This thread's.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
