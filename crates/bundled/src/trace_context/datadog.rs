//! Datadog: `x-datadog-*`, with decimal ids.

use polygate_http1::Headers;

use super::context::{Extracted, Outgoing};
use super::id::{TraceId, decimal};
use super::lines::only_line;

const TRACE_ID: &str = "x-datadog-trace-id";
const PARENT_ID: &str = "x-datadog-parent-id";
const PRIORITY: &str = "x-datadog-sampling-priority";

/// A priority that is none makes the rest useless.
pub fn extract(headers: &Headers) -> Option<Extracted> {
    [TRACE_ID, PARENT_ID, PRIORITY].iter().find(|name| headers.contains(name))?;
    let sampled = match headers.contains(PRIORITY) {
        true => Some(priority(only_line(headers, PRIORITY)?)?),
        false => None,
    };
    let number = |name| only_line(headers, name).and_then(|text| decimal(text.trim()));
    let trace_id = number(TRACE_ID);
    Some(Extracted {
        trace_id: trace_id.map(|id| TraceId::given(id, significant_bytes(id))),
        span_id: trace_id.and(number(PARENT_ID)).map(|id| id as u64),
        sampled,
        ..Extracted::default()
    })
}

pub fn inject(trace: &Outgoing, headers: &mut Headers) -> String {
    let trace_id = (trace.trace_id.number as u64).to_string();
    headers.insert(PARENT_ID, trace.span_id.to_string());
    if let Some(sampled) = trace.sampled {
        headers.insert(PRIORITY, if sampled { "1" } else { "0" });
    }
    headers.insert(TRACE_ID, &trace_id);
    trace_id
}

/// 2 and -1 are a user's decisions, 1 and 0 a sampler's.
fn priority(text: &str) -> Option<bool> {
    match text {
        "1" | "2" => Some(true),
        "0" | "-1" => Some(false),
        _ => None,
    }
}

fn significant_bytes(id: u128) -> usize {
    16 - id.leading_zeros() as usize / 8
}
