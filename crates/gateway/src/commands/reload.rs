//! `reload`: a changed configuration takes effect in the running gateway, or the reason why not.

use std::fs;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use polygate_config::{Settings, conf};
use rustix::process::Signal;
use serde_json::Value;

use crate::command::{Invocation, Outcome};
use crate::configuration::{first, load_running, running_prefix};
use crate::console::Console;
use crate::control;
use crate::instance::{Instance, not_running};

/// Longer than the slowest plugin servers need to start anew.
const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(50);

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let prefix = running_prefix(invocation)?;
    let instance = Instance::find(&prefix)?.ok_or_else(|| not_running(&prefix))?;
    let settings = load_running(invocation, &prefix, console)?;
    let (running, _) = conf::load_saved(&prefix).map_err(first)?;
    if polygate_app::has_other_servers(&running, &settings) {
        polygate_app::check(&settings).map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            problems.join("\n")
        })?;
    }

    let before = Loads::ask(&settings)?;
    let saved = conf::saved_file(&prefix);
    let previous = fs::read(&saved)?;
    conf::save(&prefix, &settings.values)?;
    let outcome = instance.signal(Signal::HUP).map_err(Into::into).and_then(|()| confirm(&settings, &before));
    if outcome.is_err() {
        // The gateway goes on with what it had, so that is what later commands have to see.
        fs::write(&saved, previous)?;
    }
    outcome?.iter().for_each(|problem| console.warn(problem));
    console.say("Kong reloaded");
    Ok(ExitCode::SUCCESS)
}

/// Waits until the gateway has dealt with the signal; answers what does not work all the same.
fn confirm(settings: &Settings, before: &Loads) -> Outcome<Vec<String>> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let now = Loads::ask(settings)?;
        if now.count > before.count {
            return now.error.map_or(Ok(now.problems), |why| Err(why.into()));
        }
        thread::sleep(INTERVAL);
    }
    Err(format!("the gateway did not confirm the reload within {} s; see its error log", PATIENCE.as_secs())
        .into())
}

/// How often the gateway has loaded a configuration, and how the last time went.
struct Loads {
    count: u64,
    error: Option<String>,
    /// What of the configuration in use does not work.
    problems: Vec<String>,
}

impl Loads {
    fn ask(settings: &Settings) -> Outcome<Loads> {
        let answer = control::get(&settings.control_socket(), "/reload")?;
        let count = answer.get("generation").and_then(Value::as_u64);
        let error = answer.get("error").and_then(Value::as_str).map(str::to_owned);
        let problems = answer.get("problems").and_then(Value::as_array).into_iter().flatten();
        let problems = problems.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Loads { problems, count: count.ok_or("the running gateway does not count its reloads")?, error })
    }
}
