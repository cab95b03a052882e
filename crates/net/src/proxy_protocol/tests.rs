use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::*;

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [V2_START.as_slice(), &[command, family], &length, block].concat()
}

fn addresses(source: &str, destination: &str) -> Option<Addresses> {
    Some(Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() })
}

fn check(bytes: &[u8], expected: Option<Addresses>) {
    let header = Header { addresses: expected, length: bytes.len() };
    let followed = [bytes, b"GET / HTTP/1.1\r\n"].concat();
    assert_eq!(parse(&followed), Ok(Some(header)));
    for cut in 0..bytes.len() {
        assert_eq!(parse(&bytes[..cut]), Ok(None), "{cut} of {} bytes", bytes.len());
    }
}

#[test]
fn version_1_lines_are_read() {
    check(b"PROXY TCP4 10.0.0.1 10.0.0.2 1234 80\r\n", addresses("10.0.0.1:1234", "10.0.0.2:80"));
    check(b"PROXY TCP6 ::1 2001:db8::2 1 65535\r\n", addresses("[::1]:1", "[2001:db8::2]:65535"));
    check(b"PROXY UNKNOWN\r\n", None);
    check(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None);
}

#[test]
fn version_2_headers_are_read() {
    let ipv4 = [10, 0, 0, 1, 10, 0, 0, 2, 4, 210, 0, 80];
    check(&v2(0x21, 0x11, &ipv4), addresses("10.0.0.1:1234", "10.0.0.2:80"));
    let ipv6: Vec<u8> = [Ipv6Addr::LOCALHOST.octets(), [0; 16]].concat();
    check(&v2(0x21, 0x21, &[&ipv6[..], &[0, 1, 0, 2]].concat()), addresses("[::1]:1", "[::]:2"));
    // Extensions follow the addresses, a health check of the balancer has none.
    check(&v2(0x21, 0x11, &[&ipv4[..], &[3, 0, 1, 0]].concat()), addresses("10.0.0.1:1234", "10.0.0.2:80"));
    check(&v2(0x20, 0x00, &[]), None);
    check(&v2(0x21, 0x31, &[0; 216]), None);
}

#[test]
fn other_bytes_are_refused() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "PROXY\r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1234\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1234 80 x\r\n",
        "PROXY TCP4 ::1 ::2 1 2\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 +1 2\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1 \r\n",
        "PROXY  TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY tcp4 10.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n",
    ] {
        assert!(parse(line.as_bytes()).is_err(), "{line}");
    }
    assert_eq!(parse(&[b"PROXY TCP4 ".as_slice(), &[b'1'; 100]].concat()), Err(HeaderError::Line));
    assert_eq!(parse(b"PROXY \xff\r\n"), Err(HeaderError::Line));
    assert_eq!(parse(&v2(0x31, 0x11, &[0; 12])), Err(HeaderError::Command(0x31)));
    assert_eq!(parse(&v2(0x21, 0x11, &[0; 11])), Err(HeaderError::Short(11)));
    assert_eq!(parse(&v2(0x21, 0x11, &[0; 5000])), Err(HeaderError::Long(5016)));
}

/// Gives one piece per read, then the end or an error; counts how often it was asked.
struct Pieces {
    pieces: Vec<Vec<u8>>,
    end: Option<io::ErrorKind>,
    reads: usize,
}

impl Pieces {
    fn new(pieces: &[&[u8]]) -> Self {
        Self { pieces: pieces.iter().rev().map(|piece| piece.to_vec()).collect(), end: None, reads: 0 }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads += 1;
        match (self.pieces.pop(), self.end) {
            (Some(mut piece), _) => {
                let rest = piece.split_off(piece.len().min(buffer.remaining()));
                buffer.put_slice(&piece);
                if !rest.is_empty() {
                    self.pieces.push(rest);
                }
                Poll::Ready(Ok(()))
            }
            (None, Some(kind)) => Poll::Ready(Err(kind.into())),
            (None, None) => Poll::Ready(Ok(())),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
const LINE: &[u8] = b"PROXY TCP4 10.0.0.1 10.0.0.2 1234 80\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[test]
fn a_header_is_read_however_it_is_cut() {
    let block = [10, 0, 0, 1, 10, 0, 0, 2, 4, 210, 0, 80];
    let long = [&block[..], &[4; 4000]].concat();
    for header in [LINE.to_vec(), v2(0x21, 0x11, &block), v2(0x21, 0x11, &long)] {
        let bytes = [&header[..], REQUEST].concat();
        for cut in 1..bytes.len() {
            let mut pieces = Pieces::new(&[&bytes[..cut], &bytes[cut..]]);
            let (found, beyond) = runtime().block_on(read_header(&mut pieces, PATIENCE)).unwrap();
            assert_eq!(found.addresses, addresses("10.0.0.1:1234", "10.0.0.2:80"), "cut at {cut}");
            let rest: Vec<u8> =
                [beyond].into_iter().chain(pieces.pieces.into_iter().rev()).flatten().collect();
            assert_eq!(rest, REQUEST, "cut at {cut}");
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        let mut pieces = Pieces::new(&single);
        let (_, beyond) = runtime().block_on(read_header(&mut pieces, PATIENCE)).unwrap();
        assert!(beyond.is_empty(), "not a byte more than needed is waited for");
        assert_eq!(pieces.reads, header.len());
    }
}

#[test]
fn a_connection_without_a_header_is_told_apart() {
    let read = |mut pieces: Pieces| runtime().block_on(read_header(&mut pieces, PATIENCE)).unwrap_err();
    assert!(matches!(read(Pieces::new(&[])), ReadError::Closed));
    assert!(matches!(read(Pieces::new(&[&LINE[..9]])), ReadError::Closed));
    assert!(matches!(read(Pieces::new(&[REQUEST])), ReadError::Header(HeaderError::Missing)));
    assert!(matches!(read(Pieces::new(&[b"PROXY x\r\n"])), ReadError::Header(HeaderError::Line)));
    let endless = vec![&b"PROXY TCP4 1"[..]; 1].into_iter().chain(vec![&b"1"[..]; 1000]).collect::<Vec<_>>();
    assert!(matches!(read(Pieces::new(&endless)), ReadError::Header(HeaderError::Line)));
    let broken = Pieces { end: Some(io::ErrorKind::ConnectionReset), ..Pieces::new(&[&LINE[..9]]) };
    assert!(matches!(read(broken), ReadError::Io(_)));
}

/// The other end says half a line and no more: nothing is done until the patience ends.
#[test]
fn half_a_header_waits_for_the_next_byte() {
    /// Counts how often it is asked.
    struct Counted(tokio::io::DuplexStream, usize);
    impl AsyncRead for Counted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.1 += 1;
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }
    runtime().block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &LINE[..9]).await.unwrap();
        let (mut stream, begun) = (Counted(ours, 0), Instant::now());
        let error = read_header(&mut stream, PATIENCE).await.unwrap_err();
        assert_eq!(error.to_string(), "connection sent no whole PROXY protocol header within 30 s");
        assert_eq!(begun.elapsed(), PATIENCE);
        assert!(stream.1 <= 3, "asked {} times", stream.1);
    });
}
