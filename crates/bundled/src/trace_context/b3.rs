//! B3 of Zipkin: one header `b3`, or several `x-b3-*` (github.com/openzipkin/b3-propagation).
//!
//! Both may come together; the one header goes before the several. It may also come as the first member of `tracestate`.

use polygate_http1::Headers;

use super::context::{Extracted, Outgoing};
use super::id::{TraceId, span_from_hex};
use super::lines::{decision, only_line};

const SINGLE: &str = "b3";
const TRACESTATE: &str = "tracestate";
const TRACE_ID: &str = "x-b3-traceid";
const SPAN_ID: &str = "x-b3-spanid";
const PARENT_ID: &str = "x-b3-parentspanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";

const SIZES: [usize; 2] = [16, 8];

#[derive(Clone, Copy)]
struct Ids {
    trace: TraceId,
    span: Option<u64>,
    parent: Option<u64>,
}

/// Where any of the headers is there, `tracestate` included, the request counts as one of B3, as in the reference.
pub fn extract(headers: &Headers) -> Option<Extracted> {
    let is_there = [SINGLE, TRACESTATE, TRACE_ID, SPAN_ID, PARENT_ID, SAMPLED, FLAGS].iter();
    is_there.map(|name| headers.contains(name)).find(|found| *found)?;
    let single = single_line(headers);
    let (decided, is_debug, one) = single.map_or((None, false, None), read_single);
    let flags = only_line(headers, FLAGS);
    let several = match flags {
        Some("1") => Some(true),
        _ => only_line(headers, SAMPLED).and_then(decision),
    };
    let ids = one.or_else(|| read_several(headers));
    Some(Extracted {
        trace_id: ids.map(|ids| ids.trace),
        span_id: ids.and_then(|ids| ids.span),
        parent_id: ids.and_then(|ids| ids.parent),
        shares_span: true,
        sampled: decided.or(several),
        flags: if is_debug { Some("1".to_owned()) } else { flags.map(str::to_owned) },
        is_single: single.is_some(),
        ..Extracted::default()
    })
}

pub fn inject(trace: &Outgoing, headers: &mut Headers) -> String {
    let trace_id = trace.trace_id.digits(&SIZES).to_string();
    headers.insert(TRACE_ID, &trace_id);
    headers.insert(SPAN_ID, format!("{:016x}", trace.span_id));
    if let Some(parent) = trace.parent_id {
        headers.insert(PARENT_ID, format!("{parent:016x}"));
    }
    match &trace.flags {
        Some(flags) => headers.insert(FLAGS, flags),
        None => headers.insert(SAMPLED, if trace.is_sampled() { "1" } else { "0" }),
    }
    trace_id
}

pub fn inject_single(trace: &Outgoing, headers: &mut Headers) -> String {
    let trace_id = trace.trace_id.digits(&SIZES).to_string();
    let mut line = format!("{trace_id}-{:016x}", trace.span_id);
    match (trace.flags.as_deref(), trace.sampled) {
        (Some("1"), _) => line.push_str("-d"),
        (_, Some(true)) => line.push_str("-1"),
        (_, Some(false)) => line.push_str("-0"),
        (_, None) => {}
    }
    if let Some(parent) = trace.parent_id {
        line.push_str(&format!("-{parent:016x}"));
    }
    headers.insert(SINGLE, line);
    trace_id
}

fn single_line(headers: &Headers) -> Option<&str> {
    if headers.contains(SINGLE) {
        return only_line(headers, SINGLE);
    }
    let mut states = headers.get_all(TRACESTATE).filter_map(|line| str::from_utf8(line).ok());
    states.find_map(|line| line.strip_prefix("b3=")).filter(|line| !line.is_empty())
}

/// `trace-span`, then perhaps `-sampled` and `-parent`; or `sampled` alone. Answers what was decided, whether the trace is
/// wanted for debugging, and the ids.
fn read_single(line: &str) -> (Option<bool>, bool, Option<Ids>) {
    let decided = |text: &str| match text {
        "1" | "d" => Some(true),
        "0" => Some(false),
        _ => None,
    };
    if let Some(sampled) = decided(line) {
        return (Some(sampled), line == "d", None);
    }
    let mut fields = line.splitn(4, '-');
    let trace = fields.next().and_then(read_trace_id);
    let span = fields.next().and_then(span_from_hex);
    let (Some(trace), Some(span)) = (trace, span) else { return (None, false, None) };
    let mut field = || fields.next().filter(|field| !field.is_empty());
    let (sampled, parent) = match (field(), field()) {
        (Some(parent), None) if parent.len() == 16 => (None, Some(parent)),
        (sampled, parent) => (sampled, parent),
    };
    let parent_id = parent.and_then(span_from_hex);
    let is_right = sampled.is_none_or(|it| decided(it).is_some()) && parent_id.is_some() == parent.is_some();
    match is_right {
        true => {
            let ids = Ids { trace, span: Some(span), parent: parent_id };
            (sampled.and_then(decided), sampled == Some("d"), Some(ids))
        }
        false => (None, false, None),
    }
}

/// One wrong id makes all of them useless.
fn read_several(headers: &Headers) -> Option<Ids> {
    let span = |name| match headers.contains(name) {
        true => only_line(headers, name).and_then(span_from_hex).map(Some),
        false => Some(None),
    };
    let trace = only_line(headers, TRACE_ID).and_then(read_trace_id)?;
    Some(Ids { trace, span: span(SPAN_ID)?, parent: span(PARENT_ID)? })
}

fn read_trace_id(text: &str) -> Option<TraceId> {
    SIZES.iter().find_map(|bytes| TraceId::from_hex(text, *bytes))
}
