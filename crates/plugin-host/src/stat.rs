//! `/proc/<pid>/stat`, as proc(5) describes it.

use std::fs;

/// A family that changes while it is looked at could be without an end.
const MOST_GENERATIONS: usize = 100;

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stat {
    pub pid: u32,
    pub parent: u32,
    pub group: u32,
    /// Clock ticks since the boot.
    pub started: u64,
    /// A zombie holds nothing and cannot be ended.
    pub has_ended: bool,
    /// Of processor time, in user and kernel mode.
    pub ticks: u64,
    pub threads: u64,
    pub resident_pages: u64,
}

impl Stat {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether a process is `ancestor` or comes from it, however many generations away.
    pub(crate) fn descends_from(pid: u32, ancestor: u32) -> bool {
        // Process 1 has no parent.
        let parent = |pid: &u32| Self::of(*pid).map(|it| it.parent).filter(|parent| *parent != 0);
        std::iter::successors(Some(pid), parent).take(MOST_GENERATIONS).any(|pid| pid == ancestor)
    }

    /// Of every process that can be seen.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| Self::of(entry.file_name().to_str()?.parse().ok()?))
    }

    pub(crate) fn runs_in(&self, group: u32) -> bool {
        self.group == group && !self.has_ended
    }

    fn parse(pid: u32, text: &str) -> Option<Self> {
        // The name in front is in parentheses and may hold anything, parentheses too.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        // The first of these is field 3: the state.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            pid,
            has_ended: matches!(*fields.first()?, "Z" | "X"),
            parent: number(4)?.try_into().ok()?,
            group: number(5)?.try_into().ok()?,
            ticks: number(14)? + number(15)?,
            threads: number(20)?,
            started: number(22)?,
            resident_pages: number(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_confuses_nobody() {
        let text = "9 (a) Z (b)) Z 1 77 77 0 -1 0 0 0 0 0 3 4 0 0 20 0 5 0 4242 9000 11 0\n";
        let stat = Stat {
            pid: 9,
            parent: 1,
            group: 77,
            started: 4242,
            has_ended: true,
            ticks: 7,
            threads: 5,
            resident_pages: 11,
        };
        assert_eq!(Stat::parse(9, text), Some(stat));
        assert_eq!(Stat::parse(9, "9 (cut"), None);
    }

    #[test]
    fn a_child_descends_from_this_process() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("runs");
        let own = std::process::id();
        assert!(Stat::descends_from(child.id(), own) && Stat::descends_from(own, own));
        assert!(!Stat::descends_from(own, child.id()) && !Stat::descends_from(1, own));
        child.kill().expect("is ours");
        child.wait().expect("is ours");
    }

    #[test]
    fn this_process_runs() {
        let own = std::process::id();
        let stat = Stat::all().find(|it| it.pid == own).expect("is listed");
        assert!(stat.runs_in(stat.group) && stat.threads >= 1 && stat.resident_pages > 100, "{stat:?}");
    }
}
