//! The limit of open files, which the gateway inherits.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as it goes. Panics when that is not enough for `count`.
#[track_caller]
pub fn allow(count: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("a process may use up its own limit");
    let most = limit.maximum.unwrap_or(u64::MAX);
    assert!(most > count as u64, "at most {most} files can be open, raise it: ulimit -n {}", count + 1000);
}
