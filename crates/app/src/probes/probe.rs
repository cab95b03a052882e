//! One probe: a connection, and over it a request of which the status counts.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use polygate_balancer::Outcome;
use polygate_http1::{Limits, ResponseParser, is_value};
use polygate_model::Upstream;
use polygate_model::entities::CheckKind;
use polygate_net::shortage::is_shortage;
use polygate_telemetry::log;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// In place of a time-out of zero.
const USUAL_TIMEOUT: Duration = Duration::from_secs(1);

/// What all targets of an upstream are asked.
#[derive(Debug)]
pub struct Question {
    kind: CheckKind,
    /// For the connection, the request and the head of the response together.
    timeout: Duration,
    /// The request line and the configured header lines, without `Host`.
    head: String,
    /// Replaces the host of the target.
    host: Option<String>,
}

impl Question {
    pub fn of(upstream: &Upstream) -> Self {
        let active = &upstream.healthchecks.active;
        let (mut head, mut host) = (format!("GET {} HTTP/1.0\r\n", active.http_path), None);
        let lines = active.headers.iter().flatten();
        for (name, value) in lines.flat_map(|(name, values)| values.iter().map(move |value| (name, value))) {
            if !is_value(value.as_bytes()) {
                let upstream = &upstream.name;
                log!(
                    Warn,
                    "upstream '{upstream}': probes go without the header {name}: its value is no header value"
                );
            } else if name.eq_ignore_ascii_case("host") {
                host = Some(value.clone());
            } else {
                head.extend([name, ": ", value, "\r\n"]);
            }
        }
        let limit = Duration::try_from_secs_f64(active.timeout).unwrap_or_default();
        let timeout = if limit.is_zero() { USUAL_TIMEOUT } else { limit };
        Self { kind: active.kind, timeout, head, host: upstream.host_header.clone().or(host) }
    }

    /// What a target at `address` does, which goes by the name `host`. `None` is no doing of its own.
    pub async fn ask(&self, address: SocketAddr, host: &str) -> Option<Outcome> {
        match timeout(self.timeout, self.exchange(address, host)).await {
            Ok(Ok(outcome)) => Some(outcome),
            Ok(Err(error)) if is_shortage(&error) => {
                log!(Error, "the gateway cannot probe {host} ({address}): {error}");
                None
            }
            Ok(Err(_)) => Some(Outcome::TcpFailure),
            Err(_) => Some(Outcome::Timeout),
        }
    }

    async fn exchange(&self, address: SocketAddr, host: &str) -> std::io::Result<Outcome> {
        let stream = TcpStream::connect(address).await?;
        match self.kind {
            CheckKind::Tcp => Ok(Outcome::Connected),
            _ => status(stream, &self.request(host)).await,
        }
    }

    fn request(&self, host: &str) -> String {
        let host = self.host.as_deref().unwrap_or(host);
        let (open, close) = if host.parse::<Ipv6Addr>().is_ok() { ("[", "]") } else { ("", "") };
        format!("{}Host: {open}{host}{close}\r\n\r\n", self.head)
    }
}

/// Sends a request and reads the head of its response, over any kind of connection.
async fn status(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> std::io::Result<Outcome> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut parser = ResponseParser::new(Limits::default());
    let mut input = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(Outcome::TcpFailure);
        }
        loop {
            match parser.parse(&input) {
                Ok(Some(head)) if head.is_interim() => {
                    input.drain(..head.length);
                    parser = ResponseParser::new(Limits::default());
                }
                Ok(Some(head)) => return Ok(Outcome::Status(head.status)),
                Ok(None) => break,
                Err(_) => return Ok(Outcome::Malformed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str) -> Question {
        let text = format!("_format_version: '3.0'\nupstreams: [{{name: u, {text}}}]");
        let set = crate::declarative::from_text(&text, &crate::plugins::Enabled::default()).unwrap();
        Question::of(set.entities().upstreams.values().next().unwrap())
    }

    #[test]
    fn the_request_has_the_configured_lines_and_one_host() {
        let plain = question("healthchecks: {active: {http_path: /up}}");
        assert_eq!(plain.request("a.test"), "GET /up HTTP/1.0\r\nHost: a.test\r\n\r\n");
        assert_eq!(plain.request("::1"), "GET /up HTTP/1.0\r\nHost: [::1]\r\n\r\n");
        assert_eq!(plain.timeout, Duration::from_secs(1));
        let named = question("healthchecks: {active: {timeout: 0, headers: {host: [b.test]}}}");
        assert_eq!(named.request("a.test"), "GET / HTTP/1.0\r\nHost: b.test\r\n\r\n");
        assert_eq!(named.timeout, USUAL_TIMEOUT);
        let rich = question(
            "host_header: 'b.test:81', healthchecks: {active: {timeout: 0.25, headers: {X-A: ['1', \"2\\r\\nX-B: 3\", '4']}}}",
        );
        let expected = "GET / HTTP/1.0\r\nX-A: 1\r\nX-A: 4\r\nHost: b.test:81\r\n\r\n";
        assert_eq!((rich.request("a.test").as_str(), rich.timeout), (expected, Duration::from_millis(250)));
    }

    #[tokio::test]
    async fn the_first_final_status_counts() {
        for (answer, expected) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", Outcome::Status(204)),
            (
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nno",
                Outcome::Status(503),
            ),
            ("SSH-2.0-x\r\n", Outcome::Malformed),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", Outcome::TcpFailure),
            ("", Outcome::TcpFailure),
        ] {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            theirs.write_all(answer.as_bytes()).await.unwrap();
            theirs.shutdown().await.unwrap();
            assert_eq!(status(ours, "GET / HTTP/1.0\r\n\r\n").await.unwrap(), expected, "{answer:?}");
        }
    }
}
