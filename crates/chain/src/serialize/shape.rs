//! What the record consists of, in the order in which it is written.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use polygate_http1::Headers;
use polygate_model::Id;
use polygate_model::entities::DEFAULT_WORKSPACE;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use crate::exchange::{Authenticated, AuthenticatedBy};
use crate::facts::{client_verify, upstream_status, upstream_uri};
use crate::pdk::{query, request};
use crate::session::{Stream, Transport, Try};
use crate::{Exchange, Session, Source, Value, forwarded};

/// Request headers whose values are not shown.
const REDACTED: [&str; 2] = ["authorization", "proxy-authorization"];

/// `Own` is what requests and streams do not have in common.
#[derive(Serialize)]
pub struct Record<'r, Own> {
    #[serde(flatten)]
    own: Own,
    #[serde(skip_serializing_if = "Option::is_none")]
    tries: Option<Vec<TryPart>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticated_entity: Option<CredentialPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'r RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'r RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'r Authenticated>,
    client_ip: IpAddr,
    /// Milliseconds since 1970.
    started_at: i64,
    workspace: Id,
    workspace_name: &'static str,
}

#[derive(Serialize)]
pub struct RequestRecord<'r> {
    request: RequestPart<'r>,
    upstream_uri: String,
    upstream_status: UpstreamStatus,
    response: ResponsePart<'r>,
    latencies: Latencies,
    source: &'static str,
}

#[derive(Serialize)]
pub struct StreamRecord<'r> {
    session: SessionPart<'r>,
    upstream: UpstreamPart,
    latencies: StreamLatencies,
}

#[derive(Serialize)]
struct RequestPart<'r> {
    id: &'r str,
    method: &'r str,
    uri: Cow<'r, str>,
    url: String,
    querystring: Value,
    headers: HeaderTable<'r>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsPart<'r>>,
}

/// The one that came last where the response was held back, else those of all tries.
#[derive(Serialize)]
#[serde(untagged)]
enum UpstreamStatus {
    Code(u16),
    Codes(String),
}

#[derive(Serialize)]
struct ResponsePart<'r> {
    status: u16,
    headers: HeaderTable<'r>,
    size: u64,
}

#[derive(Serialize)]
struct TlsPart<'r> {
    version: &'r str,
    cipher: &'r str,
    client_verify: &'r str,
}

/// Milliseconds.
#[derive(Serialize)]
struct Latencies {
    /// Until the upstream was chosen, or all of it when none was.
    kong: i64,
    proxy: i64,
    request: i64,
    receive: i64,
}

#[derive(Serialize)]
struct SessionPart<'r> {
    received: u64,
    sent: u64,
    status: u16,
    server_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsPart<'r>>,
}

#[derive(Serialize)]
struct UpstreamPart {
    received: u64,
    sent: u64,
}

/// As [`Latencies`].
#[derive(Serialize)]
struct StreamLatencies {
    kong: i64,
    session: i64,
}

#[derive(Serialize)]
struct TryPart {
    balancer_start: u64,
    balancer_start_ns: u64,
    balancer_latency: u64,
    balancer_latency_ns: u64,
    ip: IpAddr,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

#[derive(Serialize)]
struct CredentialPart {
    #[serde(skip_serializing_if = "Value::is_nil")]
    id: Value,
    /// Where a plugin gave the credential.
    #[serde(skip_serializing_if = "Value::is_nil")]
    consumer_id: Value,
}

/// Lower-case name to string, or to a list where the header is repeated; at most so many lines.
struct HeaderTable<'h> {
    headers: &'h Headers,
    limit: usize,
    redacted: &'static [&'static str],
}

impl<'r> Record<'r, RequestRecord<'r>> {
    pub fn of_request(exchange: &'r Exchange) -> Self {
        let consumer = exchange.consumer.as_ref();
        let credential = exchange.credential.as_ref().map(CredentialPart::new);
        Self {
            authenticated_entity: credential,
            consumer,
            ..Self::new(&exchange.session, RequestRecord::new(exchange))
        }
    }
}

impl<'r> Record<'r, StreamRecord<'r>> {
    pub fn of_stream(session: &'r Session) -> Self {
        Self::new(session, StreamRecord::new(session))
    }
}

impl<'r, Own> Record<'r, Own> {
    fn new(session: &'r Session, own: Own) -> Self {
        Self {
            own,
            // Without a route there was nothing to try.
            tries: session.matched.as_ref().map(|_| session.tries.iter().map(TryPart::new).collect()),
            authenticated_entity: None,
            route: session.route().map(|route| route.json()),
            service: session.service().map(|service| service.json()),
            consumer: None,
            client_ip: session.client.ip().to_canonical(),
            started_at: session.timings.unix_ms(session.timings.start),
            workspace: DEFAULT_WORKSPACE,
            workspace_name: "default",
        }
    }
}

impl<'r> RequestRecord<'r> {
    fn new(exchange: &'r Exchange) -> Self {
        let buffered = exchange.service_response.as_ref().filter(|response| response.body.is_some());
        Self {
            request: RequestPart::new(exchange),
            upstream_uri: text(&upstream_uri(exchange)).into_owned(),
            upstream_status: match buffered {
                Some(response) => UpstreamStatus::Code(response.status),
                None => UpstreamStatus::Codes(upstream_status(exchange)),
            },
            response: ResponsePart {
                status: exchange.response.status,
                headers: HeaderTable {
                    headers: &exchange.response.headers,
                    limit: exchange.session.environment.limits.response_headers,
                    redacted: &[],
                },
                size: exchange.bytes_sent,
            },
            latencies: Latencies::new(&exchange.session),
            source: if exchange.source() == Source::Service { "upstream" } else { "kong" },
        }
    }
}

impl<'r> RequestPart<'r> {
    fn new(exchange: &'r Exchange) -> Self {
        let (request, session) = (&exchange.request, &exchange.session);
        let limits = &session.environment.limits;
        let (host, port) = (forwarded::host_name(exchange), forwarded::outside_port(exchange));
        let target = text(&request.target);
        Self {
            id: &session.id,
            method: request.method.as_str(),
            url: format!("{}://{host}:{port}{target}", session.scheme()),
            uri: target,
            querystring: query::to_table(request::get_raw_query(exchange), limits.uri_args),
            headers: HeaderTable {
                headers: &request.headers,
                limit: limits.request_headers,
                redacted: &REDACTED,
            },
            size: request.size,
            tls: TlsPart::new(session),
        }
    }
}

impl<'r> TlsPart<'r> {
    fn new(session: &'r Session) -> Option<Self> {
        let tls = session.connection.tls.as_ref()?;
        Some(Self { version: tls.version, cipher: &tls.cipher, client_verify: client_verify(session, tls) })
    }
}

impl Latencies {
    fn new(session: &Session) -> Self {
        let timings = &session.timings;
        let total = timings.total();
        Self {
            kong: milliseconds(timings.until_proxied().unwrap_or(total)),
            proxy: timings.upstream.duration().map_or(-1, milliseconds),
            request: milliseconds(total),
            receive: milliseconds(timings.receive.duration().unwrap_or_default()),
        }
    }
}

impl<'r> StreamRecord<'r> {
    fn new(session: &'r Session) -> Self {
        let stream = session.stream.clone().unwrap_or(Stream::new(Transport::Tcp));
        let total = session.timings.total();
        Self {
            session: SessionPart {
                received: stream.received,
                sent: stream.sent,
                status: stream.status,
                server_port: session.destination().port(),
                tls: TlsPart::new(session),
            },
            upstream: UpstreamPart { received: stream.upstream_received, sent: stream.upstream_sent },
            latencies: StreamLatencies {
                kong: milliseconds(session.timings.until_proxied().unwrap_or(total)),
                session: milliseconds(total),
            },
        }
    }
}

impl CredentialPart {
    fn new(credential: &AuthenticatedBy) -> Self {
        match credential {
            AuthenticatedBy::Known(credential) => {
                Self { id: credential.id.to_string().as_str().into(), consumer_id: Value::Nil }
            }
            AuthenticatedBy::Given(credential) => {
                Self { id: credential.get("id").clone(), consumer_id: credential.get("consumer_id").clone() }
            }
        }
    }
}

impl TryPart {
    fn new(attempt: &Try) -> Self {
        Self {
            balancer_start: attempt.balancer_start_ns / 1_000_000,
            balancer_start_ns: attempt.balancer_start_ns,
            balancer_latency: attempt.balancer_latency_ns / 1_000_000,
            balancer_latency_ns: attempt.balancer_latency_ns,
            ip: attempt.address.ip(),
            port: attempt.address.port(),
            state: attempt.failure.map(|(state, _)| state),
            code: attempt.failure.map(|(_, code)| code),
        }
    }
}

impl Serialize for HeaderTable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_map(None)?;
        for (at, (name, value)) in self.headers.lines().take(self.limit).enumerate() {
            let mut places = self.headers.places(name).take_while(|&place| place < self.limit);
            if places.next() != Some(at) {
                // It was written where the first of its name stands.
                continue;
            }
            table.serialize_key(&text(&name.to_ascii_lowercase()))?;
            let others = places.filter_map(|place| self.headers.lines().nth(place));
            let mut values: Vec<_> = others.map(|(_, value)| text(value)).collect();
            if self.redacted.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name)) {
                table.serialize_value("REDACTED")?;
            } else if values.is_empty() {
                table.serialize_value(&text(value))?;
            } else {
                values.insert(0, text(value));
                table.serialize_value(&values)?;
            }
        }
        table.end()
    }
}

/// As [`String::from_utf8_lossy`], which is slow with what is UTF-8, as nearly all is.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn milliseconds(time: Duration) -> i64 {
    time.as_millis() as i64
}
