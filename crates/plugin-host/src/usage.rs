//! What processes cost.

use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use serde::Serialize;

use crate::stat::Stat;

/// Of one process, or of all in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    /// Bytes; pages that processes share count in each.
    pub resident: u64,
    /// User and system time of the processes that live.
    pub cpu: Duration,
    pub threads: u64,
    pub processes: u64,
}

/// A process whose group the gateway made is counted with everything it started: a Python server in
/// `-m` mode does its work in children.
pub(crate) fn of_group(group: u32) -> Usage {
    Stat::all().filter(|stat| stat.group == group).fold(Usage::default(), Usage::plus)
}

pub(crate) fn of_process(pid: u32) -> Usage {
    Stat::of(pid).into_iter().fold(Usage::default(), Usage::plus)
}

impl Usage {
    fn plus(self, stat: Stat) -> Self {
        Self {
            resident: self.resident + stat.resident_pages * page_size() as u64,
            cpu: self.cpu + Duration::from_millis(stat.ticks * 1000 / clock_ticks_per_second()),
            threads: self.threads + stat.threads,
            processes: self.processes + 1,
        }
    }
}
