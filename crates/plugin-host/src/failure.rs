//! The one place that decides what a failed event does to the request.

use polygate_chain::pdk::Context;
use polygate_chain::{Failure, Phase};
use polygate_telemetry::log;
use polygate_telemetry::trace::KeyValue;
use tokio::time::Instant;

use crate::counters::PluginCounters;
use crate::event::Ran;
use crate::reason::Reason;
use crate::settings::OnError;

/// Counts the event and lets its failure reach the request, or not: closed by default, open if the
/// user wrote so.
pub(crate) fn conclude(
    ran: Ran,
    began: Instant,
    phase: Phase,
    policy: OnError,
    counters: &PluginCounters,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let of_phase = counters.of(phase);
    of_phase.ended(began.elapsed(), ran.pdk_calls);
    let mut span = context.reborrow().session().trace.as_mut().and_then(|trace| trace.handler.as_mut());
    if let Some(span) = &mut span {
        span.set([KeyValue::new("polygate.pdk_calls", i64::from(ran.pdk_calls))]);
    }
    let Err(error) = ran.outcome else { return Ok(()) };
    of_phase.failed(error.reason, policy);
    let (plugin, reason) = (counters.plugin(), error.reason.as_str());
    let is_known = error.reason == Reason::CircuitOpen;
    match policy {
        OnError::Closed => {
            if counters.is_first_refusal() {
                log!(
                    Notice,
                    "[{plugin}] requests are refused when the plugin fails; to let them go on without it set on_error = open in its configuration, or pluginserver_<NAME>_on_error"
                );
            }
            Err(Failure {
                status: error.reason.status(),
                reason,
                is_shown: true,
                message: format!("[{plugin}] pluginserver error: {error} ({phase} phase, {reason})"),
                is_known,
            })
        }
        OnError::Open => {
            if !is_known {
                log!(
                    Warn,
                    "[{plugin}] pluginserver error, the request goes on because on_error is open: {error} ({phase} phase, {reason})"
                );
            }
            if let Some(span) = span {
                span.fail(reason, error.message);
            }
            Ok(())
        }
    }
}
