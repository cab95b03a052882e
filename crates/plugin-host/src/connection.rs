//! A connection to a plugin server, and the pool of them that each worker thread keeps.
//!
//! Two rules keep the servers alive: one outstanding request at a time, and never close a connection
//! whose answer is still to come. So reading and writing can be stopped and gone on with at any
//! await, and a [`Lease`] that is dropped in the middle hands its connection to a task that finishes.

mod msgpack;
mod pool;
mod protobuf;

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use bytes::BytesMut;
use polygate_chain::SpooledFile;
use polygate_plugin_proto::{msgpack as messages, protobuf as frames};
use rustix::process::{DumpableBehavior, dumpable_behavior, geteuid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

pub(crate) use msgpack::UNKNOWN_INSTANCE;
pub(crate) use pool::Lease;

/// An open connection. At most one call is under way.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: UnixStream,
    input: BytesMut,
    output: BytesMut,
    /// A file whose content goes out after that.
    tail: Option<Tail>,
    messages: messages::Decoder,
    frames: frames::Decoder,
    next_id: u32,
    /// A request was (or is being) written and its answer is not here yet.
    busy: bool,
    /// Nothing more can be read from it.
    broken: bool,
    /// It said so in the notification that Go servers send.
    is_go: bool,
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

/// Bytes of a file that are in memory at a time.
const PIECE: usize = 64 * 1024;

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

impl Connection {
    pub(crate) async fn open(path: &Path) -> io::Result<Self> {
        let socket = UnixStream::connect(path).await?;
        let peer = socket.peer_cred()?;
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
        Ok(Self {
            socket,
            input: BytesMut::new(),
            output: BytesMut::new(),
            tail: None,
            messages: messages::Decoder::default(),
            frames: frames::Decoder::default(),
            next_id: 0,
            busy: false,
            broken: false,
            is_go: false,
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

    /// Bytes of an answer that is not complete.
    pub(crate) fn incomplete(&self) -> usize {
        self.input.len()
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
    fn is_alive(&mut self) -> bool {
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

    async fn flush(&mut self) -> Result<(), CallError> {
        loop {
            while !self.output.is_empty() {
                if let Err(error) = self.socket.write_buf(&mut self.output).await {
                    return Err(self.fail(error));
                }
            }
            match self.load() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // The frame cannot be completed any more.
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    /// Has the content of a file follow what was written.
    fn send_file(&mut self, file: Arc<SpooledFile>) {
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
    async fn fill(&mut self) -> Result<(), CallError> {
        self.input.reserve(4096);
        match self.socket.read_buf(&mut self.input).await {
            Ok(0) => {
                self.broken = true;
                Err(CallError::Closed)
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// A write to a server that went away fails; a read does when the server left something unread
    /// (unix(7): the close of a socket with unread data resets the connection).
    fn fail(&mut self, error: io::Error) -> CallError {
        self.broken = true;
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => CallError::Reset,
            _ => CallError::Io(error),
        }
    }

    fn refuse(&mut self, why: impl ToString) -> CallError {
        self.broken = true;
        CallError::Protocol(why.to_string())
    }
}
