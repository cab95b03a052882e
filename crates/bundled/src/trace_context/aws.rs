//! AWS X-Ray: `x-amzn-trace-id` with `Root=1-{8 hex}-{24 hex};Parent={16 hex};Sampled={0 or 1}`.

use polygate_http1::Headers;

use super::context::{Extracted, Outgoing};
use super::id::{TraceId, span_from_hex};
use super::lines::only_line;

const HEADER: &str = "x-amzn-trace-id";

/// In any order, and other pairs between them. One that is wrong makes the rest useless.
pub fn extract(headers: &Headers) -> Option<Extracted> {
    let mut found = Extracted::default();
    for pair in only_line(headers, HEADER)?.split(';') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.trim();
        match key.trim() {
            "Root" => found.trace_id = Some(root(value)?),
            "Parent" => found.span_id = Some(span_from_hex(value)?),
            "Sampled" => found.sampled = Some(["0", "1"].iter().position(|it| *it == value)? == 1),
            _ => {}
        }
    }
    Some(found)
}

pub fn inject(trace: &Outgoing, headers: &mut Headers) -> String {
    let trace_id = trace.trace_id.digits(&[16]).to_string();
    let ((seconds, rest), sampled) = (trace_id.split_at(8), u8::from(trace.is_sampled()));
    headers
        .insert(HEADER, format!("Root=1-{seconds}-{rest};Parent={:016x};Sampled={sampled}", trace.span_id));
    trace_id
}

fn root(text: &str) -> Option<TraceId> {
    let (seconds, rest) = text.strip_prefix("1-")?.split_once('-')?;
    (seconds.len() == 8).then(|| TraceId::from_hex(&[seconds, rest].concat(), 16)).flatten()
}
