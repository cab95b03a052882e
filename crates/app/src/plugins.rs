//! Which of the enabled plugins are installed, and what their configurations must look like.
//!
//! A plugin that nobody announced stops the load, unless a server that might hold it did not answer.
//! Then everything else is served, and requests that need the plugin are refused.

use std::collections::HashMap;
use std::sync::Arc;

use polygate_bundled::{Bundled, PLUGINS};
use polygate_chain::pdk::Context;
use polygate_chain::{Failure, Handler, LocalFuture, Phase, Phases, Plugin};
use polygate_entities::reference;
use polygate_model::OnError;
use polygate_model::schema::Schema;
use polygate_plugin_host::counters::PluginCounters;
use serde_json::Value;

use crate::LoadError;

/// The plugins that come with the gateway, which `bundled` stands for.
pub fn bundled() -> Vec<&'static str> {
    PLUGINS.iter().map(|plugin| plugin.name).collect()
}

/// What the plugin servers said about themselves.
#[derive(Default)]
pub struct Announced {
    /// Schema documents by the name of the plugin.
    pub schemas: HashMap<String, Value>,
    /// Servers that did not answer, and why.
    pub silent: Vec<(String, String)>,
    /// Of the silent servers: open if it is for all of them.
    pub on_error: OnError,
}

/// The enabled plugins.
#[derive(Debug, Default)]
pub struct Enabled {
    pub schemas: HashMap<String, Schema>,
    /// Those that nobody announced, while some server is silent.
    pub unknown: Vec<String>,
}

/// Looks all enabled plugins up among the announced ones.
pub fn resolve(names: &[String], announced: &Announced) -> Result<Enabled, LoadError> {
    let mut enabled = Enabled::default();
    let mut problems = Vec::new();
    for name in names {
        // A plugin server's own takes the place of one that comes with the gateway.
        let announced_schema = announced.schemas.get(name).map(Schema::parse);
        match announced_schema.or_else(|| find(name).map(Bundled::schema)) {
            Some(Ok(schema)) => drop(enabled.schemas.insert(name.clone(), schema)),
            Some(Err(errors)) => problems.push(format!("on plugin '{name}': {errors}")),
            None if announced.silent.is_empty() => problems.push(match reference::missing(name) {
                Some(why) => format!(
                    "on plugin '{name}': it {why}; take it out of the property plugins, or add a plugin server that \
                     has one of this name"
                ),
                None => format!("on plugin '{name}': {name} plugin is enabled but not installed;\nno plugin found"),
            }),
            None => enabled.unknown.push(name.clone()),
        }
    }
    if problems.is_empty() { Ok(enabled) } else { Err(LoadError::Plugins(problems.join("; "))) }
}

/// The plugin of this name that comes with the gateway.
pub fn find(name: &str) -> Option<&'static Bundled> {
    PLUGINS.iter().find(|plugin| plugin.name == name)
}

/// Stands in for a plugin whose server did not say what it holds: every request that needs it fails.
pub struct Unavailable {
    name: String,
    message: String,
    on_error: OnError,
    counters: Arc<PluginCounters>,
}

impl Unavailable {
    pub fn new(name: &str, announced: &Announced, counters: Arc<PluginCounters>) -> Arc<Self> {
        let silent: Vec<_> = announced.silent.iter().map(|(server, _)| server.as_str()).collect();
        let message =
            format!("[{name}] no plugin server announced it; without an answer: {}", silent.join(", "));
        Arc::new(Self { name: name.to_owned(), message, on_error: announced.on_error, counters })
    }
}

impl Plugin for Unavailable {
    fn name(&self) -> &str {
        &self.name
    }

    /// First, so that no other plugin acts on a request that is going to fail.
    fn priority(&self) -> i64 {
        i64::MAX
    }

    fn phases(&self) -> Phases {
        [Phase::Access].into_iter().collect()
    }

    fn configure(&self, configuration: &Arc<polygate_model::Plugin>) -> Arc<dyn Handler> {
        let on_error = configuration.on_error.unwrap_or(self.on_error);
        Arc::new(Refusal { message: self.message.clone(), on_error, counters: self.counters.clone() })
    }
}

struct Refusal {
    message: String,
    on_error: OnError,
    counters: Arc<PluginCounters>,
}

impl Handler for Refusal {
    fn run<'a>(&'a self, phase: Phase, _: Context<'a>) -> LocalFuture<'a, Result<(), Failure>> {
        self.counters.unavailable(phase, self.on_error);
        let outcome = match self.on_error {
            // The log has it from the load.
            OnError::Closed => Err(Failure {
                status: 503,
                reason: "plugin_server_unavailable",
                is_shown: true,
                message: self.message.clone(),
                is_known: true,
            }),
            OnError::Open => Ok(()),
        };
        Box::pin(std::future::ready(outcome))
    }
}

#[cfg(test)]
mod tests {
    use polygate_plugin_host::PluginServers;
    use serde_json::json;

    use super::*;

    fn announced(silent: &[&str]) -> Announced {
        let schema = |name: &str, field: Value| (name.to_owned(), json!({"name": name, "fields": [field]}));
        Announced {
            schemas: HashMap::from([
                schema("good", json!({"config": {"type": "record", "fields": []}})),
                schema("bad", json!({"config": {"type": "record", "fields": [{"x": {"type": "nonsense"}}]}})),
            ]),
            silent: silent.iter().map(|name| (name.to_string(), "it died".to_owned())).collect(),
            on_error: OnError::Closed,
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn plugins_that_nobody_has_are_all_listed() {
        let error = resolve(&names(&["x", "good", "y"]), &announced(&[])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "error loading plugin schemas: on plugin 'x': x plugin is enabled but not installed;\nno plugin found; \
             on plugin 'y': y plugin is enabled but not installed;\nno plugin found"
        );
    }

    #[test]
    fn a_plugin_of_the_reference_is_said_to_be_missing() {
        let error = resolve(&names(&["acme"]), &announced(&[])).unwrap_err().to_string();
        assert!(error.contains("on plugin 'acme': it is not in polygate yet; there are acl, "));
        assert_eq!(resolve(&names(&["acme"]), &announced(&["go"])).unwrap().unknown, ["acme"]);
    }

    #[test]
    fn a_silent_server_may_hold_the_plugin() {
        let enabled = resolve(&names(&["x", "good"]), &announced(&["go"])).unwrap();
        assert!(enabled.schemas.contains_key("good"));
        assert_eq!(enabled.unknown, ["x"]);
    }

    #[test]
    fn a_broken_schema_names_its_plugin() {
        let error = resolve(&names(&["bad"]), &announced(&["go"])).unwrap_err().to_string();
        assert!(error.starts_with("error loading plugin schemas: on plugin 'bad': "), "{error}");
    }

    #[test]
    fn unavailable_plugins_come_first() {
        let counters = PluginServers::empty().counters_of_missing("x");
        let plugin = Unavailable::new("x", &announced(&["go"]), counters);
        assert!(plugin.phases().contains(Phase::Access));
        assert_eq!(plugin.priority(), i64::MAX);
        assert_eq!(plugin.message, "[x] no plugin server announced it; without an answer: go");
    }
}
