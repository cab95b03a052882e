//! What headers say of a trace, whatever their format.

use bytes::Bytes;

use super::id::TraceId;

/// What a request says of its trace. Formats that have one id of a span alone give the caller's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extracted {
    pub trace_id: Option<TraceId>,
    pub span_id: Option<u64>,
    pub parent_id: Option<u64>,
    /// Whether caller and receiver have one span together, whose id `span_id` is and whose parent `parent_id`.
    pub shares_span: bool,
    /// What the caller decided; `None` leaves it to the receiver.
    pub sampled: Option<bool>,
    /// Names with values, as they are once escapes are gone.
    pub baggage: Vec<(String, Bytes)>,
    /// Of B3: `1` asks for a trace whatever the share of others is.
    pub flags: Option<String>,
    /// Whether it was B3's one header.
    pub is_single: bool,
}

/// What the upstream is told.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    pub trace_id: TraceId,
    /// Of the span that the upstream's is to be a child of.
    pub span_id: u64,
    pub parent_id: Option<u64>,
    /// `None` says nothing, in formats that can.
    pub sampled: Option<bool>,
    pub baggage: Vec<(String, Bytes)>,
    pub flags: Option<String>,
}

impl Outgoing {
    pub fn is_sampled(&self) -> bool {
        self.sampled == Some(true)
    }
}
