//! A log file that can be opened again under the same path, for rotation.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

/// An append-only file shared by all threads. One `write` call per line: lines never interleave.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: ArcSwap<File>,
}

impl LogFile {
    /// Opens or creates `path`, for appending.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let file = ArcSwap::from_pointee(append(&path)?);
        Ok(Self { path, file })
    }

    /// Opens the path again, as after a rotation; keeps the old file when that fails.
    pub fn reopen(&self) -> io::Result<()> {
        self.file.store(Arc::new(append(&self.path)?));
        Ok(())
    }

    /// Writes one line, which must end with a line feed. A full disk loses the line and nothing else.
    pub fn write_line(&self, line: &[u8]) {
        let _ = (&**self.file.load()).write_all(line);
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
