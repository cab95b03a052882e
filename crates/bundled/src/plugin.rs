//! What makes a plugin of a schema and hooks.

use std::sync::Arc;

use polygate_chain::pdk::{Context, PdkError};
use polygate_chain::{BodyFilter, Exchange, Failure, Handler, LocalFuture, Phase, Phases, Plugin, Session};
use polygate_model::schema::{Checks, Schema, SchemaErrors};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::shared::Shared;

/// A plugin that comes with the gateway.
pub struct Bundled {
    pub name: &'static str,
    /// Higher runs earlier.
    pub priority: i64,
    /// Those of [`Hooks`]; `header` and `body` need no mention.
    pub phases: &'static [Phase],
    /// The fields of the configuration, in the language of [`Schema::builtin`].
    pub schema: &'static str,
    /// What the schema names with `check`.
    pub checks: Checks,
    pub(crate) configure: Configure,
}

/// Makes the hooks of one configuration; what is shared outlives it.
type Configure = fn(&Arc<polygate_model::Plugin>, &Arc<Shared>) -> Result<Arc<dyn Handler>, String>;

/// What becomes of a hook: an error fails the request.
pub type Outcome = Result<(), PdkError>;

/// What one configuration of a plugin does; what is left out does nothing.
pub trait Hooks: Send + Sync + 'static {
    async fn rewrite(&self, _exchange: &mut Exchange) -> Outcome {
        Ok(())
    }

    async fn access(&self, _exchange: &mut Exchange) -> Outcome {
        Ok(())
    }

    /// As [`Handler::header`].
    fn header(&self, _exchange: &mut Exchange) -> Outcome {
        Ok(())
    }

    /// As [`Handler::body`].
    fn body(&self, _exchange: &mut Exchange) -> Option<Box<dyn BodyFilter>> {
        None
    }

    async fn log(&self, _exchange: &mut Exchange) -> Outcome {
        Ok(())
    }

    /// Before a stream goes on.
    async fn preread(&self, _session: &mut Session) -> Outcome {
        Ok(())
    }

    /// [`Hooks::log`] of a stream.
    async fn log_stream(&self, _session: &mut Session) -> Outcome {
        Ok(())
    }
}

/// Hooks whose fields are those of the configuration.
pub fn configure<H: Hooks + DeserializeOwned>(
    plugin: &Arc<polygate_model::Plugin>,
    _: &Arc<Shared>,
) -> Result<Arc<dyn Handler>, String> {
    handler(config::<H>(plugin)?)
}

/// A configuration in its typed form.
pub fn config<C: DeserializeOwned>(plugin: &polygate_model::Plugin) -> Result<C, String> {
    C::deserialize(&Value::Object(plugin.config.clone())).map_err(|error| error.to_string())
}

pub fn handler(hooks: impl Hooks) -> Result<Arc<dyn Handler>, String> {
    Ok(Arc::new(Hooked(hooks)))
}

impl Bundled {
    /// What its configurations must look like.
    pub fn schema(&self) -> Result<Schema, SchemaErrors> {
        // What is no JSON is a schema without a name, which is an error.
        Schema::builtin(&serde_json::from_str(self.schema).unwrap_or_default(), self.checks)
    }

    pub fn install(&'static self, shared: &Arc<Shared>) -> Arc<dyn Plugin> {
        Arc::new(Installed { bundled: self, shared: shared.clone() })
    }
}

struct Installed {
    bundled: &'static Bundled,
    shared: Arc<Shared>,
}

impl Plugin for Installed {
    fn name(&self) -> &str {
        self.bundled.name
    }

    fn priority(&self) -> i64 {
        self.bundled.priority
    }

    fn phases(&self) -> Phases {
        Phases::of(self.bundled.phases)
    }

    fn configure(&self, plugin: &Arc<polygate_model::Plugin>) -> Arc<dyn Handler> {
        (self.bundled.configure)(plugin, &self.shared).unwrap_or_else(|why| Arc::new(Unusable(why)))
    }
}

struct Hooked<H>(H);

impl<H: Hooks> Handler for Hooked<H> {
    fn run<'a>(&'a self, phase: Phase, context: Context<'a>) -> LocalFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let outcome = match (phase, context) {
                (Phase::Rewrite, Context::Exchange(exchange)) => self.0.rewrite(exchange).await,
                (Phase::Access, Context::Exchange(exchange)) => self.0.access(exchange).await,
                (Phase::Log, Context::Exchange(exchange)) => self.0.log(exchange).await,
                (Phase::Preread, Context::Session(session)) => self.0.preread(session).await,
                (Phase::Log, Context::Session(session)) => self.0.log_stream(session).await,
                // No plugin says that it has others.
                _ => Ok(()),
            };
            outcome.map_err(failure)
        })
    }

    fn header(&self, exchange: &mut Exchange) -> Result<(), Failure> {
        self.0.header(exchange).map_err(failure)
    }

    fn body(&self, exchange: &mut Exchange) -> Option<Box<dyn BodyFilter>> {
        self.0.body(exchange)
    }
}

/// Stands in for a handler whose configuration the schema let pass and the plugin cannot use: closed, never skipped.
struct Unusable(String);

impl Handler for Unusable {
    fn run<'a>(&'a self, _: Phase, _: Context<'a>) -> LocalFuture<'a, Result<(), Failure>> {
        Box::pin(async { Err(failed(self.0.clone())) })
    }

    fn header(&self, _: &mut Exchange) -> Result<(), Failure> {
        Err(failed(self.0.clone()))
    }
}

fn failure(error: PdkError) -> Failure {
    failed(error.to_string())
}

fn failed(message: String) -> Failure {
    Failure { status: 500, reason: "plugin_error", is_shown: false, message, is_known: false }
}

#[cfg(test)]
mod tests {
    use crate::PLUGINS;

    #[test]
    fn schemas_can_be_read() {
        for plugin in PLUGINS {
            let schema = plugin.schema().unwrap_or_else(|error| panic!("{}: {error}", plugin.name));
            assert_eq!(schema.name(), plugin.name);
        }
    }

    #[test]
    fn names_are_in_order_and_there_once() {
        assert!(PLUGINS.is_sorted_by(|a, b| a.name < b.name));
    }
}
