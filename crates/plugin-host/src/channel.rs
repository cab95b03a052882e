//! A connection to a plugin server: bytes both ways, whatever they mean.
//!
//! Writing and reading can be stopped and gone on with at any await.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use bytes::BytesMut;
use polygate_chain::SpooledFile;
use rustix::process::{DumpableBehavior, dumpable_behavior, geteuid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: UnixStream,
    /// What was received and not taken yet.
    pub input: BytesMut,
    /// What is to be sent.
    pub output: BytesMut,
    /// How much of it was.
    sent: usize,
    /// A file whose content goes out after that.
    tail: Option<Tail>,
    is_broken: bool,
    /// The process that listens on the socket, as the kernel knows it.
    pid: Option<u32>,
    /// Whose process that is.
    user: u32,
}

/// What of a file is still to be sent.
#[derive(Debug)]
struct Tail {
    file: Arc<SpooledFile>,
    offset: u64,
}

/// Bytes of a file that are in memory at a time, and of a buffer that is kept for the next call.
const PIECE: usize = 64 * 1024;

/// Room for what comes next; most messages are much smaller.
const READ: usize = 4096;

/// The largest content that a frame has room for: lengths have 32 bits, and the frame's own parts need a few bytes.
pub(crate) const LARGEST_CONTENT: u64 = u32::MAX as u64 - 1024;

/// A call that got no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the server closed the connection")]
    Closed,
    /// It did so without reading what was sent last: the kernel tells that from an orderly end.
    #[error("the server closed the connection before it read the call")]
    Reset,
    #[error("connection: {0}")]
    Io(io::Error),
    #[error("{0}")]
    Protocol(String),
    /// The server's own words.
    #[error("{0}")]
    Remote(String),
}

impl CallError {
    /// Whether the server went away, rather than answering.
    pub(crate) fn is_disconnect(&self) -> bool {
        matches!(self, Self::Closed | Self::Reset | Self::Io(_))
    }
}

impl Channel {
    pub(crate) async fn open(path: &Path) -> io::Result<Self> {
        let socket = UnixStream::connect(path).await?;
        let peer = socket.peer_cred()?;
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
        Ok(Self {
            socket,
            input: BytesMut::new(),
            output: BytesMut::new(),
            sent: 0,
            tail: None,
            is_broken: false,
            pid: pid.filter(|pid| *pid != 0),
            user: peer.uid(),
        })
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    pub(crate) fn user(&self) -> u32 {
        self.user
    }

    /// Nothing more can be read from it.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// It is of no further use, for a reason that is no failure.
    pub(crate) fn give_up(&mut self) {
        self.is_broken = true;
    }

    /// Waits until the server closes the connection, which must be idle.
    pub(crate) async fn closed(&mut self) {
        while self.fill().await.is_ok() {
            // Only a notification may arrive now, and its time has passed.
            self.input.clear();
        }
    }

    /// Whether an idle connection can carry another call: it was not closed, and the server said no
    /// more than it was asked. Costs no system call while nothing happened.
    pub(crate) fn is_alive(&mut self) -> bool {
        let mut byte = [0];
        self.input.is_empty()
            && matches!(self.socket.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether the server can open files of this process by their paths: it sees the same processes, is of the same
    /// user or root, and this process hides nothing from its user, as those with capabilities of their own do.
    pub(crate) fn shares_files(&self) -> bool {
        let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/pid")).ok();
        let is_ours = self.user == 0 || self.user == geteuid().as_raw();
        is_ours
            && dumpable_behavior().is_ok_and(|it| it == DumpableBehavior::Dumpable)
            && self
                .pid
                .and_then(|pid| namespace(&pid.to_string()))
                .is_some_and(|it| namespace("self") == Some(it))
    }

    /// Sends the output.
    pub(crate) async fn flush(&mut self) -> Result<(), CallError> {
        loop {
            while self.sent < self.output.len() {
                match self.socket.write(&self.output[self.sent..]).await {
                    Ok(count) => self.sent += count,
                    Err(error) => return Err(self.fail(error)),
                }
            }
            self.sent = 0;
            empty(&mut self.output);
            match self.load() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // The frame cannot be completed any more.
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    /// Has the content of a file follow what was written.
    pub(crate) fn send_file(&mut self, file: Arc<SpooledFile>) {
        self.tail = Some(Tail { file, offset: 0 });
    }

    /// Puts the next piece of the file into the empty output; answers whether there was one.
    fn load(&mut self) -> io::Result<bool> {
        let Some(tail) = &mut self.tail else { return Ok(false) };
        let left = tail.file.len() - tail.offset;
        if left == 0 {
            self.tail = None;
            return Ok(false);
        }
        self.output.resize(PIECE.min(usize::try_from(left).unwrap_or(PIECE)), 0);
        let count = tail.file.read_at(&mut self.output, tail.offset)?;
        self.output.truncate(count);
        tail.offset += count as u64;
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(true) }
    }

    /// Reads more input.
    pub(crate) async fn fill(&mut self) -> Result<(), CallError> {
        if self.input.is_empty() {
            empty(&mut self.input);
        }
        // Once nobody holds the messages before, their place is used again.
        self.input.reserve(READ);
        match self.socket.read_buf(&mut self.input).await {
            Ok(0) => {
                self.is_broken = true;
                Err(CallError::Closed)
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// A write to a server that went away fails; a read does when the server left something unread
    /// (unix(7): the close of a socket with unread data resets the connection).
    fn fail(&mut self, error: io::Error) -> CallError {
        self.is_broken = true;
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => CallError::Reset,
            _ => CallError::Io(error),
        }
    }

    /// What the server sent means nothing, and neither does what follows.
    pub(crate) fn refuse(&mut self, why: impl ToString) -> CallError {
        self.is_broken = true;
        CallError::Protocol(why.to_string())
    }
}

/// A large message must not leave a large buffer with an idle connection.
fn empty(buffer: &mut BytesMut) {
    if buffer.capacity() > PIECE {
        *buffer = BytesMut::new();
    } else {
        buffer.clear();
    }
}
