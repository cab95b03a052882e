//! Values of one request that statsd and datadog send, and how such lines are written.

use polygate_chain::Exchange;
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

/// What is measured of a request. Milliseconds and bytes.
pub struct Measured {
    pub status: u16,
    pub latency: i64,
    pub kong_latency: i64,
    /// `None` if there was no upstream.
    pub upstream_latency: Option<i64>,
    pub request_size: u64,
    pub response_size: u64,
}

impl Measured {
    pub fn of(exchange: &Exchange) -> Self {
        let timings = &exchange.session.timings;
        let total =
            timings.log.map_or_else(|| timings.elapsed(), |log| log.saturating_duration_since(timings.start));
        Self {
            status: exchange.response.status,
            latency: total.as_millis() as i64,
            kong_latency: timings.until_proxied().unwrap_or(total).as_millis() as i64,
            upstream_latency: timings.upstream.duration().map(|waiting| waiting.as_millis() as i64),
            request_size: exchange.request.size,
            response_size: exchange.bytes_sent,
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

/// What the consumer is called, if there is one that has such a name.
pub fn consumer(exchange: &Exchange, by: ConsumerBy) -> Option<String> {
    let consumer = exchange.known_consumer()?;
    match by {
        ConsumerBy::ConsumerId => Some(consumer.id.to_string().replace('-', "_")),
        ConsumerBy::CustomId => consumer.custom_id.clone(),
        ConsumerBy::Username => consumer.username.clone(),
    }
}

/// Without the dots, which separate parts of names.
pub fn without_dots(name: &str) -> String {
    name.replace('.', "_")
}
