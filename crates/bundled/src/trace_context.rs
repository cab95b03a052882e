//! How requests name the trace that they belong to: the header formats, and which of them a configuration reads and writes.
//! The plugins `opentelemetry` and `zipkin` share all of it (bundled-plugins.md, section 2).
//!
//! Each format has a file with `extract`, which answers `None` where the request has no such header or a wrong one, and
//! `inject`. Whatever is wrong in a header, the request goes on: its trace begins anew.

mod aws;
mod b3;
mod datadog;
mod gcp;
mod id;
mod jaeger;
mod ot;
mod propagation;
#[cfg(test)]
mod tests;
mod w3c;

use bytes::Bytes;
use polygate_chain::pdk::{log, query};
use polygate_chain::{Exchange, Value};
use polygate_http1::Headers;
use serde::Deserialize;

use crate::plugin::Outcome;

pub use id::{TraceId, new_span_id};
pub use propagation::{Injected, Options, Propagation};

/// A way to write a trace into headers.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    W3c,
    B3,
    B3Single,
    Jaeger,
    Ot,
    Datadog,
    Aws,
    Gcp,
}

/// What a request says of its trace. Formats that have one id of a span alone give the caller's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extracted {
    pub trace_id: Option<TraceId>,
    pub span_id: Option<u64>,
    pub parent_id: Option<u64>,
    /// Whether caller and receiver have one span together, whose id `span_id` is and whose parent `parent_id`.
    pub shares_span: bool,
    /// What the caller decided; `None` leaves it to the receiver.
    pub sampled: Option<bool>,
    /// Names with values, as they are once escapes are gone.
    pub baggage: Vec<(String, Bytes)>,
    /// Of B3: `1` asks for a trace whatever the share of others is.
    pub flags: Option<String>,
    /// Whether it was B3's one header.
    is_single: bool,
}

/// What the upstream is told.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    pub trace_id: TraceId,
    /// Of the span that the upstream's is to be a child of.
    pub span_id: u64,
    pub parent_id: Option<u64>,
    /// `None` says nothing, in formats that can.
    pub sampled: Option<bool>,
    pub baggage: Vec<(String, Bytes)>,
    pub flags: Option<String>,
}

impl Outgoing {
    fn is_sampled(&self) -> bool {
        self.sampled == Some(true)
    }
}

impl Format {
    /// As configurations write it.
    fn name(self) -> &'static str {
        match self {
            Self::W3c => "w3c",
            Self::B3 | Self::B3Single => "b3",
            Self::Jaeger => "jaeger",
            Self::Ot => "ot",
            Self::Datadog => "datadog",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }

    fn extract(self, headers: &Headers) -> Option<Extracted> {
        match self {
            Self::W3c => w3c::extract(headers),
            Self::B3 | Self::B3Single => b3::extract(headers),
            Self::Jaeger => jaeger::extract(headers),
            Self::Ot => ot::extract(headers),
            Self::Datadog => datadog::extract(headers),
            Self::Aws => aws::extract(headers),
            Self::Gcp => gcp::extract(headers),
        }
    }

    /// Answers the id of the trace as the format writes it.
    fn inject(self, trace: &Outgoing, headers: &mut Headers) -> String {
        match self {
            Self::W3c => w3c::inject(trace, headers),
            Self::B3 => b3::inject(trace, headers),
            Self::B3Single => b3::inject_single(trace, headers),
            Self::Jaeger => jaeger::inject(trace, headers),
            Self::Ot => ot::inject(trace, headers),
            Self::Datadog => datadog::inject(trace, headers),
            Self::Aws => aws::inject(trace, headers),
            Self::Gcp => gcp::inject(trace, headers),
        }
    }
}

/// The one line of that name; `None` as well where it is no text or one of several.
fn only_line<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let mut lines = headers.get_all(name);
    match (lines.next(), lines.next()) {
        (Some(line), None) => str::from_utf8(line).ok(),
        _ => None,
    }
}

/// `1` or `true`, `0` or `false`.
fn decision(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// Headers whose names begin with `prefix`, in lower case.
fn baggage(headers: &Headers, prefix: &str) -> Vec<(String, Bytes)> {
    let items = headers.iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        Some((name.strip_prefix(prefix)?.to_owned(), query::unescape(value, true)))
    });
    items.collect()
}

fn inject_baggage(trace: &Outgoing, prefix: &str, headers: &mut Headers) {
    for (name, value) in &trace.baggage {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        headers.insert(format!("{prefix}{name}"), query::percent_encode_bytes(value, is_plain));
    }
}

/// Puts the ids of the trace into the log record of the request.
pub fn note(exchange: &mut Exchange, injected: Injected) -> Outcome {
    if injected.is_empty() {
        return Ok(());
    }
    let ids = injected.into_iter().map(|(format, id)| (format.into(), Value::str(id))).collect();
    log::set_serialize_value(&mut exchange.session, "trace_id", &Value::Map(ids), None)
}
