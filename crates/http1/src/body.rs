//! The content of a message in the bytes that follow its head.

use crate::framing::Framing;
use crate::head::{Fields, Names};
use crate::headers::{Headers, is_value};
use crate::rules::Fault;

/// What [`Decoder::advance`] found at the front of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of framing, to be thrown away.
    pub skip: usize,
    /// Bytes of content behind them.
    pub content: usize,
}

/// Finds the content of one body. Knows nothing of buffers: it is shown bytes and says which of them to take.
#[derive(Debug, Clone)]
pub struct Decoder {
    state: State,
    /// Most bodies have none.
    trailers: Option<Box<Fields>>,
}

#[derive(Debug, Clone)]
enum State {
    Length(u64),
    UntilClose,
    /// The size of the next chunk, as far as it was read.
    Size {
        size: u64,
        digits: u8,
    },
    /// What may follow a size on its line. It is not looked at, but that it is behind a semicolon.
    Extension {
        size: u64,
        length: usize,
        begun: bool,
    },
    /// The LF behind a size.
    SizeLf {
        size: u64,
    },
    Chunk(u64),
    /// CR and LF behind the content of a chunk.
    ChunkCr,
    ChunkLf,
    /// A line behind the last chunk, as far as it was read; bytes of all such lines.
    Trailer {
        line: Vec<u8>,
        total: usize,
    },
    Done,
}

/// With the blanks and semicolons in front of it.
const LONGEST_EXTENSION: usize = 4 * 1024;
/// With the empty line behind them.
const LONGEST_TRAILERS: usize = 8 * 1024;
/// So that a size never passes what a length can say.
const MOST_DIGITS: u8 = 15;

impl Decoder {
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size { size: 0, digits: 0 },
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, trailers: None }
    }

    /// The body has come to its end. One that goes on until the connection ends never says so.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether the end of the connection is the end of the body, rather than a break.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    /// Bytes of content that are still to come, if that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// Bytes of content that are still to come for certain.
    pub fn announced(&self) -> u64 {
        match self.state {
            State::Length(left) | State::Chunk(left) => left,
            _ => 0,
        }
    }

    /// The trailers of a chunked body (RFC 9112, section 7.1.2), once it is done, if it has any.
    pub fn trailers(&self) -> Option<&Headers> {
        self.trailers.as_ref().map(|fields| &fields.headers)
    }

    /// Looks at `input` up to the end of the first run of content in it. What the answer names is taken: the next call
    /// is to be shown what follows. Without content and without an end, all of `input` was framing.
    pub fn advance(&mut self, input: &[u8]) -> Result<Progress, Fault> {
        let mut skip = 0;
        loop {
            let rest = &input[skip..];
            match &mut self.state {
                State::Done => return Ok(Progress { skip, content: 0 }),
                _ if rest.is_empty() => return Ok(Progress { skip, content: 0 }),
                State::UntilClose => return Ok(Progress { skip, content: rest.len() }),
                State::Length(left) => {
                    let content = take(left, rest);
                    if *left == 0 {
                        self.state = State::Done;
                    }
                    return Ok(Progress { skip, content });
                }
                State::Chunk(left) => {
                    let content = take(left, rest);
                    if *left == 0 {
                        self.state = State::ChunkCr;
                    }
                    return Ok(Progress { skip, content });
                }
                _ => self.framing_byte(rest[0])?,
            }
            skip += 1;
        }
    }

    fn framing_byte(&mut self, byte: u8) -> Result<(), Fault> {
        self.state = match &mut self.state {
            State::Size { size, digits } => match (char::from(byte).to_digit(16), byte) {
                (Some(digit), _) if *digits < MOST_DIGITS => {
                    State::Size { size: *size << 4 | u64::from(digit), digits: *digits + 1 }
                }
                (None, b'\r') if *digits > 0 => State::SizeLf { size: *size },
                (None, b';' | b' ' | b'\t') if *digits > 0 => {
                    State::Extension { size: *size, length: 1, begun: byte == b';' }
                }
                _ => return Err(Fault::ChunkSize),
            },
            State::Extension { size, .. } if byte == b'\r' => State::SizeLf { size: *size },
            State::Extension { size, length, begun }
                if *length < LONGEST_EXTENSION
                    && (*begun || matches!(byte, b';' | b' ' | b'\t'))
                    && is_value(&[byte]) =>
            {
                State::Extension { size: *size, length: *length + 1, begun: *begun || byte == b';' }
            }
            State::SizeLf { size: 0 } if byte == b'\n' => State::Trailer { line: Vec::new(), total: 0 },
            State::SizeLf { size } if byte == b'\n' => State::Chunk(*size),
            State::ChunkCr if byte == b'\r' => State::ChunkLf,
            State::ChunkLf if byte == b'\n' => State::Size { size: 0, digits: 0 },
            State::Trailer { line, total } if *total < LONGEST_TRAILERS => {
                line.push(byte);
                *total += 1;
                if byte != b'\n' {
                    return Ok(());
                }
                let line = std::mem::take(line);
                match line.strip_suffix(b"\r\n").ok_or(Fault::Trailer)? {
                    b"" => State::Done,
                    line => {
                        let trailers = self.trailers.get_or_insert_default();
                        trailers.add(line, Names::Usual).map_err(|_| Fault::Trailer)?;
                        State::Trailer { line: Vec::new(), total: *total }
                    }
                }
            }
            State::Trailer { .. } => return Err(Fault::TrailersTooLarge),
            State::Extension { .. } | State::SizeLf { .. } => return Err(Fault::ChunkSize),
            _ => return Err(Fault::ChunkEnd),
        };
        Ok(())
    }
}

fn take(left: &mut u64, input: &[u8]) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= taken as u64;
    taken
}
