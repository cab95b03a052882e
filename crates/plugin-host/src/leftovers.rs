//! Plugin servers that outlive a gateway which was killed.
//!
//! The kernel tells a server when its gateway dies, but only the server itself: the workers of a Python server
//! go on, and so does a server that does not care. The gateway therefore keeps a list of what it started, one
//! line `<pid> <start> <server>` below a line that says where these numbers mean anything: the boot and the PID
//! namespace. The next gateway ends what still runs before it starts anything itself.
//!
//! A process id alone says nothing, since the kernel gives it away again. A leader is recognised by the time of
//! its start, in clock ticks since the boot. Without a leader the members of its process group are: as long as
//! one of them lives the kernel does not give the group's number to another process.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use polygate_telemetry::log;
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use tokio::time::{Instant, sleep};

use crate::lock::locked;
use crate::stat::Stat;

/// Between the polite signal and the other one.
const GRACE: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_millis(20);

/// Children belong to the process, whichever configuration they serve, so the process has one list.
static LIST: Mutex<List> = Mutex::new(List { file: None, started: BTreeMap::new() });

struct List {
    /// `None` until [`adopt`] was called: nothing is written then.
    file: Option<PathBuf>,
    started: BTreeMap<u32, Started>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Started {
    /// Clock ticks since the boot.
    at: u64,
    server: String,
}

/// A process group of a gateway that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leftover {
    group: u32,
    server: String,
    members: Vec<u32>,
}

/// Ends the processes that `file` lists and that still run, and keeps the list of this process there from now
/// on. To be called before any server is started, by the only gateway that uses the file.
pub async fn adopt(file: &Path) {
    match read(file) {
        Ok(text) => end(find(&text, &place(), &others())).await,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => log!(
            Warn,
            "[pluginserver] cannot read {}: {error}; processes of a killed gateway may still run",
            file.display()
        ),
    }
    let mut list = locked(&LIST);
    list.file = Some(file.to_owned());
    list.write();
}

/// The text of a list that this user wrote. Somebody else's would have us end whatever it names.
fn read(file: &Path) -> io::Result<String> {
    let no_links = OFlags::NOFOLLOW.bits().cast_signed();
    let mut list = OpenOptions::new().read(true).custom_flags(no_links).open(file)?;
    if list.metadata()?.uid() != geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    let mut text = String::new();
    list.read_to_string(&mut text)?;
    Ok(text)
}

/// Makes a file that was not there; what was, a planted link too, is removed and never followed.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Keeps a started process in the list until it is dropped.
pub(crate) struct Entry(u32);

impl Entry {
    /// `pid` is a child that leads a process group.
    pub(crate) fn add(pid: u32, server: &str) -> Self {
        let mut list = locked(&LIST);
        // A process that has ended already is still there: nobody has waited for it.
        if let Some(stat) = Stat::of(pid) {
            list.started.insert(pid, Started { at: stat.started, server: server.to_owned() });
            list.write();
        }
        Self(pid)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut list = locked(&LIST);
        list.started.remove(&self.0);
        list.write();
    }
}

impl List {
    fn write(&self) {
        let Some(file) = &self.file else { return };
        let mut text = place() + "\n";
        for (pid, Started { at, server }) in &self.started {
            text += &format!("{pid} {at} {server}\n");
        }
        // Whole or not at all: the gateway may be killed in between.
        let next = file.with_extension("new");
        if let Err(error) = write_new(&next, &text).and_then(|()| fs::rename(&next, file)) {
            log!(
                Warn,
                "[pluginserver] cannot write {}: {error}; if the gateway is killed, its plugin servers may stay",
                file.display()
            );
        }
    }
}

/// Where process ids and start times are comparable: the boot and the PID namespace.
fn place() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), namespace.display())
}

/// The groups of a list that still have running members among the `processes`.
fn find(list: &str, place: &str, processes: &[Stat]) -> Vec<Leftover> {
    let mut lines = list.lines();
    if lines.next() != Some(place) {
        return vec![];
    }
    let leftover = |(group, Started { at, server }): (u32, Started)| {
        let leader = processes.iter().find(|it| it.pid == group);
        if leader.is_some_and(|leader| leader.started != at) {
            return None;
        }
        let is_member = |it: &&Stat| it.runs_in(group) && it.started >= at;
        let members: Vec<_> = processes.iter().filter(is_member).map(|it| it.pid).collect();
        (!members.is_empty()).then_some(Leftover { group, server, members })
    };
    lines.filter_map(parse).filter_map(leftover).collect()
}

fn parse(line: &str) -> Option<(u32, Started)> {
    let mut words = line.splitn(3, ' ');
    let pid = words.next()?.parse().ok()?;
    let at = words.next()?.parse().ok()?;
    Some((pid, Started { at, server: words.next()?.to_owned() }))
}

async fn end(leftovers: Vec<Leftover>) {
    for Leftover { group, server, members } in &leftovers {
        for pid in members {
            log!(
                Notice,
                "[pluginserver] ending process {pid} of pluginserver '{server}', left by a gateway that was killed"
            );
        }
        signal(*group, Signal::TERM);
    }
    let deadline = Instant::now() + GRACE;
    loop {
        let processes: Vec<_> = Stat::all().collect();
        let still = |it: &&Leftover| processes.iter().any(|process| process.runs_in(it.group));
        let left: Vec<_> = leftovers.iter().filter(still).collect();
        if left.is_empty() {
            return;
        }
        if Instant::now() >= deadline {
            left.iter().for_each(|it| signal(it.group, Signal::KILL));
            return;
        }
        sleep(INTERVAL).await;
    }
}

/// All processes but those of the gateway's own group. A list from an earlier life of a container may name it.
fn others() -> Vec<Stat> {
    let own = Stat::of(std::process::id()).map(|it| it.group);
    Stat::all().filter(|it| Some(it.group) != own).collect()
}

fn signal(group: u32, signal: Signal) {
    let Some(id) = i32::try_from(group).ok().and_then(Pid::from_raw) else { return };
    match kill_process_group(id, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => log!(Warn, "[pluginserver] cannot end process group {group}: {error}; end it by hand"),
    }
}

#[cfg(test)]
mod tests;
