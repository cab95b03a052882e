//! What a process prints: it goes to the log, the last lines are kept, and handlers that raised are noted.
//!
//! The published JavaScript SDK keeps a handler's exception to itself and tells the gateway that the
//! handler has ended. But it prints a line first, and Node writes to pipes synchronously: when the end
//! of an event arrives, the line is in the pipe. So whoever got the end reads the pipe empty before
//! believing it, on whichever thread that is.
//!
//! The Python SDK lets the exception end the handler's thread or greenlet, of which nothing is left but a
//! traceback: [`Output::traceback`].

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use polygate_chain::Phase;
use polygate_plugin_proto::dump::strip_ansi;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Notify;

use crate::lock::locked;

/// Longer lines are broken up.
const LONGEST_LINE: usize = 16 * 1024;
/// Exceptions that are remembered; more at the same time are a plugin that raises always.
const MOST_RAISED: usize = 1024;

/// In the traceback of a handler that raised, and of no exception that a plugin has caught.
const PYTHON_HANDLER: &str = "in _handler_event_func";

/// The last lines that a server printed, over all its processes.
#[derive(Debug, Default)]
pub(crate) struct OutputTail(Mutex<VecDeque<String>>);

/// One of the two pipes of a process.
#[derive(Debug)]
pub(crate) struct Output {
    pipe: Receiver,
    /// The beginning of a line whose end is not here yet.
    begun: Mutex<BytesMut>,
    tail: Arc<OutputTail>,
    /// Of every line in the log.
    tag: String,
    log: fn(&str, &str),
    /// How many handlers raised so far, and the latest of them.
    count: AtomicU64,
    raised: Mutex<VecDeque<Raised>>,
    traceback: Notify,
    tracebacks: AtomicU64,
}

/// A handler that raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Raised {
    /// What the count was before it.
    number: u64,
    instance: i64,
    phase: Phase,
}

impl Output {
    /// Must be called on the runtime that [`Output::follow`] runs on. `log` gets the tag and a line.
    pub(crate) fn new(
        pipe: OwnedFd,
        tail: Arc<OutputTail>,
        tag: String,
        log: fn(&str, &str),
    ) -> io::Result<Arc<Self>> {
        let pipe = Receiver::from_owned_fd(pipe)?;
        let (begun, raised, traceback) = (Mutex::default(), Mutex::default(), Notify::new());
        let (count, tracebacks) = (0.into(), 0.into());
        Ok(Arc::new(Self { pipe, begun, tail, tag, log, count, raised, traceback, tracebacks }))
    }

    /// Reads until the pipe is closed.
    pub(crate) async fn follow(&self) {
        while self.pipe.readable().await.is_ok() && self.read(|piece| self.pipe.try_read(piece)) {}
    }

    /// A number to ask [`Output::has_raised`] with later.
    pub(crate) fn mark(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Whether a handler of the instance and phase has raised since the mark was taken. It may be that of
    /// another event at the same time: the SDK does not tell them apart.
    pub(crate) fn has_raised(&self, mark: u64, instance: u32, phase: Phase) -> bool {
        // Not through the runtime, which may not have heard of the line yet.
        self.read(|piece| Ok(rustix::io::read(&self.pipe, piece)?));
        self.mark() != mark
            && locked(&self.raised)
                .iter()
                .any(|it| it.number >= mark && it.instance == i64::from(instance) && it.phase == phase)
    }

    /// Waits until a Python handler has raised, unless one did that nobody has waited for.
    pub(crate) async fn traceback(&self) {
        self.traceback.notified().await;
    }

    /// How many Python handlers have raised so far.
    pub(crate) fn tracebacks(&self) -> u64 {
        self.tracebacks.load(Ordering::Acquire)
    }

    /// Takes in everything that was printed so far; whether there may be more.
    fn read(&self, read: impl Fn(&mut [u8]) -> io::Result<usize>) -> bool {
        let mut begun = locked(&self.begun);
        let mut piece = [0; 4096];
        loop {
            match read(&mut piece) {
                Ok(0) => break,
                Ok(n) => begun.extend_from_slice(&piece[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => break,
            }
            while let Some(end) = begun.iter().position(|&byte| byte == b'\n') {
                self.line(&begun.split_to(end + 1));
            }
            if begun.len() > LONGEST_LINE {
                self.line(&begun.split());
            }
        }
        self.line(&begun.split());
        false
    }

    fn line(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = strip_ansi(&text);
        let text = text.trim_end();
        if text.trim_start().is_empty() {
            return;
        }
        if let Some((instance, phase)) = raised(text) {
            let mut raised = locked(&self.raised);
            if raised.len() == MOST_RAISED {
                raised.pop_front();
            }
            let number = self.mark();
            raised.push_back(Raised { number, instance, phase });
            self.count.store(number + 1, Ordering::Release);
        }
        if text.contains(PYTHON_HANDLER) {
            self.tracebacks.fetch_add(1, Ordering::Release);
            self.traceback.notify_one();
        }
        self.tail.push(text);
        (self.log)(&self.tag, text);
    }
}

/// Instance and phase in the line `unhandled exception in <plugin>.<phase> on instance #<id>: <text>`.
fn raised(line: &str) -> Option<(i64, Phase)> {
    let (_, rest) = line.split_once("unhandled exception in ")?;
    let (handler, rest) = rest.split_once(" on instance #")?;
    let (_, phase) = handler.rsplit_once('.')?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((digits.parse().ok()?, phase.parse().ok()?))
}

impl OutputTail {
    const LINES: usize = 100;

    fn push(&self, line: &str) {
        let mut lines = locked(&self.0);
        if lines.len() == Self::LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        locked(&self.0).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn output() -> (Arc<Output>, io::PipeWriter) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let output = Output::new(reader.into(), Arc::default(), "[test]".into(), |_, _| {});
        (output.expect("a pipe can be waited for"), writer)
    }

    #[tokio::test]
    async fn a_handler_that_raised_is_known_as_soon_as_it_is_printed() {
        let (output, mut pipe) = output();
        let mark = output.mark();
        let has_raised = |instance, phase| output.has_raised(mark, instance, phase);
        assert!(!has_raised(7, Phase::Access));
        pipe.write_all(
            "\x1b[33mwarn\x1b[0m unhandled exception in undefined.access on instance #7: x\n".as_bytes(),
        )
        .expect("fits");
        assert!(has_raised(7, Phase::Access));
        assert!(!has_raised(8, Phase::Access) && !has_raised(7, Phase::Log));
        assert!(!output.has_raised(output.mark(), 7, Phase::Access), "it was before the mark");
    }

    #[tokio::test]
    async fn lines_are_kept_without_colours_and_an_unfinished_one_at_the_end() {
        let (output, mut pipe) = output();
        pipe.write_all(b"\x1b[31mred\x1b[0m\r\n\n  indented\nunfini").expect("fits");
        drop(pipe);
        output.follow().await;
        assert_eq!(output.tail.lines(), ["red", "  indented", "unfini"]);
    }
}
