//! Where one process is reached: a name for its socket that no other process can take over.
//!
//! Plugin servers put a socket of their own in the place of whatever has its name. So that several
//! processes of one server can serve at the same time (replicas, a predecessor that finishes its
//! events), each socket is moved aside as soon as the process listens. A symbolic link stays in its
//! place: for others who connect there, and as the sign that this socket has found its gateway.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::geteuid;

use crate::stat::Stat;

/// Of the names of moved sockets, hidden files beside the place: `.polygate-<gateway pid>-<number>`.
const PREFIX: &str = ".polygate-";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// The path to connect to. A moved socket is removed with the last use of it.
#[derive(Debug)]
pub(crate) struct Address {
    path: PathBuf,
    is_own: bool,
}

impl Address {
    /// Of a server that somebody else runs.
    pub(crate) fn plain(path: PathBuf) -> Self {
        Self { path, is_own: false }
    }

    /// A lasting name for the socket that is at `place`, which [`is_new`].
    pub(crate) fn adopt(place: &Path) -> io::Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let path = place.with_file_name(&name);
        fs::rename(place, &path)?;
        // Whoever listens there by now is not to be hindered.
        let _ = symlink(&name, place);
        Ok(Self { path, is_own: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        if self.is_own {
            // Somebody may have cleaned up the directory.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the gateway may take the process behind a socket for the one it started. In a folder such as `/tmp`
/// anybody can put a socket in the place and would get all requests. It must be of the gateway's own user or of
/// root, or come from the gateway, as a start command may change the user.
pub(crate) fn check_listener(user: u32, pid: Option<u32>) -> io::Result<()> {
    let is_ours = pid.is_some_and(|pid| Stat::descends_from(pid, std::process::id()));
    if is_ours || [geteuid().as_raw(), 0].contains(&user) {
        return Ok(());
    }
    let pid = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
    let why =
        format!("{pid} of user {user} listens there, which this gateway did not start; remove its socket");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Whether a socket is at `place` that nobody has adopted.
pub(crate) fn is_new(place: &Path) -> bool {
    fs::symlink_metadata(place).is_ok_and(|file| file.file_type().is_socket())
}

/// Removes the sockets that a killed gateway left beside `place`: those that nobody listens on.
pub(crate) fn remove_stale(place: &Path) {
    let Some(entries) = place.parent().and_then(|directory| fs::read_dir(directory).ok()) else { return };
    for entry in entries.flatten() {
        let is_moved = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_socket());
        if is_moved && !is_listened_on(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_listened_on(socket: &Path) -> bool {
    !matches!(UnixStream::connect(socket), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn an_adopted_socket_outlives_its_place() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("s");
        assert!(!is_new(&place));
        let first = UnixListener::bind(&place).expect("binds");
        first.set_nonblocking(true).expect("is a socket");
        assert!(is_new(&place));
        let address = Address::adopt(&place).expect("moves");
        assert!(!is_new(&place), "it is adopted once");
        UnixStream::connect(&place).expect("others still find it");
        first.accept().expect("the link leads to it");
        fs::remove_file(&place).expect("the link is there");
        let _second = UnixListener::bind(&place).expect("binds");
        assert!(is_new(&place));
        UnixStream::connect(address.path()).expect("connects");
        first.accept().expect("the address leads to it");
        let path = address.path().to_owned();
        drop(address);
        assert!(!path.exists());
    }

    #[test]
    fn a_stranger_is_no_server_of_ours() {
        let (own, stranger) = (geteuid().as_raw(), 54_321);
        let child = std::process::Command::new("sleep").arg("60").spawn();
        let mut child = child.expect("runs");
        check_listener(own, Some(1)).expect("the same user");
        check_listener(own, None).expect("the same user, elsewhere");
        check_listener(0, Some(1)).expect("root");
        check_listener(stranger, Some(child.id())).expect("a start command that changes the user");
        let error = check_listener(stranger, Some(1)).expect_err("somebody else");
        assert!(error.to_string().starts_with("process 1 of user 54321 listens there"), "{error}");
        check_listener(stranger, None).expect_err("somebody else, elsewhere");
        child.kill().expect("is ours");
        child.wait().expect("is ours");
    }

    #[test]
    fn only_sockets_without_a_listener_are_stale() {
        let directory = tempfile::tempdir().expect("a directory");
        let (alive, dead) = (directory.path().join(".polygate-1-1"), directory.path().join(".polygate-1-2"));
        let _listener = UnixListener::bind(&alive).expect("binds");
        drop(UnixListener::bind(&dead).expect("binds"));
        let other = directory.path().join("other");
        drop(UnixListener::bind(&other).expect("binds"));
        remove_stale(&directory.path().join("s"));
        assert_eq!((alive.exists(), dead.exists(), other.exists()), (true, false, true));
    }
}
