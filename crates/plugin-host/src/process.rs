//! One process of a plugin server: start, output, end.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use polygate_telemetry::log;
use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::leftovers::Entry;
use crate::output::{Output, OutputTail};

/// The search path when the gateway was started without one.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// See [`withhold`].
static WITHHELD: OnceLock<&[&str]> = OnceLock::new();

/// Leaves variables out of what the programs of plugin servers inherit from the environment, for the life of this
/// process; to be called before the first is started. All others they get: plugins are configured by them.
pub fn withhold(variables: &'static [&'static str]) {
    // There is one list, so a second call brings the same.
    let _ = WITHHELD.set(variables);
}

/// A running process with its own process group.
pub(crate) struct Process {
    child: Child,
    pid: u32,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
    readers: [JoinHandle<()>; 2],
    /// Tells the next gateway, should this one be killed.
    _entry: Entry,
}

/// A command of the shell, in its own process group, that ends when the gateway's thread does.
pub(crate) fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    if std::env::var_os("PATH").is_none() {
        shell.env("PATH", DEFAULT_PATH);
    }
    for variable in WITHHELD.get().copied().unwrap_or_default() {
        shell.env_remove(variable);
    }
    end_with_parent(&mut shell);
    shell
}

/// Go, JavaScript and threaded Python servers do not notice the gateway's death: the kernel tells them.
#[allow(unsafe_code)]
fn end_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    // SAFETY: the closure runs between fork and exec and makes two system calls, both safe there; it
    // neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::TERM))?;
            // The parent may have died before the call above; nobody would send the signal then.
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(io::ErrorKind::NotFound.into())
            }
        });
    }
}

impl Process {
    /// Runs a start command. Output goes to the log: standard output at info, standard error at notice.
    pub(crate) fn spawn(
        name: &str,
        command: &str,
        generation: u64,
        tail: &Arc<OutputTail>,
    ) -> io::Result<Self> {
        let mut command = shell(&format!("exec {command}"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let pid = child.id().ok_or(io::ErrorKind::NotFound)?;
        let entry = Entry::add(pid, name);
        let tag = format!("[{name}:{pid}]");
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?.into_owned_fd()?;
        let stderr = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?.into_owned_fd()?;
        let stdout = Output::new(stdout, tail.clone(), tag.clone(), |tag, line| log!(Info, "{tag} {line}"))?;
        let tag = format!("{tag} generation {generation}:");
        let stderr = Output::new(stderr, tail.clone(), tag, |tag, line| log!(Notice, "{tag} {line}"))?;
        let follow = |output: Arc<Output>| tokio::spawn(async move { output.follow().await });
        let readers = [follow(stdout.clone()), follow(stderr.clone())];
        Ok(Self { child, pid, stdout, stderr, readers, _entry: entry })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn stdout(&self) -> &Arc<Output> {
        &self.stdout
    }

    pub(crate) fn stderr(&self) -> &Arc<Output> {
        &self.stderr
    }

    /// Waits for the end of the process; what is left of its group is killed.
    pub(crate) async fn exited(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.signal(Signal::KILL);
        Ok(status)
    }

    /// Asks the whole group to end, and makes it after five seconds.
    pub(crate) async fn stop(mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::TERM);
        if let Ok(status) = tokio::time::timeout(STOP_PATIENCE, self.child.wait()).await {
            // Workers of a Python server in `-m` mode may outlive it.
            self.signal(Signal::KILL);
            return status;
        }
        self.signal(Signal::KILL);
        self.child.wait().await
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // The group may be gone already; that is what was wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Gives the readers the time to log what a process that ended said last.
    pub(crate) async fn last_output(&mut self) {
        for reader in &mut self.readers {
            let _ = tokio::time::timeout(Duration::from_millis(200), reader).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

/// `exit 0`, `signal 9`.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cargo sets both for its tests.
    #[tokio::test]
    async fn what_is_withheld_is_not_inherited_and_all_else_is() {
        withhold(&["CARGO_PKG_NAME"]);
        let output = shell("echo ${CARGO_PKG_NAME-unset} ${CARGO_PKG_VERSION-unset}").output().await;
        let text = String::from_utf8(output.expect("runs").stdout).expect("is text");
        assert_eq!(text.trim(), format!("unset {}", env!("CARGO_PKG_VERSION")));
    }
}
