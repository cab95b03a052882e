//! Everything a start would refuse, found without starting anything but the query commands.

use polygate_config::Settings;
use polygate_plugin_host::discovery::discover;
use polygate_tls::UpstreamDefaults;

use crate::plugins::{self, Announced, Enabled};
use crate::{Error, LoadError, certificates, compile, declarative, not_yet, secrets, translate, workers};

/// What a start would warn of, or all problems of a configuration. Unlike a start this does not let
/// a plugin server pass that cannot be asked.
pub fn check(settings: &Settings) -> Result<Vec<String>, Vec<Error>> {
    let runtime = workers::runtime().map_err(|error| vec![error])?;
    runtime.block_on(checked(settings)).map_err(|problems| problems.into_iter().map(Error::from).collect())
}

/// Whether the plugin servers of two configurations differ, or what is wanted of them. Where they do not, a running
/// gateway checks the rest itself, and no server need be asked.
pub fn has_other_servers(before: &Settings, now: &Settings) -> bool {
    let servers = |settings: &Settings| {
        let enabled = settings.enabled_plugins(&plugins::bundled());
        (translate::plugin_servers(settings, &enabled), enabled)
    };
    servers(before) != servers(now)
}

async fn checked(settings: &Settings) -> Result<Vec<String>, Vec<LoadError>> {
    let mut warnings = Vec::new();
    let enabled = settings.enabled_plugins(&plugins::bundled());
    let (announced, mut problems) = match enabled.is_empty() {
        true => (Announced::default(), Vec::new()),
        false => announced(settings, &enabled).await,
    };
    match plugins::resolve(&enabled, &announced) {
        Ok(enabled) => match entities(settings, &enabled) {
            Ok(told) => warnings = told,
            Err(error) => problems.push(error),
        },
        Err(error) => problems.push(error),
    }
    problems.extend(certificates::check(settings).err());
    problems.extend(translate::error_pages(settings).err());
    if problems.is_empty() { Ok(warnings) } else { Err(problems) }
}

/// What there is to warn of.
fn entities(settings: &Settings, enabled: &Enabled) -> Result<Vec<String>, LoadError> {
    let loaded = declarative::load(settings, enabled)?;
    let mut entities = loaded.entities.entities().clone();
    compile::check_routes(&entities)?;
    let (_, unresolved) = secrets::from_environment(&mut entities, settings, &enabled.schemas);
    let (_, _, unusable) = compile::certificates(&entities, Vec::new(), UpstreamDefaults::default());
    let (_, left_out) = translate::ciphers(settings);
    Ok([unresolved, unusable, left_out, not_yet::warnings(settings)].concat())
}

async fn announced(settings: &Settings, enabled: &[String]) -> (Announced, Vec<LoadError>) {
    let mut announced = Announced::default();
    let mut problems = Vec::new();
    for discovery in discover(&translate::plugin_servers(settings, enabled)).await {
        let server = discovery.server;
        match discovery.outcome {
            Ok(dump) => {
                let refused = dump.refused.into_iter().map(|it| it.why);
                problems.extend(refused.map(|why| LoadError::PluginServer { server: server.clone(), why }));
                for plugin in dump.plugins {
                    announced.schemas.entry(plugin.name).or_insert(plugin.schema);
                }
            }
            Err(error) => {
                let why = error.to_string();
                problems.push(LoadError::PluginServer { server: server.clone(), why: why.clone() });
                announced.silent.push((server, why));
            }
        }
    }
    (announced, problems)
}
