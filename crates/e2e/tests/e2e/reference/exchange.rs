//! A raw client: sends bytes with pauses and reads answers.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::reference::answers::parse;
use crate::reference::recorded::{Answer, Other};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the connection must stay open behind the last answer to count as kept. Short, because nearly every case
/// waits for it; a close that comes later is missed, and none is seen where there is none.
const KEPT: Duration = Duration::from_millis(40);
/// How long to wait for a close that ought to come.
pub const CLOSES: Duration = Duration::from_secs(1);

pub enum Piece {
    Pause(Duration),
    Bytes(Vec<u8>),
}

/// Sends a request and reads up to `count` answers.
pub fn exchange(to: SocketAddr, pieces: &[Piece], count: usize, closes: bool) -> io::Result<Vec<Answer>> {
    Exchange::make(to, pieces, count)?.end(if closes { CLOSES } else { KEPT })
}

/// A request with its answers, of which it is still to be seen whether the connection ends with the last.
pub struct Exchange {
    answers: Vec<Answer>,
    stream: TcpStream,
    ended: bool,
}

impl Exchange {
    pub fn make(to: SocketAddr, pieces: &[Piece], count: usize) -> io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        for piece in pieces {
            match piece {
                Piece::Pause(time) => thread::sleep(*time),
                // Who breaks off has perhaps answered.
                Piece::Bytes(bytes) if stream.write_all(bytes).is_err() => break,
                Piece::Bytes(_) => {}
            }
        }
        let (answers, ended) = read_answers(&mut stream, count, to_head(pieces));
        Ok(Self { answers, stream, ended })
    }

    /// The answers, the connection having had `patience` to end.
    pub fn end(mut self, patience: Duration) -> io::Result<Vec<Answer>> {
        if let Some(Answer::Message(last)) = self.answers.last_mut() {
            last.closed = self.ended || is_closed(&mut self.stream, patience)?;
        }
        if self.answers.is_empty() {
            self.answers.push(Answer::Other(Other::Nothing));
        }
        Ok(self.answers)
    }
}

/// The answers, and whether the connection ended.
fn read_answers(stream: &mut TcpStream, count: usize, to_head: bool) -> (Vec<Answer>, bool) {
    let (mut answers, mut bytes, mut ended) = (Vec::new(), Vec::new(), false);
    let mut buffer = [0; 65536];
    while answers.len() < count {
        if let Some((answer, length)) = (!bytes.is_empty()).then(|| parse(&bytes, to_head, ended)).flatten() {
            answers.push(answer);
            bytes.drain(..length);
            continue;
        }
        if ended {
            break;
        }
        match stream.read(&mut buffer) {
            Ok(0) => ended = true,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) if is_timeout(&error) => {
                answers.push(Answer::Other(Other::Timeout));
                break;
            }
            Err(_) => ended = true,
        }
    }
    (answers, ended)
}

fn to_head(pieces: &[Piece]) -> bool {
    matches!(pieces.first(), Some(Piece::Bytes(bytes)) if bytes.trim_ascii_start().starts_with(b"HEAD "))
}

fn is_closed(stream: &mut TcpStream, patience: Duration) -> io::Result<bool> {
    stream.set_read_timeout(Some(patience))?;
    Ok(match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => !is_timeout(&error),
    })
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
