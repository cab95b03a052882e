//! Records as lines of a file (bundled-plugins.md, section 7).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

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
    async fn send(&self, batch: &[String]) -> Result<(), String> {
        let mut lines = batch.join("\n");
        lines.push('\n');
        let (path, reopen, file) = (self.path.clone(), self.reopen, self.file.clone());
        // A disk may be slow, and others wait for this thread.
        let written = spawn_blocking(move || append(&path, reopen, &file, lines.as_bytes())).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| format!("{}: {error}", self.path))
    }
}

/// In one write, so that others who append to the file do not come between.
fn append(path: &str, reopen: bool, file: &Mutex<Option<File>>, lines: &[u8]) -> io::Result<()> {
    let mut kept = file.lock().unwrap_or_else(PoisonError::into_inner);
    let mut file = match kept.take() {
        Some(file) if !reopen => file,
        _ => OpenOptions::new().create(true).append(true).open(path)?,
    };
    file.write_all(lines)?;
    *kept = Some(file);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_opened_anew_where_that_is_wanted() {
        let directory = tempfile::tempdir().unwrap();
        for reopen in [true, false] {
            let (path, moved) = (directory.path().join("log"), directory.path().join("moved"));
            let kept = Mutex::default();
            let path_text = path.to_str().unwrap();
            append(path_text, reopen, &kept, b"1\n").unwrap();
            fs::rename(&path, &moved).unwrap();
            append(path_text, reopen, &kept, b"2\n").unwrap();
            assert_eq!(fs::read_to_string(&moved).unwrap(), if reopen { "1\n" } else { "1\n2\n" });
            assert_eq!(path.exists(), reopen);
            let _ = fs::remove_file(path);
        }
    }
}
