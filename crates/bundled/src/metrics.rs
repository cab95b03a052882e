//! Values of one request or stream that statsd, datadog and prometheus send or count, and how lines of them are written.

use polygate_chain::{Exchange, Session};
use polygate_model::Consumer;
use polygate_value::number;
use serde::Deserialize;

/// As what a value is sent.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
    Meter,
    Set,
    Timer,
    Distribution,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerBy {
    ConsumerId,
    CustomId,
    Username,
}

/// What is measured of a request or a stream. Milliseconds and bytes.
pub struct Measured<'a> {
    pub session: &'a Session,
    /// Streams have none.
    pub consumer: Option<&'a Consumer>,
    pub status: u16,
    /// Of a stream, how long it lasted.
    pub latency: i64,
    pub kong_latency: i64,
    /// `None` if there was no upstream, and of streams: their upstreams owe no answer.
    pub upstream_latency: Option<i64>,
    /// What the client sent.
    pub request_size: u64,
    pub response_size: u64,
}

impl<'a> Measured<'a> {
    pub fn of(exchange: &'a Exchange) -> Self {
        let session = &exchange.session;
        Self {
            consumer: exchange.known_consumer().map(|consumer| &**consumer),
            status: exchange.response.status,
            upstream_latency: session.timings.upstream.duration().map(|waiting| waiting.as_millis() as i64),
            request_size: exchange.request.size,
            response_size: exchange.bytes_sent,
            ..Self::of_stream(session)
        }
    }

    pub fn of_stream(session: &'a Session) -> Self {
        let (timings, stream) = (&session.timings, session.stream.as_ref());
        let total = timings.total();
        Self {
            session,
            consumer: None,
            status: stream.map_or(0, |stream| stream.status),
            latency: total.as_millis() as i64,
            kong_latency: timings.until_proxied().unwrap_or(total).as_millis() as i64,
            upstream_latency: None,
            request_size: stream.map_or(0, |stream| stream.received),
            response_size: stream.map_or(0, |stream| stream.sent),
        }
    }

    /// What the consumer is called, if there is one that has such a name.
    pub fn consumer(&self, by: ConsumerBy) -> Option<String> {
        let consumer = self.consumer?;
        match by {
            ConsumerBy::ConsumerId => Some(consumer.id.to_string().replace('-', "_")),
            ConsumerBy::CustomId => consumer.custom_id.clone(),
            ConsumerBy::Username => consumer.username.clone(),
        }
    }
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "c",
            Self::Gauge => "g",
            Self::Histogram => "h",
            Self::Meter => "m",
            Self::Set => "s",
            Self::Timer => "ms",
            Self::Distribution => "d",
        }
    }
}

/// `name:value|c|@0.5`.
pub fn line(name: &str, value: &str, kind: Kind, rate: Option<f64>) -> String {
    let kind = kind.as_str();
    match rate.filter(|rate| *rate != 1.0) {
        Some(rate) => format!("{name}:{value}|{kind}|@{}", number(rate)),
        None => format!("{name}:{value}|{kind}"),
    }
}

/// Without the dots, which separate parts of names.
pub fn without_dots(name: &str) -> String {
    name.replace('.', "_")
}
