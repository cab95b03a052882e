//! W3C Trace Context, level 1 and 2: `traceparent` and `tracestate`.
//!
//! Read strictly, as the standard asks: whoever sends a header that is not exactly right has its trace
//! begun anew. The SDK's own reader takes ids of any length and signs in them.

use std::str::FromStr;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use polygate_http1::Headers;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The caller's span; `None` when no header, or no valid one, names it.
pub fn read(headers: &Headers) -> Option<SpanContext> {
    let mut lines = headers.get_all(TRACEPARENT);
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let (trace_id, span_id, flags) = parse(str::from_utf8(line).ok()?.trim())?;
    Some(SpanContext::new(trace_id, span_id, flags, true, state(headers)))
}

/// Replaces what the caller sent by `span`.
pub fn write(span: &SpanContext, headers: &mut Headers) {
    if !span.is_valid() {
        return;
    }
    let (trace_id, span_id) = (span.trace_id(), span.span_id());
    let line = format!("00-{trace_id}-{span_id}-{:02x}", span.trace_flags() & TraceFlags::SAMPLED);
    headers.insert(TRACEPARENT, line);
    let state = span.trace_state().header();
    headers.remove(TRACESTATE);
    if !state.is_empty() {
        headers.append(TRACESTATE, state);
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`; later versions may go on after another dash.
fn parse(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let mut fields = text.splitn(5, '-');
    let version = hex(fields.next()?, 2)? as u8;
    let trace_id = TraceId::from(hex(fields.next()?, 32)?);
    let span_id = SpanId::from(hex(fields.next()?, 16)? as u64);
    let flags = TraceFlags::new(hex(fields.next()?, 2)? as u8) & TraceFlags::SAMPLED;
    let ended = fields.next().is_none();
    let valid = version != 0xff && (ended || version > 0);
    (valid && trace_id != TraceId::INVALID && span_id != SpanId::INVALID)
        .then_some((trace_id, span_id, flags))
}

/// Exactly `length` lower-case digits.
fn hex(text: &str, length: usize) -> Option<u128> {
    let exact = text.len() == length && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    exact.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// All lines as one list. A wrong one counts as none, and takes nothing from the trace.
fn state(headers: &Headers) -> TraceState {
    let lines: Result<Vec<_>, _> = headers.get_all(TRACESTATE).map(str::from_utf8).collect();
    lines.ok().and_then(|lines| TraceState::from_str(&lines.join(",")).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "b7ad6b7169203331";

    fn headers(lines: &[(&str, &str)]) -> Headers {
        lines.iter().copied().collect()
    }

    fn read_one(traceparent: &str) -> Option<SpanContext> {
        read(&headers(&[("traceparent", traceparent)]))
    }

    #[test]
    fn a_caller_is_read() {
        for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true)] {
            let caller = read_one(&format!("00-{TRACE}-{PARENT}-{flags}")).unwrap();
            assert_eq!(caller.trace_id().to_string(), TRACE);
            assert_eq!(caller.span_id().to_string(), PARENT);
            assert_eq!(caller.is_sampled(), sampled, "{flags}");
            assert!(caller.is_remote());
        }
    }

    #[test]
    fn later_versions_are_read_as_far_as_they_are_known() {
        assert!(read_one(&format!("01-{TRACE}-{PARENT}-01")).is_some());
        assert!(read_one(&format!("cc-{TRACE}-{PARENT}-01-what-is-this")).is_some());
        assert!(read_one(&format!("cc-{TRACE}-{PARENT}-01what")).is_none());
    }

    #[test]
    fn what_is_not_exactly_right_is_nobody() {
        for text in [
            "",
            "00",
            &format!("00-{TRACE}-{PARENT}"),
            &format!("00-{TRACE}-{PARENT}-1"),
            &format!("00-{TRACE}-{PARENT}-01-"),
            &format!("00-{TRACE}-{PARENT}-01-more"),
            &format!("ff-{TRACE}-{PARENT}-01"),
            &format!("0-{TRACE}-{PARENT}-01"),
            &format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            &format!("00-{}-{PARENT}-01", &TRACE[1..]),
            &format!("00-+{}-{PARENT}-01", &TRACE[1..]),
            &format!("00-{TRACE}-+{}-01", &PARENT[1..]),
            &format!("00-{TRACE}-{}-01", &PARENT[..15]),
            &format!("00-{}-{PARENT}-01", "0".repeat(32)),
            &format!("00-{TRACE}-{}-01", "0".repeat(16)),
            &format!("00-{TRACE}-{PARENT}-+1"),
        ] {
            assert_eq!(read_one(text), None, "{text}");
        }
        let line = format!("00-{TRACE}-{PARENT}-01");
        assert_eq!(read(&headers(&[("traceparent", &line), ("traceparent", &line)])), None);
    }

    #[test]
    fn state_is_joined_and_handed_on() {
        let line = format!("00-{TRACE}-{PARENT}-01");
        let caller =
            read(&headers(&[("traceparent", &line), ("tracestate", "a=1,b=2"), ("tracestate", "c=3")]));
        let mut sent = headers(&[("tracestate", "old=1"), ("traceparent", "old")]);
        write(&caller.unwrap(), &mut sent);
        assert_eq!(sent.get_all("traceparent").collect::<Vec<_>>(), [line.as_bytes()]);
        assert_eq!(sent.get_all("tracestate").collect::<Vec<_>>(), [b"a=1,b=2,c=3"]);
    }

    #[test]
    fn a_wrong_state_is_dropped_and_the_trace_kept() {
        let line = format!("00-{TRACE}-{PARENT}-01");
        let caller = read(&headers(&[("traceparent", &line), ("tracestate", "no pair")])).unwrap();
        let mut sent = headers(&[("tracestate", "no pair")]);
        write(&caller, &mut sent);
        assert_eq!(sent.get("tracestate"), None);
        assert_eq!(sent.text("traceparent"), Some(line.as_str()));
    }
}
