//! What is told of a request or a stream, in the JSON of Zipkin's API version 2.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::Version;
use polygate_chain::session::Try;
use polygate_chain::timings::Span as Phase;
use polygate_chain::{Exchange, Session, forwarded};
use serde::{Deserialize, Serialize, Serializer};

use super::trace::Trace;
use crate::trace_context::new_span_id;

/// The members of configurations about it.
#[derive(Deserialize, Debug)]
pub struct Spans {
    local_service_name: String,
    default_service_name: Option<String>,
    include_credential: bool,
    static_tags: Option<Vec<StaticTag>>,
    http_span_name: Name,
    phase_duration_flavor: Flavor,
}

#[derive(Deserialize, Debug)]
struct StaticTag {
    name: String,
    value: String,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
enum Name {
    Method,
    MethodPath,
}

/// How the times of the phases are told.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Flavor {
    Annotations,
    Tags,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    trace_id: &'a str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    name: String,
    kind: &'static str,
    /// Microseconds since the Unix epoch.
    timestamp: u64,
    /// Microseconds.
    duration: u64,
    local_endpoint: Endpoint<'a>,
    remote_endpoint: Option<Endpoint<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Annotation>,
    tags: Tags<'a>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Endpoint<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    service_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv4: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv6: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
struct Annotation {
    /// Microseconds since the Unix epoch.
    timestamp: u64,
    value: &'static str,
}

/// Of several with one name the last counts; empty ones are left out.
#[derive(Default)]
struct Tags<'a>(Vec<(&'a str, String)>);

impl<'a> Tags<'a> {
    fn add(&mut self, name: &'a str, value: impl Into<String>) {
        let value = value.into();
        self.0.retain(|tag| tag.0 != name);
        if !value.is_empty() {
            self.0.push((name, value));
        }
    }
}

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Spans {
    /// The request's, one for each try, and that of proxying.
    pub fn of(&self, exchange: &Exchange, trace: &Trace) -> Vec<String> {
        let (session, name) = (&exchange.session, self.name(exchange));
        let moments = Moments::of(session);
        let mut proxy = self.proxy(session, trace, &name, &moments);
        self.tell(&mut proxy, moments.access, ["kas", "kaf"], "kong.access.duration_ms");
        self.tell(&mut proxy, moments.header, ["khs", "khf"], "kong.header_filter.duration_ms");
        self.tell(&mut proxy, moments.body, ["kbs", "kbf"], "kong.body_filter.duration_ms");
        let mut request = self.whole(session, trace, &name, &moments, request_tags(exchange));
        self.add_end(exchange, &mut request.tags);
        self.tell(&mut request, moments.rewrite, ["krs", "krf"], "kong.rewrite.duration_ms");
        self.texts(session, trace, &name, [proxy, request])
    }

    /// The same of a stream.
    pub fn of_stream(&self, session: &Session, trace: &Trace) -> Vec<String> {
        let (moments, name) = (Moments::of(session), "stream");
        let mut proxy = self.proxy(session, trace, name, &moments);
        self.tell(&mut proxy, moments.access, ["kps", "kpf"], "kong.preread.duration_ms");
        let stream = self.whole(session, trace, name, &moments, Tags::default());
        self.texts(session, trace, name, [proxy, stream])
    }

    /// In JSON, behind those of the tries.
    fn texts(&self, session: &Session, trace: &Trace, name: &str, own: [Span; 2]) -> Vec<String> {
        let tries = session.tries.iter().enumerate();
        let tries = tries.map(|(at, attempt)| self.attempt(session, trace, name, at, attempt));
        tries.chain(own).filter_map(|span| serde_json::to_string(&span).ok()).collect()
    }

    fn name(&self, exchange: &Exchange) -> String {
        let method = &exchange.request.method;
        match self.http_span_name {
            Name::Method => method.to_string(),
            Name::MethodPath => format!("{method} {}", exchange.request.path),
        }
    }

    /// From the first byte to the end, with what is said of it beside what is said of all.
    fn whole<'a>(
        &'a self,
        session: &'a Session,
        trace: &'a Trace,
        name: &str,
        moments: &Moments,
        mut tags: Tags<'a>,
    ) -> Span<'a> {
        tags.add("lc", "kong");
        for tag in self.static_tags.iter().flatten() {
            tags.add(&tag.name, &tag.value);
        }
        for (name, value) in &trace.tags {
            tags.add(name, value);
        }
        tags.add("kong.node.id", session.environment.node.id.to_string());
        Span {
            parent_id: trace.parent_id.map(id_text),
            tags,
            remote_endpoint: Some(self.remote(None, Some(session.client))),
            ..self.span(trace, trace.span_id, name.to_owned(), "SERVER", moments.start, moments.end)
        }
    }

    fn add_end(&self, exchange: &Exchange, tags: &mut Tags) {
        tags.add("http.status_code", exchange.response.status.to_string());
        if let Some(consumer) = exchange.consumer.as_ref().and_then(|consumer| consumer.id()) {
            tags.add("kong.consumer", consumer.to_string());
        }
        if let Some(credential) = exchange.credential.as_ref().filter(|_| self.include_credential) {
            tags.add("kong.credential", credential.id().unwrap_or_default());
        }
    }

    fn proxy<'a>(
        &'a self,
        session: &'a Session,
        trace: &'a Trace,
        name: &str,
        moments: &Moments,
    ) -> Span<'a> {
        let (begin, end) = (moments.access.0, moments.end);
        let name = format!("{name} (proxy)");
        let mut span = self.span(trace, trace.proxy_id, name, "CLIENT", begin, end);
        let mut remote = self.remote(service_name(session), session.tries.last().map(|it| it.address));
        match session.tries.is_empty() {
            false => span.tags.add("peer.hostname", host(session)),
            true => remote.port = session.service().map(|service| service.port),
        }
        span.remote_endpoint = Some(remote).filter(|it| it.port.is_some() || it.service_name.is_some());
        add_service_and_route(session, &mut span.tags);
        span
    }

    /// All but the last are marked as failed, as in the reference.
    fn attempt<'a>(
        &'a self,
        session: &'a Session,
        trace: &'a Trace,
        name: &str,
        at: usize,
        attempt: &Try,
    ) -> Span<'a> {
        let begin = attempt.balancer_start_ns / 1000;
        let end = begin + attempt.balancer_latency_ns / 1000;
        let name = format!("{name} (balancer try {})", at + 1);
        let mut span = self.span(trace, new_span_id(), name, "CLIENT", begin, end);
        span.tags.add("kong.balancer.try", (at + 1).to_string());
        if let Some((state, status)) = attempt.failure.filter(|_| at + 1 < session.tries.len()) {
            span.tags.add("error", "true");
            span.tags.add("kong.balancer.state", state);
            span.tags.add("http.status_code", status.to_string());
        }
        add_service_and_route(session, &mut span.tags);
        span.remote_endpoint = Some(self.remote(service_name(session), Some(attempt.address)));
        span
    }

    /// A child of the request's.
    fn span<'a>(
        &'a self,
        trace: &'a Trace,
        id: u64,
        name: String,
        kind: &'static str,
        begin: u64,
        end: u64,
    ) -> Span<'a> {
        Span {
            trace_id: &trace.id_text,
            id: id_text(id),
            parent_id: Some(id_text(trace.span_id)),
            name,
            kind,
            timestamp: begin,
            duration: end.saturating_sub(begin),
            local_endpoint: Endpoint { service_name: Some(&self.local_service_name), ..Endpoint::default() },
            remote_endpoint: None,
            annotations: Vec::new(),
            tags: Tags::default(),
        }
    }

    fn remote<'a>(&'a self, service: Option<&'a str>, address: Option<SocketAddr>) -> Endpoint<'a> {
        let ip = address.map(|address| address.ip().to_canonical());
        Endpoint {
            service_name: service.or(self.default_service_name.as_deref()),
            ipv4: ip.filter(|ip| ip.is_ipv4()).map(|ip| ip.to_string()),
            ipv6: ip.filter(|ip| ip.is_ipv6()).map(|ip| ip.to_string()),
            port: address.map(|address| address.port()),
        }
    }

    fn tell<'a>(
        &self,
        span: &mut Span<'a>,
        (begin, end): (u64, u64),
        names: [&'static str; 2],
        tag: &'a str,
    ) {
        match self.phase_duration_flavor {
            Flavor::Annotations => {
                let moments = names.into_iter().zip([begin, end]);
                span.annotations.extend(moments.map(|(value, timestamp)| Annotation { timestamp, value }));
            }
            Flavor::Tags => span.tags.add(tag, (end.saturating_sub(begin) as f64 / 1000.0).to_string()),
        }
    }
}

fn request_tags(exchange: &Exchange) -> Tags<'_> {
    let (request, mut tags) = (&exchange.request, Tags::default());
    tags.add("http.method", request.method.as_str());
    tags.add("http.host", forwarded::host_name(exchange));
    tags.add("http.path", &request.path);
    tags.add("http.protocol", protocol(request.version));
    tags
}

/// Microseconds since the Unix epoch. A phase that did not run takes no time.
struct Moments {
    start: u64,
    rewrite: (u64, u64),
    /// Of a stream, preread.
    access: (u64, u64),
    header: (u64, u64),
    /// Until the response was sent.
    body: (u64, u64),
    end: u64,
}

impl Moments {
    fn of(session: &Session) -> Self {
        let timings = &session.timings;
        let micros = |moment: Instant| micros(timings.unix(moment));
        let end = timings.log.unwrap_or(timings.latest);
        let phase = |phase: Phase, before: Instant| {
            let begin = phase.start.unwrap_or(before);
            (begin, phase.end.unwrap_or(begin))
        };
        let rewrite = phase(timings.rewrite, timings.start);
        let access = phase(timings.access, rewrite.1);
        let header = phase(timings.response, access.1);
        let both = |(begin, end)| (micros(begin), micros(end));
        Self {
            start: micros(timings.start),
            rewrite: both(rewrite),
            access: both(access),
            header: both(header),
            body: both((header.1, end)),
            end: micros(end),
        }
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

fn id_text(id: u64) -> String {
    format!("{id:016x}")
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

fn service_name(session: &Session) -> Option<&str> {
    session.service()?.name.as_deref()
}

/// The name of the host that was tried.
fn host(session: &Session) -> &str {
    let chosen = session.upstream.target.as_ref().map(|(host, _)| host.as_str());
    chosen.or_else(|| Some(&session.service()?.host)).unwrap_or_default()
}

fn add_service_and_route(session: &Session, tags: &mut Tags) {
    let Some(service) = session.service() else { return };
    tags.add("kong.service", service.id.to_string());
    tags.add("kong.service_name", service.name.as_deref().unwrap_or_default());
    if let Some(route) = session.route() {
        tags.add("kong.route", route.id.to_string());
        tags.add("kong.route_name", route.name.as_deref().unwrap_or_default());
    }
}
