//! W3C Trace Context: `traceparent`, of version 00. `tracestate` goes to the upstream as it came.

use polygate_http1::Headers;

use super::context::{Extracted, Outgoing};
use super::id::{TraceId, hex, span_from_hex};
use super::lines::only_line;

const HEADER: &str = "traceparent";

pub fn extract(headers: &Headers) -> Option<Extracted> {
    let mut fields = only_line(headers, HEADER)?.split('-');
    let version = fields.next()?;
    let trace_id = TraceId::from_hex(fields.next()?, 16).filter(|id| id.number != 0)?;
    let span_id = span_from_hex(fields.next()?).filter(|id| *id != 0)?;
    let flags = fields.next().filter(|flags| flags.len() == 2)?;
    let sampled = hex(flags)? & 1 == 1;
    (version == "00" && fields.next().is_none()).then(|| Extracted {
        trace_id: Some(trace_id),
        span_id: Some(span_id),
        sampled: Some(sampled),
        ..Extracted::default()
    })
}

pub fn inject(trace: &Outgoing, headers: &mut Headers) -> String {
    let trace_id = trace.trace_id.digits(&[16]).to_string();
    let flags = u8::from(trace.is_sampled());
    headers.insert(HEADER, format!("00-{trace_id}-{:016x}-{flags:02x}", trace.span_id));
    trace_id
}
