//! How requests name the trace that they belong to: the header formats, and which of them a configuration reads and writes.
//! The plugins `opentelemetry` and `zipkin` share all of it (bundled-plugins.md, section 2).
//!
//! Each format has a file with `extract`, which answers `None` where the request has no such header or a wrong one, and
//! `inject`. Whatever is wrong in a header, the request goes on: its trace begins anew.

mod aws;
mod b3;
mod context;
mod datadog;
mod format;
mod gcp;
mod id;
mod jaeger;
mod lines;
mod ot;
mod propagation;
#[cfg(test)]
mod tests;
mod w3c;

use polygate_chain::pdk::log;
use polygate_chain::{Exchange, Value};

use crate::plugin::Outcome;

pub use context::{Extracted, Outgoing};
pub use format::Format;
pub use id::{TraceId, new_span_id};
pub use propagation::{Injected, Options, Propagation};

/// Puts the ids of the trace into the log record of the request.
pub fn note(exchange: &mut Exchange, injected: Injected) -> Outcome {
    if injected.is_empty() {
        return Ok(());
    }
    let ids = injected.into_iter().map(|(format, id)| (format.into(), Value::str(id))).collect();
    log::set_serialize_value(&mut exchange.session, "trace_id", &Value::Map(ids), None)
}
