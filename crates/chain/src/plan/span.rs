//! The span of one handler's run.

use polygate_model::Plugin as Configuration;
use polygate_telemetry::trace::{KeyValue, Step};

use crate::{Exchange, Failure, Phase};

pub fn begin(configuration: &Configuration, phase: Phase, exchange: &mut Exchange) {
    let (Some(trace), Some(step)) = (&mut exchange.session.trace, step(phase)) else { return };
    trace.handler = trace.step(step, || format!("{phase} {}", configuration.name));
    if let Some(span) = &mut trace.handler {
        span.set([
            KeyValue::new("polygate.plugin", configuration.name.clone()),
            KeyValue::new("polygate.plugin.id", configuration.id.to_string()),
            KeyValue::new("polygate.phase", phase.as_str()),
        ]);
    }
}

/// Says how the handler ended: with a failure, or with the answer to the client.
pub fn end(outcome: &Result<(), Failure>, exchange: &mut Exchange) {
    let Some(mut span) = exchange.session.trace.as_mut().and_then(|trace| trace.handler.take()) else {
        return;
    };
    match outcome {
        Err(failure) => span.fail(failure.reason, failure.message.clone()),
        Ok(()) if exchange.session.answer.is_some() && exchange.session.phase != Phase::Log => {
            span.set([KeyValue::new("polygate.answer.status", i64::from(exchange.response.status))]);
        }
        Ok(()) => {}
    }
}

/// Handlers of the other phases belong to connections, not to requests.
fn step(phase: Phase) -> Option<Step> {
    match phase {
        Phase::Rewrite => Some(Step::Rewrite),
        Phase::Access => Some(Step::Access),
        Phase::Response => Some(Step::Response),
        Phase::Log => Some(Step::Log),
        Phase::Certificate | Phase::Preread => None,
    }
}
