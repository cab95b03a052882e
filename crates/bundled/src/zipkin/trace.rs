//! What is kept of a request between the hooks.

use crate::trace_context::TraceId;

/// The trace of one request.
pub struct Trace {
    pub id: TraceId,
    /// As Zipkin is told it.
    pub id_text: String,
    /// The span of the request, which may be the caller's as well.
    pub span_id: u64,
    pub parent_id: Option<u64>,
    /// The span of proxying it.
    pub proxy_id: u64,
    pub is_sampled: bool,
    /// What the request itself says.
    pub tags: Vec<(String, String)>,
}
