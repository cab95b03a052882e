//! Resident memory of processes.

use std::fs;

use polygate_testkit::gateway::descendants_of;

/// In KiB; 0 for a process that is gone.
pub fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or_default()
}

/// Of all plugin servers together.
pub fn resident_servers(gateway: u32) -> u64 {
    descendants_of(gateway).into_iter().map(resident).sum()
}

/// `12.3 MiB`.
pub fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory() {
        assert!(resident(std::process::id()) > 100);
        assert_eq!(resident(u32::MAX), 0);
        assert_eq!(mib(1536), "1.5 MiB");
    }
}
