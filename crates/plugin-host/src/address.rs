//! Where one process is reached: a name for its socket that no other process can take over.
//!
//! Plugin servers put a socket of their own in the place of whatever has its name. So that several
//! processes of one server can serve at the same time (replicas, a predecessor that finishes its
//! events), each socket gets a second name, a hard link, as soon as the process listens.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Of all names of links, which are hidden files beside the socket: `.polygate-<gateway pid>-<number>`.
const PREFIX: &str = ".polygate-";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// The path to connect to. A link is removed with the last use of it.
#[derive(Debug)]
pub(crate) struct Address {
    path: PathBuf,
    is_link: bool,
}

impl Address {
    /// Of a server that somebody else runs.
    pub(crate) fn plain(path: PathBuf) -> Self {
        Self { path, is_link: false }
    }

    /// A lasting name for what is at `socket` now. Where the file system or the file's owner forbids
    /// links, the socket is renamed.
    pub(crate) fn link(socket: &Path) -> io::Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = socket.with_file_name(format!("{PREFIX}{}-{number}", std::process::id()));
        // Left by an earlier gateway with the same process id.
        let _ = fs::remove_file(&path);
        fs::hard_link(socket, &path).or_else(|_| fs::rename(socket, &path))?;
        Ok(Self { path, is_link: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        if self.is_link {
            // Somebody may have cleaned up the directory.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the links that a killed gateway left beside `socket`: those that nobody listens on.
pub(crate) fn remove_stale_links(socket: &Path) {
    let Some(entries) = socket.parent().and_then(|directory| fs::read_dir(directory).ok()) else { return };
    for entry in entries.flatten() {
        let is_link = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_socket());
        if is_link && !is_listened_on(&entry.path()) {
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
    fn a_link_outlives_the_name_it_was_made_of() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("s");
        let first = UnixListener::bind(&socket).expect("binds");
        let address = Address::link(&socket).expect("links");
        fs::remove_file(&socket).expect("is there");
        let _second = UnixListener::bind(&socket).expect("binds");
        UnixStream::connect(address.path()).expect("connects");
        first.set_nonblocking(true).expect("is a socket");
        assert!(first.accept().is_ok(), "the link leads to the first socket");
        let path = address.path().to_owned();
        drop(address);
        assert!(!path.exists());
    }

    #[test]
    fn only_links_without_a_listener_are_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let (alive, dead) = (directory.path().join(".polygate-1-1"), directory.path().join(".polygate-1-2"));
        let _listener = UnixListener::bind(&alive).expect("binds");
        drop(UnixListener::bind(&dead).expect("binds"));
        let other = directory.path().join("other");
        drop(UnixListener::bind(&other).expect("binds"));
        remove_stale_links(&directory.path().join("s"));
        assert_eq!((alive.exists(), dead.exists(), other.exists()), (true, false, true));
    }
}
