//! The running gateway of a prefix, found by its pid file.
//!
//! The gateway holds a lock on the file for as long as it lives, and the kernel tells others who
//! holds it. A file that was left behind by a crash is therefore never mistaken for a gateway, even
//! when its process id belongs to another program by now.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{
    Flock, FlockType, Pid, PidfdFlags, Signal, fcntl_getlk, getpid, kill_process, pidfd_open,
};

/// Where the pid file is below the prefix.
pub fn pid_file(prefix: &Path) -> PathBuf {
    prefix.join("pids/nginx.pid")
}

/// The text for a prefix without a gateway.
pub fn not_running(prefix: &Path) -> String {
    format!("nginx not running in prefix: {}", prefix.display())
}

/// The text for a second start in one prefix.
pub fn already_running(prefix: &Path) -> String {
    format!("Kong is already running in {}", prefix.display())
}

/// Another process that runs a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Instance {
    pid: Pid,
}

impl Instance {
    /// The gateway that runs in `prefix`, if there is one.
    pub fn find(prefix: &Path) -> io::Result<Option<Instance>> {
        let file = match File::open(pid_file(prefix)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let holder = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock))?;
        Ok(holder.and_then(|lock| lock.pid).map(|pid| Instance { pid }))
    }

    pub fn signal(self, signal: Signal) -> io::Result<()> {
        match kill_process(self.pid, signal) {
            // It ended by itself, which is what every signal here is for.
            Err(Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// Waits for the end of the process, not longer than `limit`; whether it has ended.
    pub fn wait(self, limit: Duration) -> io::Result<bool> {
        let process = match pidfd_open(self.pid, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(Errno::SRCH) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The claim of this process to be the gateway of a prefix; given back when dropped.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl Claim {
    /// Writes the pid file; `None` when another gateway runs in `prefix`.
    pub fn take(prefix: &Path) -> io::Result<Option<Claim>> {
        let path = pid_file(prefix);
        loop {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::AGAIN | Errno::ACCESS) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // The previous gateway may have removed the file between the two calls.
            if fs::metadata(&path)
                .is_ok_and(|named| named.ino() == file.metadata().map_or(0, |own| own.ino()))
            {
                file.set_len(0)?;
                writeln!(file, "{}", getpid().as_raw_nonzero())?;
                return Ok(Some(Claim { path, _file: file }));
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A file that stays behind is harmless: nobody holds its lock.
        let _ = fs::remove_file(&self.path);
    }
}
