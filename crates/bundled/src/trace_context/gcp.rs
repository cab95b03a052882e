//! Google Cloud: `x-cloud-trace-context` with `{32 lower-case hex}/{decimal span}`, and perhaps `;o={flags}`.

use polygate_http1::Headers;

use super::context::{Extracted, Outgoing};
use super::id::{TraceId, decimal};
use super::lines::only_line;

const HEADER: &str = "x-cloud-trace-context";

pub fn extract(headers: &Headers) -> Option<Extracted> {
    let (trace, rest) = only_line(headers, HEADER)?.split_once('/')?;
    let (span, flags) = match rest.split_once(";o=") {
        Some((span, flags)) => (span, Some(flags)),
        None => (rest, None),
    };
    let is_lower = !trace.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_right =
        is_lower && span.len() <= 20 && flags.is_none_or(|it| it.len() == 1 && decimal(it).is_some());
    let (trace_id, span_id) = (TraceId::from_hex(trace, 16)?, decimal(span)? as u64);
    is_right.then(|| Extracted {
        trace_id: Some(trace_id),
        span_id: Some(span_id),
        sampled: Some(flags == Some("1")),
        ..Extracted::default()
    })
}

pub fn inject(trace: &Outgoing, headers: &mut Headers) -> String {
    let trace_id = trace.trace_id.digits(&[16]).to_string();
    let sampled = u8::from(trace.is_sampled());
    headers.insert(HEADER, format!("{trace_id}/{};o={sampled}", trace.span_id));
    trace_id
}
