//! A log file that can be opened again under the same path, for rotation.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::iter::successors;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Links from one to the next, before they lead in a circle.
const MOST_LINKS: usize = 8;

/// An append-only file shared by all threads. One `write` call per line: lines never interleave.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: ArcSwap<File>,
}

impl LogFile {
    /// Opens or creates `path`, for appending; see [`append`].
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let file = ArcSwap::from_pointee(append(&path)?);
        Ok(Self { path, file })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the path again, as after a rotation; keeps the old file when that fails. A standard stream is not
    /// rotated, and what has its number by now may be another: it is kept.
    pub fn reopen(&self) -> io::Result<()> {
        if Stream::named(&self.path).is_none() {
            self.file.store(Arc::new(append(&self.path)?));
        }
        Ok(())
    }

    /// Writes one line, which must end with a line feed. A full disk loses the line and nothing else.
    pub fn write_line(&self, line: &[u8]) {
        let _ = self.write(line);
    }

    /// Writes whole lines.
    pub fn write(&self, lines: &[u8]) -> io::Result<()> {
        (&**self.file.load()).write_all(lines)
    }
}

/// A standard stream that logs can go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Output,
    Error,
}

impl Stream {
    /// The stream that `path` names or is a link to.
    pub fn named(path: &Path) -> Option<Self> {
        let links = successors(Some(path.to_owned()), |path| fs::read_link(path).ok());
        links.take(MOST_LINKS).find_map(|path| match path.to_str()? {
            "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Some(Self::Output),
            "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Some(Self::Error),
            _ => None,
        })
    }
}

/// Opens or creates `path`, for appending. A standard stream is taken as it is: to open it anew fails for a socket,
/// waits for ever for a pipe whose reader has left, and may tie a session without a terminal to the one it opens.
pub fn append(path: &Path) -> io::Result<File> {
    match Stream::named(path) {
        Some(Stream::Output) => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
        Some(Stream::Error) => Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
        None => OpenOptions::new().append(true).create(true).open(path),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    use super::*;

    const ASKED: &str = "POLYGATE_TEST_SAYS_HELLO";

    /// What the test below starts in a process of its own; nothing otherwise.
    #[test]
    fn says_hello_when_asked() {
        if let Some(path) = std::env::var_os(ASKED) {
            LogFile::open(path).unwrap().write_line(b"hello\n");
        }
    }

    #[test]
    fn a_socket_as_standard_output_is_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("access.log");
        symlink("/dev/stdout", &link).unwrap();
        for path in [Path::new("/dev/stdout"), &link] {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            let mut asked = Command::new(std::env::current_exe().unwrap());
            asked.args(["file::tests::says_hello_when_asked", "--exact", "--nocapture"]).env(ASKED, path);
            assert!(asked.stdout(OwnedFd::from(theirs)).status().unwrap().success());
            drop(asked);
            let mut text = String::new();
            ours.read_to_string(&mut text).unwrap();
            assert!(text.contains("hello\n"), "{text}");
        }
    }

    #[test]
    fn a_stream_is_known_by_its_names_and_through_links() {
        let directory = tempfile::tempdir().unwrap();
        let link = |name: &str, target: &Path| {
            let link = directory.path().join(name);
            symlink(target, &link).unwrap();
            link
        };
        let direct = link("direct", Path::new("/dev/stderr"));
        let indirect = link("indirect", &direct);
        let circle = directory.path().join("circle");
        link("circle", &circle);
        let file = directory.path().join("stdout");
        for (path, expected) in [
            (Path::new("/dev/stdout"), Some(Stream::Output)),
            (Path::new("/dev/fd/1"), Some(Stream::Output)),
            (Path::new("/proc/self/fd/2"), Some(Stream::Error)),
            (&direct, Some(Stream::Error)),
            (&indirect, Some(Stream::Error)),
            (&circle, None),
            (&file, None),
            (Path::new("/dev/null"), None),
        ] {
            assert_eq!(Stream::named(path), expected, "{}", path.display());
        }
    }

    #[test]
    fn the_error_of_another_path_stays() {
        let error = LogFile::open("/nonexistent/access.log").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
