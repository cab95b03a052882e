//! One probe: a connection, within TLS or not, and over it a request of which the status counts.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use polygate_balancer::Outcome;
use polygate_http1::{Limits, ResponseParser, is_value};
use polygate_model::Upstream;
use polygate_model::entities::CheckKind;
use polygate_net::shortage::is_shortage;
use polygate_telemetry::log;
use polygate_tls::{Client, Unusable, UpstreamTls, cause, server_name};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// In place of a time-out of zero.
const USUAL_TIMEOUT: Duration = Duration::from_secs(1);

/// What all targets of an upstream are asked.
#[derive(Debug)]
pub struct Question {
    kind: CheckKind,
    tls: Option<Tls>,
    /// For the connection, its handshake, the request and the head of the response together.
    timeout: Duration,
    /// The request line and the configured header lines, without `Host`.
    head: String,
    /// Replaces the host of the target.
    host: Option<String>,
}

#[derive(Debug)]
struct Tls {
    client: Arc<Client>,
    /// The name that targets are asked for in place of their own.
    name: Option<String>,
}

impl Question {
    pub fn of(upstream: &Upstream, tls: &UpstreamTls) -> Result<Self, Unusable> {
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
        let tls = match active.kind {
            CheckKind::Https | CheckKind::Grpcs => Some(Tls::of(upstream, tls)?),
            CheckKind::Tcp | CheckKind::Http | CheckKind::Grpc => None,
        };
        Ok(Self { kind: active.kind, tls, timeout, head, host: upstream.host_header.clone().or(host) })
    }

    /// What a target at `address` does, which goes by the name `host`. `None` is no doing of its own.
    pub async fn ask(&self, address: SocketAddr, host: &str) -> Option<Outcome> {
        match timeout(self.timeout, self.exchange(address, host)).await {
            Ok(Ok(outcome)) => Some(outcome),
            Ok(Err(error)) if is_shortage(&error) => {
                log!(Error, "the gateway cannot probe {host} ({address}): {error}");
                None
            }
            Ok(Err(error)) => {
                if let Some(cause) = cause(&error) {
                    log!(Notice, "the probe of {host} ({address}) fails: {cause}");
                }
                Some(Outcome::TcpFailure)
            }
            Err(_) => Some(Outcome::Timeout),
        }
    }

    async fn exchange(&self, address: SocketAddr, host: &str) -> io::Result<Outcome> {
        let stream = TcpStream::connect(address).await?;
        match &self.tls {
            None => self.conclude(stream, host).await,
            Some(tls) => self.conclude(tls.shake(stream, address, host).await?, host).await,
        }
    }

    /// The checker of the reference knows no gRPC; there a connection is a success.
    async fn conclude(&self, stream: impl AsyncRead + AsyncWrite + Unpin, host: &str) -> io::Result<Outcome> {
        match self.kind {
            CheckKind::Tcp | CheckKind::Grpc | CheckKind::Grpcs => Ok(Outcome::Connected),
            CheckKind::Http | CheckKind::Https => status(stream, &self.request(host)).await,
        }
    }

    fn request(&self, host: &str) -> String {
        let host = self.host.as_deref().unwrap_or(host);
        let (open, close) = if host.parse::<Ipv6Addr>().is_ok() { ("[", "]") } else { ("", "") };
        format!("{}Host: {open}{host}{close}\r\n\r\n", self.head)
    }
}

impl Tls {
    /// The name is `https_sni`, else the host of the requests, without its port (gateway.md, section 6.4).
    fn of(upstream: &Upstream, tls: &UpstreamTls) -> Result<Self, Unusable> {
        let active = &upstream.healthchecks.active;
        let certificate = upstream.client_certificate.map(|reference| reference.id);
        let client = tls.probe(certificate, active.https_verify_certificate)?;
        let host = upstream.host_header.as_deref().map(without_port);
        Ok(Self { client, name: active.https_sni.as_deref().or(host).map(str::to_owned) })
    }

    async fn shake(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        host: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = server_name(self.name.as_deref().unwrap_or(host), address.ip());
        TlsConnector::from(self.client.config.clone()).connect(name, stream).await
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Sends a request and reads the head of its response, over any kind of connection.
async fn status(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> io::Result<Outcome> {
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
    use polygate_tls::UpstreamDefaults;

    use super::*;

    fn question(text: &str) -> Question {
        let text = format!("_format_version: '3.0'\nupstreams: [{{name: u, {text}}}]");
        let set = crate::declarative::from_text(&text, &crate::plugins::Enabled::default()).unwrap();
        let (tls, _) = UpstreamTls::new(set.entities(), UpstreamDefaults::default());
        Question::of(set.entities().upstreams.values().next().unwrap(), &tls).unwrap()
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

    #[test]
    fn targets_are_asked_for_a_name_without_its_port() {
        let name = |text: &str| {
            question(&format!("{text}, healthchecks: {{active: {{type: https}}}}")).tls.unwrap().name
        };
        assert_eq!(name("slots: 100"), None);
        assert_eq!(name("host_header: b.test").as_deref(), Some("b.test"));
        assert_eq!(name("host_header: 'b.test:81'").as_deref(), Some("b.test"));
        let own = question("host_header: b.test, healthchecks: {active: {type: grpcs, https_sni: c.test}}");
        assert_eq!(own.tls.unwrap().name.as_deref(), Some("c.test"));
        assert!(question("healthchecks: {active: {type: grpc}}").tls.is_none());
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
