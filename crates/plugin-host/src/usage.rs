//! What processes cost, as the kernel tells in `/proc` (proc(5)).

use std::fs;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use serde::Serialize;

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
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = pids.filter_map(|entry| Stat::read(entry.file_name().to_str()?.parse().ok()?));
    stats.filter(|stat| stat.group == group).fold(Usage::default(), |sum, stat| sum.plus(&stat))
}

pub(crate) fn of_process(pid: u32) -> Usage {
    Stat::read(pid).map_or(Usage::default(), |stat| Usage::default().plus(&stat))
}

impl Usage {
    fn plus(self, stat: &Stat) -> Self {
        Self {
            resident: self.resident + stat.resident_pages * page_size() as u64,
            cpu: self.cpu + Duration::from_millis(stat.ticks * 1000 / clock_ticks_per_second()),
            threads: self.threads + stat.threads,
            processes: self.processes + 1,
        }
    }
}

/// The fields of `/proc/<pid>/stat` that matter here.
struct Stat {
    group: u32,
    ticks: u64,
    threads: u64,
    resident_pages: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The name of the command is in parentheses and may hold anything; the state, the third field
        // in proc(5), comes after it.
        let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            group: field(5)?.try_into().ok()?,
            ticks: field(14)? + field(15)?,
            threads: field(20)?,
            resident_pages: field(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_counted() {
        let usage = of_process(std::process::id());
        assert!(usage.resident > 1 << 20 && usage.threads >= 1, "{usage:?}");
        assert_eq!(usage.processes, 1);
    }

    #[test]
    fn a_name_with_parentheses_confuses_nobody() {
        let stat = "7 (a) b (c) S 1 42 42 0 -1 0 0 0 0 0 3 4 0 0 20 0 5 0 100 9000 11 0";
        let stat = Stat::parse(stat).expect("is whole");
        assert_eq!((stat.group, stat.ticks, stat.threads, stat.resident_pages), (42, 7, 5, 11));
    }
}
