//! Keeping a body of any size: a little in memory, the rest in a file.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::body::{BodyError, HeldBody};

/// Where bodies are kept.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// Bytes that stay in memory; a longer body is a file from there on.
    pub memory: usize,
    /// On a file system with room for large uploads. The files in it have no name, so that none is ever left behind.
    pub folder: PathBuf,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self { memory: 16 * 1024, folder: std::env::temp_dir() }
    }
}

/// A file that goes when it is no longer used, whatever happens.
#[derive(Debug)]
pub struct SpooledFile {
    file: File,
    length: u64,
}

impl SpooledFile {
    /// Bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Fills `buffer` from `offset` on; answers how many bytes there were.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    pub fn read_all(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes.into())
    }

    /// Where another process of the same user can open it, for as long as this value lives.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }
}

/// A body as far as it has come.
pub struct Spool {
    settings: Arc<SpoolSettings>,
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
}

impl Spool {
    pub fn new(settings: Arc<SpoolSettings>) -> Self {
        Self { settings, memory: Vec::new(), file: None, length: 0 }
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// `remaining` is how much is known to follow: what will not fit into memory is not begun there.
    pub fn add(&mut self, bytes: &[u8], remaining: Option<u64>) -> Result<(), BodyError> {
        self.length += bytes.len() as u64;
        let expected = self.length + remaining.unwrap_or(0);
        if self.file.is_none() && expected <= self.settings.memory as u64 {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        self.write(bytes).map_err(unkept)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut file = tempfile::tempfile_in(&self.settings.folder)?;
                file.write_all(&std::mem::take(&mut self.memory))?;
                none.insert(file)
            }
        };
        file.write_all(bytes)
    }

    pub fn finish(&mut self) -> HeldBody {
        match self.file.take() {
            Some(file) => HeldBody::File(Arc::new(SpooledFile { file, length: self.length })),
            None => HeldBody::Memory(std::mem::take(&mut self.memory).into()),
        }
    }
}

fn unkept(error: io::Error) -> BodyError {
    BodyError::Unkept(Arc::new(error))
}
