//! Of HTTP/2 in the clear, each of which has had a request.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use polygate_testkit::{EchoUpstream, Gateway, Reply};
use serde_json::json;

use crate::idle::cost::{Idle, used};
use crate::report::Report;

/// More than a busy machine takes for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client begins with (RFC 9113, section 3.4): the preface, and settings that are all usual.
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The fields of `GET http://a.test/`: three of the static table, and one in plain text (RFC 7541, section 6).
const FIELDS: &[u8] = b"\x82\x86\x84\x01\x06a.test";
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

pub fn run(connections: usize) -> Report {
    let mut report = Report::default();
    let upstream = EchoUpstream::scripted(|_| Reply::new(200, "through"));
    let routes = json!([{ "name": "all", "paths": ["/"] }]);
    let services = json!([{ "name": "upstream", "url": upstream.url(), "routes": routes }]);
    let gateway = Gateway::builder()
        // Idle connections are no leak, but look like one.
        .conf("log_level = notice\nproxy_listen = {proxy} http2\nupstream_keepalive_idle_timeout = 1")
        .declarative(&json!({ "_format_version": "3.0", "services": services }).to_string())
        .start();
    let open = || used(Connection::open(gateway.proxy())?, Connection::ask);
    let idle = Idle { gateway: &gateway, what: "HTTP/2", most: 48 * 1024, connections };
    idle.lie_twice(&mut report, open, Connection::ask);
    report
}

struct Connection {
    stream: TcpStream,
    /// Of the next request.
    number: u32,
}

impl Connection {
    fn open(to: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(BEGINNING)?;
        Ok(Self { stream, number: 1 })
    }

    /// The status of the answer to a request.
    fn ask(&mut self) -> io::Result<u16> {
        let flags = END_HEADERS | END_STREAM;
        let head = [&[0, 0, FIELDS.len() as u8, HEADERS, flags], &self.number.to_be_bytes()[..], FIELDS];
        self.stream.write_all(&head.concat())?;
        self.number += 2;
        let mut status = 0;
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head)?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.stream.read_exact(&mut payload)?;
            if kind == HEADERS {
                // The entry 8 of the static table is the status 200.
                status = if payload[0] == 0x88 { 200 } else { 500 };
            }
            if u32::from_be_bytes(stream) != 0 && flags & END_STREAM != 0 {
                return Ok(status);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connections_of_http2_cost_little() {
        let report = run(200);
        assert!(report.is_good(), "{report}");
    }
}
