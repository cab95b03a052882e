//! Everything a start would refuse, found without starting anything but the query commands.

use polygate_config::Settings;
use polygate_plugin_host::discovery::discover;

use crate::plugins::{self, Announced, Enabled};
use crate::{Error, configuration, declarative, translate, workers};

/// All problems of a configuration, one text each. Unlike a start this does not let a plugin server
/// pass that cannot be asked.
pub fn check(settings: &Settings) -> Result<(), Vec<String>> {
    let runtime = workers::runtime().map_err(|error| vec![error.to_string()])?;
    let problems = runtime.block_on(problems(settings));
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

async fn problems(settings: &Settings) -> Vec<String> {
    let enabled = settings.enabled_plugins(plugins::BUNDLED);
    let (announced, mut problems) = match enabled.is_empty() {
        true => (Announced::default(), Vec::new()),
        false => announced(settings, &enabled).await,
    };
    match plugins::resolve(&enabled, &announced) {
        Ok(enabled) => problems.extend(entities(settings, &enabled).err().map(|error| error.to_string())),
        Err(error) => problems.push(error.to_string()),
    }
    problems.extend(translate::error_pages(settings).err().map(|error| error.to_string()));
    problems
}

fn entities(settings: &Settings, enabled: &Enabled) -> Result<(), Error> {
    let entities = declarative::load(settings, enabled)?;
    configuration::router(&entities).map_err(crate::LoadError::from)?;
    Ok(())
}

async fn announced(settings: &Settings, enabled: &[String]) -> (Announced, Vec<String>) {
    let mut announced = Announced::default();
    let mut problems = Vec::new();
    for discovery in discover(&translate::plugin_servers(settings, enabled)).await {
        let server = discovery.server;
        match discovery.outcome {
            Ok(dump) => {
                let refused = dump.refused.iter().map(|it| format!("plugin server {server}: {}", it.why));
                problems.extend(refused);
                for plugin in dump.plugins {
                    announced.schemas.entry(plugin.name).or_insert(plugin.schema);
                }
            }
            Err(error) => {
                let why = error.to_string();
                problems.push(format!("plugin server {server}: {why}"));
                announced.silent.push((server, why));
            }
        }
    }
    (announced, problems)
}
