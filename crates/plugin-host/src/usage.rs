//! What processes cost.

use std::fs;
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

/// Descriptors that a process has open, and how many it may; `None` when that cannot be seen.
pub(crate) fn descriptors(pid: u32) -> Option<(u64, u64)> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let limit = limit.split_whitespace().next()?.parse().ok()?;
    let folder = format!("/proc/{pid}/fd");
    // Since Linux 6.2 the size of the folder is their number.
    let open = match fs::metadata(&folder).ok()?.len() {
        0 => fs::read_dir(folder).ok()?.count() as u64,
        size => size,
    };
    Some((open, limit))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_descriptors_are_counted() {
        let count = || descriptors(std::process::id()).expect("this process can be seen");
        let (before, limit) = count();
        let files: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").expect("is there")).collect();
        let (open, _) = count();
        assert!(before + 25 <= open && open < limit, "{before} {open} {limit}");
        drop(files);
    }
}
