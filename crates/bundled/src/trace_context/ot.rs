//! OpenTracing's basic tracers: `ot-tracer-*`, and baggage in `ot-baggage-*`.

use polygate_http1::Headers;

use super::context::{Extracted, Outgoing};
use super::id::{TraceId, span_from_hex};
use super::lines::{baggage, decision, inject_baggage, only_line};

const TRACE_ID: &str = "ot-tracer-traceid";
const SPAN_ID: &str = "ot-tracer-spanid";
const SAMPLED: &str = "ot-tracer-sampled";
const BAGGAGE: &str = "ot-baggage-";

pub fn extract(headers: &Headers) -> Option<Extracted> {
    [SAMPLED, TRACE_ID, SPAN_ID].iter().find(|name| headers.contains(name))?;
    let read = |text| [8, 16].iter().find_map(|bytes| TraceId::from_hex(text, *bytes));
    let trace_id = only_line(headers, TRACE_ID).and_then(read);
    let span_id = only_line(headers, SPAN_ID).and_then(span_from_hex);
    let are_right = trace_id.is_some() && span_id.is_some() == headers.contains(SPAN_ID);
    Some(Extracted {
        trace_id: trace_id.filter(|_| are_right),
        span_id: span_id.filter(|_| are_right),
        sampled: only_line(headers, SAMPLED).and_then(decision),
        baggage: baggage(headers, BAGGAGE),
        ..Extracted::default()
    })
}

pub fn inject(trace: &Outgoing, headers: &mut Headers) -> String {
    let trace_id = trace.trace_id.digits(&[8, 16]).to_string();
    if let Some(sampled) = trace.sampled {
        headers.insert(SAMPLED, if sampled { "1" } else { "0" });
    }
    headers.insert(TRACE_ID, &trace_id);
    headers.insert(SPAN_ID, format!("{:016x}", trace.span_id));
    inject_baggage(trace, BAGGAGE, headers);
    trace_id
}
