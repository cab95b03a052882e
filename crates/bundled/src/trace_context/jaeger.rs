//! Jaeger: `uber-trace-id` with `{trace}:{span}:{parent}:{flags}`, and baggage in `uberctx-*`.

use polygate_http1::Headers;

use super::context::{Extracted, Outgoing};
use super::id::{TraceId, hex};
use super::lines::{baggage, inject_baggage, only_line};

const HEADER: &str = "uber-trace-id";
const BAGGAGE: &str = "uberctx-";

/// Ids may come without their leading zeros.
pub fn extract(headers: &Headers) -> Option<Extracted> {
    let mut fields = only_line(headers, HEADER)?.split(':');
    let (trace, span, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let trace_id = hex(trace).filter(|id| *id != 0)?;
    let span_id = hex(span).filter(|id| span.len() <= 16 && *id != 0)?;
    let parent_id = hex(parent)? as u64;
    let sampled = hex(flags).filter(|_| flags.len() <= 2)? & 1 == 1;
    fields.next().is_none().then(|| Extracted {
        trace_id: Some(TraceId::given(trace_id, trace.len().div_ceil(2))),
        span_id: Some(span_id as u64),
        parent_id: Some(parent_id).filter(|id| *id != 0),
        shares_span: true,
        sampled: Some(sampled),
        baggage: baggage(headers, BAGGAGE),
        ..Extracted::default()
    })
}

pub fn inject(trace: &Outgoing, headers: &mut Headers) -> String {
    let trace_id = trace.trace_id.digits(&[16, 8]).to_string();
    let parent = trace.parent_id.map_or_else(|| "0".to_owned(), |id| format!("{id:016x}"));
    let flags = u8::from(trace.is_sampled());
    headers.insert(HEADER, format!("{trace_id}:{:016x}:{parent}:{flags:02x}", trace.span_id));
    inject_baggage(trace, BAGGAGE, headers);
    trace_id
}
