//! What a plugin is to the gateway, and how its failures look.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use polygate_http1::Headers;
use polygate_telemetry::log;

use crate::pdk::Context;
use crate::{Exchange, Phase, Phases};

/// Requests stay on the worker thread that accepted them, so futures need not be `Send`.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// An installed plugin: built in, or announced by a plugin server.
pub trait Plugin: Send + Sync {
    fn name(&self) -> &str;

    /// Higher runs earlier.
    fn priority(&self) -> i64;

    fn phases(&self) -> Phases;

    /// Makes the handler of one configuration. Cheap: whatever takes time (starting an instance)
    /// was done when the configuration was loaded.
    fn configure(&self, configuration: &Arc<polygate_model::Plugin>) -> Arc<dyn Handler>;
}

/// One configuration of a plugin, ready for events.
pub trait Handler: Send + Sync {
    /// Runs the handler of one phase; only called for phases that the plugin announced. What the
    /// plugin decided is in `context`, an error means that it could not decide.
    fn run<'a>(&'a self, phase: Phase, context: Context<'a>) -> LocalFuture<'a, Result<(), Failure>>;

    /// Changes the head of the response on its way to the client, whoever made it (`header_filter` of the reference). An
    /// answer that it sets takes the place of the body. Only plugins within the gateway have it, and it holds nothing back.
    fn header(&self, _exchange: &mut Exchange) -> Result<(), Failure> {
        Ok(())
    }

    /// What the body of the response passes through on its way to the client (`body_filter` of the reference); asked for
    /// once the head stands.
    fn body(&self, _exchange: &mut Exchange) -> Option<Box<dyn BodyFilter>> {
        None
    }
}

/// Takes a body in and gives one out, as it comes: nothing is held back that the filter does not hold itself. The head was
/// sent when it is asked, so what it changes in the exchange is for itself, for the log and for other plugins.
pub trait BodyFilter {
    /// Takes a piece in, and adds to `out` what it becomes.
    fn piece(&mut self, exchange: &mut Exchange, piece: &[u8], out: &mut Vec<u8>);

    /// Sees what came behind the body (RFC 9110, section 6.5), if anything did, before its end. What it leaves there goes on
    /// to the client.
    fn trailers(&mut self, _trailers: &mut Headers) {}

    /// Adds what is left at the end of the body.
    fn end(&mut self, exchange: &mut Exchange, out: &mut Vec<u8>);

    /// Whether what goes out is as long as what comes in.
    fn keeps_length(&self) -> bool {
        false
    }
}

/// A handler that did not do its work. The request fails with it: closed, never skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// 500 for an error of the plugin, 503 when no server is available, 504 for a deadline.
    pub status: u16,
    /// Stable and machine-readable: for metrics and traces.
    pub reason: &'static str,
    /// Clients see the reason in a header. One of the gateway's own plugins is told as in the reference: not at all.
    pub is_shown: bool,
    /// For the log. Clients see the text that belongs to the status.
    pub message: String,
    /// The log has it already: of a plugin that is left alone every request would say the same.
    pub is_known: bool,
}

impl Failure {
    pub fn log(&self, request_id: &str) {
        if self.is_known {
            log!(Debug, "{self}, request_id: \"{request_id}\"");
        } else {
            log!(Error, "{self}, request_id: \"{request_id}\"");
        }
    }
}
