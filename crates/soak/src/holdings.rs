//! What a process holds: memory and descriptors.

use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use polygate_testkit::eventually::within;

use crate::memory::{mib, resident};
use crate::report::Report;

/// How long descriptors may take to be closed: longer than connections linger.
const SETTLING: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
pub struct Holdings {
    /// Resident memory, in KiB.
    pub resident: u64,
    pub descriptors: usize,
}

impl Holdings {
    pub fn of(pid: u32) -> Self {
        Self { resident: resident(pid), descriptors: descriptors(pid) }
    }

    /// Waits until as few descriptors are open as before, or so many more.
    pub fn after(pid: u32, before: Self, more: usize, what: &str, report: &mut Report) -> Self {
        let most = before.descriptors + more;
        within(SETTLING, || (descriptors(pid) <= most).then_some(()));
        let after = Self::of(pid);
        let left = after.descriptors;
        report.check(left <= most, format!("{what}: {left} descriptors, before {}", before.descriptors));
        after
    }

    /// By no more than `most` KiB.
    pub fn check_growth(&self, before: Self, most: u64, what: &str, report: &mut Report) {
        let grown = self.grown(&before);
        report.check(
            grown <= most,
            format!("{what}: the gateway grew by {}, more than {}", mib(grown), mib(most)),
        );
    }

    /// KiB more than `before`.
    pub fn grown(&self, before: &Self) -> u64 {
        self.resident.saturating_sub(before.resident)
    }
}

impl Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} fds", mib(self.resident), self.descriptors)
    }
}

/// Does something and tells how large the process was at most meanwhile, in KiB.
pub fn peak_during<T>(pid: u32, work: impl FnOnce() -> T) -> (T, u64) {
    // 5 makes the present size the largest so far.
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the process is ours");
    let result = work();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    (result, peak.expect("a process that runs has a largest size"))
}

/// Open files without a name, in which bodies are spooled.
pub fn spooled(pid: u32) -> usize {
    let is_unnamed = |path: &Path| {
        let text = path.to_string_lossy();
        text.starts_with('/') && text.ends_with(" (deleted)") && !text.starts_with("/memfd:")
    };
    links(pid).filter(|path| is_unnamed(path)).count()
}

/// How many of them stay.
pub fn left_spooled(pid: u32) -> usize {
    within(SETTLING, || (spooled(pid) == 0).then_some(()));
    spooled(pid)
}

fn descriptors(pid: u32) -> usize {
    links(pid).count()
}

fn links(pid: u32) -> impl Iterator<Item = PathBuf> {
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    folder.filter_map(|entry| fs::read_link(entry.path()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_to_grow_and_shrink() {
        let pid = std::process::id();
        let (length, peak) = peak_during(pid, || std::hint::black_box(vec![1_u8; 64 << 20]).len());
        assert!(peak > length as u64 / 1024, "{peak}");
        assert!(Holdings::of(pid).descriptors > 2);
    }
}
