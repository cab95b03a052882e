//! Keeping a body of any size: a little in memory, the rest in a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::body::error::BodyError;
use crate::body::held::{HeldBody, SpooledFile};

/// Where bodies are kept.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// Bytes that stay in memory; a longer body is a file from there on. One whose length is known may be longer by a
    /// quarter, as nginx has it.
    pub memory: usize,
    /// On a file system with room for large uploads. The files in it have no name, so that none is ever left behind.
    pub folder: PathBuf,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self { memory: 16 * 1024, folder: std::env::temp_dir() }
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
        let memory = self.settings.memory as u64;
        let fits = match remaining {
            Some(remaining) => self.length + remaining <= memory + memory / 4,
            None => self.length <= memory,
        };
        if self.file.is_none() && fits {
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
            Some(file) => HeldBody::File(Arc::new(SpooledFile::new(file, self.length))),
            None => HeldBody::Memory(std::mem::take(&mut self.memory).into()),
        }
    }
}

fn unkept(error: io::Error) -> BodyError {
    BodyError::Unkept(Arc::new(error))
}
