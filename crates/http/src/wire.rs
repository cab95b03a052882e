//! A connection with what was read from it and not used, and what is to be written to it.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::buffers;
use polygate_transport::Stream;

pub struct Wire {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    /// Bytes of `input` that were used.
    used: usize,
    output: Vec<u8>,
    /// Bytes of `output` that were written.
    written: usize,
    /// The peer has said that it sends no more.
    ended: bool,
    received: u64,
    sent: u64,
}

impl Wire {
    pub fn new(stream: Box<dyn Stream>) -> Self {
        Self::of(stream, Vec::new())
    }

    /// A connection of which bytes were read before.
    pub fn of(stream: Box<dyn Stream>, unread: Vec<u8>) -> Self {
        Self {
            stream,
            received: unread.len() as u64,
            input: unread,
            used: 0,
            output: Vec::new(),
            written: 0,
            ended: false,
            sent: 0,
        }
    }

    pub fn stream(&self) -> &dyn Stream {
        &*self.stream
    }

    /// What was read and not used.
    pub fn input(&self) -> &[u8] {
        &self.input[self.used..]
    }

    /// Uses up bytes of the input.
    pub fn consume(&mut self, bytes: usize) {
        self.used += bytes;
        if self.used >= self.input.len() {
            buffers::give(std::mem::take(&mut self.input));
            self.used = 0;
        }
    }

    /// Nothing more will come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Bytes read so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes written so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Reads at most `most` bytes more; 0 is the end.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        if self.input.capacity() == 0 {
            ready!(self.stream.poll_read_ready(cx))?;
            self.input = buffers::take();
        }
        if self.used > 0 && self.input.capacity() - self.input.len() < most {
            self.input.drain(..self.used);
            self.used = 0;
        }
        self.input.reserve(most);
        let outcome = pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        match outcome {
            Poll::Ready(Ok(count)) => {
                self.ended = count == 0;
                self.received += count as u64;
                Poll::Ready(Ok(count))
            }
            other => {
                if self.input.is_empty() {
                    self.consume(0);
                }
                other
            }
        }
    }

    /// Where bytes to be written are added.
    pub fn output(&mut self) -> &mut Vec<u8> {
        if self.output.capacity() == 0 {
            self.output = buffers::take();
        }
        &mut self.output
    }

    /// Bytes that are to be written.
    pub fn queued(&self) -> usize {
        self.output.len() - self.written
    }

    pub fn has_output(&self) -> bool {
        self.queued() > 0
    }

    #[cfg(test)]
    pub fn holds_output_buffer(&self) -> bool {
        self.output.capacity() > 0
    }

    /// Writes some of the output; 0 when there is none.
    pub fn poll_write_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.has_output() {
            return Poll::Ready(Ok(0));
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output[self.written..]))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.written += count;
        self.sent += count as u64;
        if !self.has_output() {
            buffers::give(std::mem::take(&mut self.output));
            self.written = 0;
        }
        Poll::Ready(Ok(count))
    }

    /// Writes some of `bytes` past the output, which must be empty.
    pub fn poll_write_direct(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        debug_assert!(!self.has_output());
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.sent += count as u64;
        if count == 0 { Poll::Ready(Err(io::ErrorKind::WriteZero.into())) } else { Poll::Ready(Ok(count)) }
    }

    /// Tells the peer that nothing more will be sent.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Bytes that wait to be written at most, unless one write has more.
const MOST_OUTPUT: usize = 64 * 1024;

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.input().is_empty() {
            let length = self.input().len().min(buffer.remaining());
            buffer.put_slice(&self.input()[..length]);
            self.consume(length);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.received += (buffer.filled().len() - before) as u64;
        Poll::Ready(Ok(()))
    }
}

/// Writes wait for one another until they are flushed, or the next one has no room.
impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.queued() + bytes.len() > MOST_OUTPUT {
            ready!(self.as_mut().poll_flush(cx))?;
        }
        self.output().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.has_output() {
            ready!(self.poll_write_some(cx))?;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Wire::poll_shutdown(&mut self, cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        buffers::give(std::mem::take(&mut self.input));
        buffers::give(std::mem::take(&mut self.output));
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::tests::pipe::{End, pipe};

    fn wire(capacity: usize) -> (End, Wire) {
        let (peer, own) = pipe(capacity);
        (peer, Wire::new(Box::new(own)))
    }

    fn fill(wire: &mut Wire, most: usize) -> Poll<usize> {
        wire.poll_fill(&mut Context::from_waker(Waker::noop()), most).map(Result::unwrap)
    }

    fn send(peer: &mut End, bytes: &[u8]) {
        let mut cx = Context::from_waker(Waker::noop());
        let sent = Pin::new(peer).poll_write(&mut cx, bytes).map(Result::unwrap);
        assert_eq!(sent, Poll::Ready(bytes.len()));
    }

    #[test]
    fn input_is_used_up_from_the_front() {
        let (mut peer, mut wire) = wire(100);
        assert!(fill(&mut wire, 10).is_pending());
        assert_eq!(wire.input.capacity(), 0, "who waits holds no buffer");
        send(&mut peer, b"first second");
        assert_eq!(fill(&mut wire, 100), Poll::Ready(12));
        wire.consume(6);
        assert_eq!(wire.input(), b"second");
        send(&mut peer, b" third");
        assert_eq!(fill(&mut wire, 100), Poll::Ready(6));
        assert_eq!(wire.input(), b"second third");
        wire.consume(12);
        assert_eq!((wire.input(), wire.input.capacity()), (&b""[..], 0));
        drop(peer);
        assert_eq!(fill(&mut wire, 10), Poll::Ready(0));
        assert!(wire.has_ended());
        assert_eq!((fill(&mut wire, 10), wire.received()), (Poll::Ready(0), 18));
    }

    /// However much is read without an end, the buffer does not grow with what was used up.
    #[test]
    fn a_long_stream_needs_one_buffer() {
        let (mut peer, mut wire) = wire(1000);
        send(&mut peer, b"x");
        assert!(fill(&mut wire, 1000).is_ready());
        for _ in 0..1000 {
            send(&mut peer, &[b'x'; 1000]);
            assert_eq!(fill(&mut wire, 1000), Poll::Ready(1000));
            wire.consume(1000);
        }
        assert_eq!(wire.input().len(), 1);
        assert!(wire.input.capacity() < 4 * buffers::SIZE, "{}", wire.input.capacity());
    }

    #[test]
    fn what_was_read_before_counts() {
        let (mut peer, own) = pipe(100);
        let mut wire = Wire::of(Box::new(own), b"GET".to_vec());
        assert_eq!((wire.input(), wire.received()), (&b"GET"[..], 3));
        send(&mut peer, b" /");
        assert_eq!(fill(&mut wire, 10), Poll::Ready(2));
        assert_eq!((wire.input(), wire.received()), (&b"GET /"[..], 5));
    }

    #[test]
    fn output_goes_in_pieces() {
        let (peer, mut wire) = wire(4);
        let cx = &mut Context::from_waker(Waker::noop());
        wire.output().extend_from_slice(b"abcdef");
        assert!(matches!(wire.poll_write_some(cx), Poll::Ready(Ok(4))));
        assert_eq!((wire.queued(), wire.sent()), (2, 4));
        assert!(wire.poll_write_some(cx).is_pending());
        wire.output().extend_from_slice(b"gh");
        assert_eq!(wire.queued(), 4);
        drop(peer);
        assert!(
            matches!(wire.poll_write_some(cx), Poll::Ready(Err(_))),
            "it was reset with what it had not read"
        );
    }

    #[test]
    fn writes_wait_for_one_another_and_then_for_the_peer() {
        let (_peer, mut wire) = wire(10);
        let cx = &mut Context::from_waker(Waker::noop());
        let mut written = 0;
        while Pin::new(&mut wire).poll_write(cx, &[b'x'; 1000]).is_ready() {
            written += 1000;
            assert_eq!(wire.queued(), written);
        }
        assert_eq!((written, wire.queued()), (65_000, 64_990));
    }
}
