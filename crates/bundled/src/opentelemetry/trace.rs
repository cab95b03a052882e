//! What is kept of a request between the hooks, and what kong.conf says of traces.

use polygate_model::Id;

use crate::trace_context::TraceId;

/// What kong.conf says of traces.
#[derive(Debug, Clone, Default)]
pub struct Tracing {
    /// Which gateway the spans are of.
    pub node: Id,
    /// Without it there are headers and no spans.
    pub is_on: bool,
    /// Whether routing has a span.
    pub router: bool,
    /// Whether the tries to reach the service have spans.
    pub balancer: bool,
    /// 0 to 1.
    pub sampling_rate: f64,
}

/// The trace of one request.
#[derive(Clone, Copy)]
pub struct Trace {
    pub id: TraceId,
    /// The span of the request.
    pub root: u64,
    /// The caller's.
    pub parent: Option<u64>,
    /// The span of the try that succeeds, or fails last: the upstream's are its children.
    pub balancer: Option<u64>,
    pub is_sampled: bool,
}
