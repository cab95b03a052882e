//! An upstream for bodies of any length: it counts what comes and makes up what it sends, so that its memory is no
//! part of a run.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// The header with the length of the body to answer with. Without it the answer is the length of the request's body.
pub const SEND: &str = "X-Send";
/// The header with the milliseconds to wait before the answer.
pub const WAIT: &str = "X-Wait";

/// Bytes sent at a time.
const PIECE: usize = 64 * 1024;

/// A running upstream; its listener lives as long as the process.
pub struct Sink(SocketAddr);

/// What a request's head says, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Head {
    length: u64,
    is_chunked: bool,
    send: Option<u64>,
    wait: u64,
}

impl Sink {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound listener has an address");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection ends with an error when the gateway closes it: nobody is left to be told.
                thread::spawn(move || drop(serve(stream)));
            }
        });
        Self(address)
    }

    pub fn address(&self) -> SocketAddr {
        self.0
    }
}

fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(head) = read_head(&mut stream)? {
        let received = match head.is_chunked {
            true => read_chunks(&mut stream)?,
            false => skip(&mut stream, head.length)?,
        };
        thread::sleep(Duration::from_millis(head.wait));
        answer(stream.get_mut(), head.send, received)?;
    }
    Ok(())
}

/// `None` at the connection's end.
fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut head = Head::default();
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(Some(head)) };
        let number = || value.trim().parse::<u64>().map_err(io::Error::other);
        match name {
            _ if name.eq_ignore_ascii_case("Content-Length") => head.length = number()?,
            _ if name.eq_ignore_ascii_case("Transfer-Encoding") => head.is_chunked = true,
            _ if name.eq_ignore_ascii_case(SEND) => head.send = Some(number()?),
            _ if name.eq_ignore_ascii_case(WAIT) => head.wait = number()?,
            _ => {}
        }
    }
}

/// The length of the content.
fn read_chunks(stream: &mut impl BufRead) -> io::Result<u64> {
    let mut received = 0;
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
        received += skip(stream, size)?;
        line.clear();
        stream.read_line(&mut line)?;
        if size == 0 {
            return Ok(received);
        }
    }
}

fn skip(stream: &mut impl BufRead, length: u64) -> io::Result<u64> {
    match io::copy(&mut stream.take(length), &mut io::sink())? {
        all if all == length => Ok(length),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn answer(stream: &mut TcpStream, send: Option<u64>, received: u64) -> io::Result<()> {
    let text = received.to_string();
    let length = send.unwrap_or(text.len() as u64);
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")?;
    let Some(mut left) = send else { return stream.write_all(text.as_bytes()) };
    let piece = [b's'; PIECE];
    while left > 0 {
        let count = left.min(PIECE as u64);
        stream.write_all(&piece[..count as usize])?;
        left -= count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use polygate_testkit::Request;

    use super::*;

    #[test]
    fn bodies_are_counted_and_made_up() {
        let to = Sink::start().address();
        assert_eq!(Request::post("/", vec![b'a'; PIECE + 1]).send(to).text(), (PIECE + 1).to_string());
        let chunked =
            Request::post("/", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").header("Transfer-Encoding", "chunked");
        assert_eq!(chunked.send(to).text(), "5");
        assert_eq!(Request::get("/").header(SEND, "70000").header(WAIT, "1").send(to).body.len(), 70_000);
    }
}
