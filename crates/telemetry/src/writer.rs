//! Log lines written in batches by a thread of their own, for logs that get a line with every request.
//!
//! Who has a line puts it into a buffer of its own thread, which costs a copy and no system call; a full one
//! loses lines, which are counted, rather than making requests wait for a disk. The thread takes what all buffers
//! have and writes it with one call. It is woken for a line only when it has slept because there were none:
//! after each batch it rests for a moment, so that lines of busy times come together.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::file::LogFile;
use crate::log;

/// After a batch, before the next one.
const REST: Duration = Duration::from_millis(20);
/// Bytes in one buffer that are written without waiting for the end of the rest.
const BATCH: usize = 64 * 1024;
/// Bytes in one buffer, beyond which lines are lost.
const LIMIT: usize = 4 * 1024 * 1024;

/// A log file and the thread that writes it.
pub struct LogWriter {
    shared: Arc<Shared>,
    thread: Thread,
    /// Nothing is ever sent: it closes when the thread ends.
    ended: Mutex<Receiver<()>>,
}

/// What one thread puts its lines into. Others may use it too, but have to wait for one another.
#[derive(Clone)]
pub struct LogBuffer {
    lines: Arc<Mutex<Lines>>,
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    file: LogFile,
    buffers: Mutex<Vec<Arc<Mutex<Lines>>>>,
    /// Lines that were not written.
    lost: AtomicU64,
    /// The thread found nothing and sleeps until it is woken.
    is_idle: AtomicBool,
    is_closing: AtomicBool,
    wants_reopen: AtomicBool,
}

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// The thread has taken the last it will take.
    is_closed: bool,
}

impl LogWriter {
    /// Opens or creates `path`, for appending, and starts the thread.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            file: LogFile::open(path)?,
            buffers: Mutex::default(),
            lost: AtomicU64::new(0),
            is_idle: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            wants_reopen: AtomicBool::new(false),
        });
        let (alive, ended) = channel();
        let writing = thread::Builder::new().name("log-writer".to_owned()).spawn({
            let shared = shared.clone();
            move || shared.write(alive)
        })?;
        Ok(Self { shared, thread: writing.thread().clone(), ended: Mutex::new(ended) })
    }

    /// A new buffer; each thread should have its own.
    pub fn buffer(&self) -> LogBuffer {
        let lines = Arc::<Mutex<Lines>>::default();
        locked(&self.shared.buffers).push(lines.clone());
        LogBuffer { lines, shared: self.shared.clone(), thread: self.thread.clone() }
    }

    /// Has the path opened again, as after a rotation. Lines that were put into buffers before go to the old file.
    pub fn reopen(&self) {
        self.shared.wants_reopen.store(true, Ordering::Release);
        self.thread.unpark();
    }

    pub fn path(&self) -> &Path {
        self.shared.file.path()
    }

    /// How many lines were lost, to full buffers or because the file cannot be written.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Writes what is there and ends the thread; later lines are lost. Whether all was written within `patience`:
    /// a pipe that nobody reads may take for ever.
    pub fn close(&self, patience: Duration) -> bool {
        self.shared.is_closing.store(true, Ordering::Release);
        self.thread.unpark();
        locked(&self.ended).recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

impl Drop for LogWriter {
    /// Ends the thread, without waiting for it.
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}

impl LogBuffer {
    /// Takes one line, which must end with a line feed.
    pub fn write(&self, line: &[u8]) {
        self.append(|lines| lines.extend_from_slice(line));
    }

    /// Has `write` append one line, which must end with a line feed, to those that are there.
    pub fn append(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut lines = locked(&self.lines);
        if lines.is_closed || lines.bytes.len() >= LIMIT {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let before = lines.bytes.len();
        write(&mut lines.bytes);
        let fills_batch = before < BATCH && lines.bytes.len() >= BATCH;
        drop(lines);
        // The thread says that it is idle before it looks into the buffers a last time. It looks under the lock
        // that was just released: so either it found this line or its word is seen here.
        let idle = &self.shared.is_idle;
        if fills_batch || (idle.load(Ordering::Relaxed) && idle.swap(false, Ordering::Relaxed)) {
            self.thread.unpark();
        }
    }
}

impl Shared {
    /// The life of the thread.
    fn write(&self, _alive: Sender<()>) {
        let mut batch = Vec::new();
        let mut is_failing = false;
        loop {
            // Asked before the buffers are emptied: what was in them by then belongs to the old file, or to the end.
            let is_closing = self.is_closing.load(Ordering::Acquire);
            let wants_reopen = self.wants_reopen.swap(false, Ordering::Acquire);
            self.take(&mut batch, is_closing);
            let is_busy = !batch.is_empty();
            if is_busy {
                self.put(&mut batch, &mut is_failing);
            }
            if wants_reopen && let Err(error) = self.file.reopen() {
                let path = self.file.path().display();
                log!(Error, "could not reopen {path}, going on with the old one: {error}");
            }
            match (is_closing, is_busy) {
                (true, _) => return,
                (false, true) => thread::park_timeout(REST),
                (false, false) => self.sleep(),
            }
        }
    }

    /// Until there is something to do.
    fn sleep(&self) {
        self.is_idle.store(true, Ordering::Relaxed);
        let is_empty = locked(&self.buffers).iter().all(|lines| locked(lines).bytes.is_empty());
        if is_empty && !self.is_closing.load(Ordering::Acquire) && !self.wants_reopen.load(Ordering::Acquire)
        {
            // A wake-up in between is not lost: it ends the next park.
            thread::park();
        }
        self.is_idle.store(false, Ordering::Relaxed);
    }

    /// Moves the lines of all buffers to `batch`.
    fn take(&self, batch: &mut Vec<u8>, is_closing: bool) {
        locked(&self.buffers).retain(|lines| {
            // Whoever had it is gone, so nothing comes any more.
            let is_last = Arc::strong_count(lines) == 1;
            let mut lines = locked(lines);
            lines.is_closed = is_closing;
            batch.append(&mut lines.bytes);
            // What one bad moment took is given back.
            lines.bytes.shrink_to(2 * BATCH);
            !is_last
        });
    }

    fn put(&self, batch: &mut Vec<u8>, is_failing: &mut bool) {
        match self.file.write(batch) {
            Ok(()) => *is_failing = false,
            Err(error) => {
                let count = batch.iter().filter(|byte| **byte == b'\n').count();
                self.lost.fetch_add(count as u64, Ordering::Relaxed);
                if !std::mem::replace(is_failing, true) {
                    let path = self.file.path().display();
                    log!(Error, "could not write {path}, its lines are lost: {error}");
                }
            }
        }
        batch.clear();
        batch.shrink_to(2 * BATCH);
    }
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogWriter").field(&self.shared.file).finish()
    }
}

impl fmt::Debug for LogBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogBuffer").field(&self.shared.file).finish()
    }
}

/// What is behind it is whole even if somebody panicked: lines are only ever appended.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
