//! Records as lines of a file (bundled-plugins.md, section 7).

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use polygate_chain::{Handler, Phase};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use crate::custom_fields::{self, CustomFields};
use crate::logging::Logging;
use crate::plugin::{self, Bundled};
use crate::queue::{Queue, QueueConfig, Sink};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "file-log",
    priority: 9,
    phases: &[Phase::Log],
    schema: include_str!("file_log/schema.json"),
    checks: &[("lua", custom_fields::check)],
    configure,
};

#[derive(Deserialize)]
struct Config {
    path: String,
    reopen: bool,
}

struct FileLog {
    path: String,
    reopen: bool,
    file: Arc<Mutex<Option<File>>>,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let Config { path, reopen } = plugin::config(plugin)?;
    let sink = FileLog { path, reopen, file: Arc::default() };
    let queue = Queue::start("file-log", &QueueConfig::plain(), sink, shared);
    plugin::handler(Logging { queue, fields: CustomFields::of(plugin, shared)? })
}

impl Sink for FileLog {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        let (path, reopen, file, lines) = (self.path.clone(), self.reopen, self.file.clone(), batch.to_vec());
        // A disk may be slow, and others wait for this thread.
        let written = spawn_blocking(move || append(&path, reopen, &file, &lines)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| format!("{}: {error}", self.path))
    }
}

fn append(path: &str, reopen: bool, file: &Mutex<Option<File>>, lines: &[Bytes]) -> io::Result<()> {
    let mut kept = file.lock().unwrap_or_else(PoisonError::into_inner);
    let mut file = match kept.take() {
        Some(file) if !reopen => file,
        _ => OpenOptions::new().create(true).append(true).open(path)?,
    };
    write_lines(&mut file, lines)?;
    *kept = Some(file);
    Ok(())
}

/// As many at a time as the system takes, none in two pieces unless the disk is full: others who append to the file do not
/// come between.
fn write_lines(out: &mut impl Write, lines: &[Bytes]) -> io::Result<()> {
    let pieces = lines.iter().flat_map(|line| [IoSlice::new(line), IoSlice::new(b"\n")]);
    let mut pieces: Vec<_> = pieces.collect();
    let mut rest = &mut pieces[..];
    while !rest.is_empty() {
        match out.write_vectored(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut rest, count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Takes so many bytes at a time.
    struct Slow(Vec<u8>, usize);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.1);
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_are_written_however_little_is_taken_at_a_time() {
        let lines = ["one".into(), "".into(), "three".into()];
        for most in [1, 2, 100] {
            let mut out = Slow(Vec::new(), most);
            write_lines(&mut out, &lines).unwrap();
            assert_eq!(out.0, b"one\n\nthree\n");
        }
        assert_eq!(write_lines(&mut Slow(Vec::new(), 0), &lines).unwrap_err().kind(), ErrorKind::WriteZero);
    }

    /// More pieces than the system takes in one call.
    #[test]
    fn a_large_batch_is_written_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let lines: Vec<Bytes> = (0..1000).map(|number| number.to_string().into()).collect();
        append(path.to_str().unwrap(), false, &Mutex::default(), &lines).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1000);
    }

    #[test]
    fn a_file_is_opened_anew_where_that_is_wanted() {
        let directory = tempfile::tempdir().unwrap();
        for reopen in [true, false] {
            let (path, moved) = (directory.path().join("log"), directory.path().join("moved"));
            let kept = Mutex::default();
            let path_text = path.to_str().unwrap();
            append(path_text, reopen, &kept, &["1".into()]).unwrap();
            fs::rename(&path, &moved).unwrap();
            append(path_text, reopen, &kept, &["2".into()]).unwrap();
            assert_eq!(fs::read_to_string(&moved).unwrap(), if reopen { "1\n" } else { "1\n2\n" });
            assert_eq!(path.exists(), reopen);
            let _ = fs::remove_file(path);
        }
    }
}
