//! Plugins that are chunks of Lua of their configuration: pre-function and post-function.

use std::sync::Arc;

use polygate_chain::pdk::Context;
use polygate_chain::{BodyFilter, Exchange, Failure, Handler, LocalFuture, Phase};
use polygate_model::Plugin;
use polygate_telemetry::log;
use serde::Deserialize;
use serde_json::Value;

use crate::lua::{self, Arg, Hook, Script};
use crate::plugin;
use crate::shared::Shared;

/// Besides header_filter and body_filter.
pub const PHASES: &[Phase] = &[Phase::Certificate, Phase::Rewrite, Phase::Access, Phase::Log];

#[derive(Deserialize)]
struct Config {
    certificate: Vec<String>,
    rewrite: Vec<String>,
    access: Vec<String>,
    header_filter: Vec<String>,
    body_filter: Vec<String>,
    log: Vec<String>,
}

struct Functions {
    plugin: Arc<Plugin>,
    certificate: Script,
    rewrite: Script,
    access: Script,
    header_filter: Script,
    body_filter: Script,
    log: Script,
}

pub fn configure(plugin: &Arc<Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let script = |chunks| Script::new(chunks, shared.sandbox.load_full());
    Ok(Arc::new(Functions {
        plugin: plugin.clone(),
        certificate: script(config.certificate)?,
        rewrite: script(config.rewrite)?,
        access: script(config.access)?,
        header_filter: script(config.header_filter)?,
        body_filter: script(config.body_filter)?,
        log: script(config.log)?,
    }))
}

/// Whether a chunk can be compiled; the reference names the plugin.
pub fn check(plugin: &str, chunk: &Value) -> Result<(), String> {
    let chunk = chunk.as_str().unwrap_or_default();
    lua::check(chunk).map_err(|error| format!("error parsing {plugin}: {error}"))
}

impl Functions {
    fn failure(&self, hook: Hook, reason: String) -> Failure {
        let message = format!("[{}] {hook}: {reason}", self.plugin.name);
        Failure { status: 500, reason: "plugin_error", is_shown: false, message, is_known: false }
    }
}

impl Handler for Functions {
    fn run<'a>(&'a self, phase: Phase, context: Context<'a>) -> LocalFuture<'a, Result<(), Failure>> {
        let (script, hook) = match phase {
            Phase::Certificate => (&self.certificate, Hook::Certificate),
            Phase::Rewrite => (&self.rewrite, Hook::Rewrite),
            Phase::Access => (&self.access, Hook::Access),
            Phase::Log => (&self.log, Hook::Log),
            Phase::Response | Phase::Preread => return Box::pin(async { Ok(()) }),
        };
        Box::pin(async move { script.run(hook, context).await.map_err(|reason| self.failure(hook, reason)) })
    }

    fn header(&self, exchange: &mut Exchange) -> Result<(), Failure> {
        let outcome = self.header_filter.run_at_once(Hook::HeaderFilter, exchange.into());
        outcome.map_err(|reason| self.failure(Hook::HeaderFilter, reason))
    }

    fn body(&self, _: &mut Exchange) -> Option<Box<dyn BodyFilter>> {
        (!self.body_filter.is_empty()).then(|| {
            let (plugin, script) = (self.plugin.clone(), self.body_filter.clone());
            Box::new(Filter { plugin, script, arg: Arg::default(), is_over: false }) as Box<dyn BodyFilter>
        })
    }
}

/// One body on its way through the chunks.
struct Filter {
    plugin: Arc<Plugin>,
    script: Script,
    arg: Arg,
    /// A chunk gave all there is, or failed: nothing else comes out.
    is_over: bool,
}

impl Filter {
    fn run(&mut self, exchange: &mut Exchange, piece: &[u8], is_last: bool, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        exchange.session.plugin = Some(self.plugin.clone());
        let outcome = self.script.filter(&mut self.arg, exchange, piece, is_last);
        exchange.session.plugin = None;
        match outcome {
            Ok(filtered) => {
                out.extend_from_slice(&filtered.bytes);
                self.is_over = filtered.is_last;
            }
            Err(reason) => {
                // The head says 200 already. A body that was not filtered must not reach the client.
                self.is_over = true;
                let id = &exchange.session.id;
                log!(
                    Error,
                    "[{}] body_filter: {reason}; the rest of the body is left out, request_id: \"{id}\"",
                    self.plugin.name
                );
            }
        }
    }
}

impl BodyFilter for Filter {
    fn piece(&mut self, exchange: &mut Exchange, piece: &[u8], out: &mut Vec<u8>) {
        self.run(exchange, piece, false, out);
    }

    fn end(&mut self, exchange: &mut Exchange, out: &mut Vec<u8>) {
        self.run(exchange, b"", true, out);
    }
}
