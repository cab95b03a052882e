//! A request's body on its way to the upstream.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use polygate_chain::body::SpooledFile;
use polygate_chain::{BodyError, BodySource, HeldBody, RequestBody};
use polygate_http1::write;
use polygate_net::clock::Clock;

use crate::streams::poll_room;
use crate::wire::Wire;

/// Bytes up to which a body goes out together with the head.
const TOGETHER: usize = 16 * 1024;
const PIECE: usize = 64 * 1024;

/// What is still to be sent behind a head.
#[derive(Default)]
pub struct Upload {
    source: Source,
    /// The whole body, if it can be sent again.
    held: Option<HeldBody>,
    /// Bytes of the body were taken from a source that gives them once, and are gone.
    has_consumed: bool,
    /// Over HTTP/2: what was taken from such a source, while it is little; what of it is to be sent again; and the piece that
    /// is sent now.
    taken: Vec<Bytes>,
    again: VecDeque<Bytes>,
    piece: Bytes,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Progress {
    #[default]
    Sending,
    Sent,
    /// The upstream takes no more.
    Broken,
}

#[derive(Default)]
enum Source {
    Memory {
        bytes: Bytes,
        at: usize,
    },
    File {
        file: Arc<SpooledFile>,
        at: u64,
    },
    Stream {
        source: Box<dyn BodySource>,
        is_chunked: bool,
    },
    #[default]
    Ended,
}

pub enum UploadError {
    Body(BodyError),
    TimedOut,
}

impl Upload {
    /// A body that was not read yet is sent as it comes, chunked when its length is not known; any other can be sent as
    /// often as need be.
    pub fn of(body: &mut RequestBody) -> Self {
        match body.take_stream() {
            Some(source) => {
                let is_chunked = source.remaining().is_none();
                Self { source: Source::Stream { source, is_chunked }, ..Self::default() }
            }
            None => {
                let held = body.held().cloned();
                Self { source: Source::of(held.as_ref()), held, ..Self::default() }
            }
        }
    }

    /// Everything was written.
    pub fn is_finished(&self) -> bool {
        self.progress == Progress::Sent
    }

    /// Nothing more will be written.
    pub fn is_over(&self) -> bool {
        self.progress != Progress::Sending
    }

    /// Sends no more.
    pub fn give_up(&mut self) {
        self.progress = Progress::Broken;
    }

    /// Begins again at the front, for another try; `false` when what was sent cannot be had again.
    pub fn rewind(&mut self) -> bool {
        if self.has_consumed {
            return false;
        }
        self.progress = Progress::Sending;
        self.piece = Bytes::new();
        self.again = self.taken.iter().cloned().collect();
        if self.held.is_some() {
            self.source = Source::of(self.held.as_ref());
        }
        true
    }

    /// There is nothing to send.
    pub fn is_empty(&self) -> bool {
        matches!(self.source, Source::Ended) && self.taken.is_empty()
    }

    /// Nothing had to be sent.
    pub fn finish(&mut self) {
        self.progress = Progress::Sent;
    }

    /// Sends the body over a stream of HTTP/2, as [`Upload::poll`] does over a wire.
    pub fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut SendStream<Bytes>,
        clock: &mut Clock,
        patience: Duration,
    ) -> Poll<Result<(), UploadError>> {
        loop {
            if !self.piece.is_empty() {
                let count = match poll_room(cx, stream, self.piece.len()) {
                    Poll::Ready(Ok(count)) => count,
                    Poll::Ready(Err(_)) => {
                        // It may have said why; what there is to read from it tells.
                        self.progress = Progress::Broken;
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Pending => {
                        ready!(clock.poll_within(cx, patience));
                        return Poll::Ready(Err(UploadError::TimedOut));
                    }
                };
                clock.stop();
                // An error is that of the stream, which shows in the answer.
                let _ = stream.send_data(self.piece.split_to(count), false);
                continue;
            }
            clock.stop();
            if let Some(piece) = self.again.pop_front() {
                self.piece = piece;
                continue;
            }
            self.piece = match &mut self.source {
                Source::Memory { bytes, at } => bytes.slice(std::mem::replace(at, bytes.len())..),
                Source::File { file, at } if *at < file.len() => {
                    let mut piece = vec![0; PIECE];
                    let count = read_file(file, at, &mut piece)?;
                    piece.truncate(count);
                    piece.into()
                }
                Source::File { .. } => Bytes::new(),
                Source::Stream { source, .. } => {
                    match ready!(source.poll_data(cx)).map_err(UploadError::Body)? {
                        Some(piece) if piece.is_empty() => continue,
                        Some(piece) => {
                            self.keep(&piece);
                            piece
                        }
                        None => Bytes::new(),
                    }
                }
                Source::Ended => Bytes::new(),
            };
            if self.piece.is_empty() {
                self.source = Source::Ended;
                let _ = stream.send_data(Bytes::new(), true);
                self.progress = Progress::Sent;
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Keeps a piece for another try, unless it becomes too much: most calls are short.
    fn keep(&mut self, piece: &Bytes) {
        let kept: usize = self.taken.iter().map(Bytes::len).sum();
        if self.has_consumed || kept + piece.len() > PIECE {
            self.has_consumed = true;
            self.taken.clear();
        } else {
            self.taken.push(piece.clone());
        }
    }

    /// Writes the wire's output, then the body. `patience` is the longest pause between two writes; the time that the
    /// client takes for its part does not count.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut Wire,
        clock: &mut Clock,
        patience: Duration,
    ) -> Poll<Result<(), UploadError>> {
        loop {
            if let Source::Memory { bytes, at: at @ 0 } = &mut self.source
                && wire.output().len() + bytes.len() <= TOGETHER
            {
                wire.output().extend_from_slice(bytes);
                *at = bytes.len();
            }
            let outcome = match &mut self.source {
                _ if wire.has_output() => wire.poll_write_some(cx),
                Source::Memory { bytes, at } if *at < bytes.len() => {
                    wire.poll_write_direct(cx, &bytes[*at..]).map_ok(|count| {
                        *at += count;
                        count
                    })
                }
                Source::File { file, at } if *at < file.len() => {
                    fill_from_file(file, at, wire)?;
                    continue;
                }
                Source::Stream { source, is_chunked } => {
                    clock.stop();
                    let piece = ready!(source.poll_data(cx)).map_err(UploadError::Body)?;
                    self.has_consumed = true;
                    let is_chunked = *is_chunked;
                    if piece.is_none() {
                        self.source = Source::Ended;
                    }
                    frame(wire, piece.as_deref(), is_chunked);
                    continue;
                }
                _ => {
                    clock.stop();
                    self.progress = Progress::Sent;
                    return Poll::Ready(Ok(()));
                }
            };
            match outcome {
                Poll::Ready(Ok(_)) => clock.stop(),
                Poll::Ready(Err(_)) => {
                    // It may have said why; what there is to read from it tells.
                    clock.stop();
                    self.progress = Progress::Broken;
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending => {
                    ready!(clock.poll_within(cx, patience));
                    return Poll::Ready(Err(UploadError::TimedOut));
                }
            }
        }
    }
}

impl Source {
    fn of(body: Option<&HeldBody>) -> Self {
        match body {
            None => Self::Ended,
            Some(HeldBody::Memory(bytes)) if bytes.is_empty() => Self::Ended,
            Some(HeldBody::Memory(bytes)) => Self::Memory { bytes: bytes.clone(), at: 0 },
            Some(HeldBody::File(file)) => Self::File { file: file.clone(), at: 0 },
        }
    }
}

fn fill_from_file(file: &SpooledFile, at: &mut u64, wire: &mut Wire) -> Result<(), UploadError> {
    let output = wire.output();
    let start = output.len();
    output.resize(start + PIECE, 0);
    let count = read_file(file, at, &mut output[start..])?;
    output.truncate(start + count);
    Ok(())
}

fn read_file(file: &SpooledFile, at: &mut u64, piece: &mut [u8]) -> Result<usize, UploadError> {
    let unkept = |error: io::Error| UploadError::Body(BodyError::Unkept(error.into()));
    let count = file.read_at(piece, *at).map_err(unkept)?;
    *at += count as u64;
    if count == 0 { Err(unkept(io::ErrorKind::UnexpectedEof.into())) } else { Ok(count) }
}

/// Adds a piece of a body, or its end. Where there is nothing to add no buffer is taken: the connection may lie idle
/// with it.
fn frame(wire: &mut Wire, piece: Option<&[u8]>, is_chunked: bool) {
    match piece {
        Some([]) => {}
        Some(piece) if is_chunked => {
            let out = wire.output();
            write::chunk_start(out, piece.len());
            out.extend_from_slice(piece);
            out.extend_from_slice(write::CHUNK_END);
        }
        Some(piece) => wire.output().extend_from_slice(piece),
        None if is_chunked => wire.output().extend_from_slice(write::LAST_CHUNK),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::pipe::pipe;

    /// Three bytes, then the end.
    struct Short(bool);

    impl BodySource for Short {
        fn poll_data(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
            let piece = (!std::mem::replace(&mut self.0, true)).then(|| Bytes::from_static(b"abc"));
            Poll::Ready(Ok(piece))
        }

        fn remaining(&self) -> Option<u64> {
            Some(3)
        }
    }

    #[test]
    fn a_body_that_was_sent_leaves_no_buffer() {
        for is_chunked in [false, true] {
            let (near, _far) = pipe(1000);
            let mut wire = Wire::new(Box::new(near));
            let source = Source::Stream { source: Box::new(Short(false)), is_chunked };
            let mut upload = Upload { source, ..Upload::default() };
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let sent = upload.poll(&mut cx, &mut wire, &mut Clock::new(), Duration::ZERO);
            assert!(matches!(sent, Poll::Ready(Ok(()))), "chunked: {is_chunked}");
            assert!(!wire.holds_output_buffer(), "chunked: {is_chunked}");
        }
    }
}
