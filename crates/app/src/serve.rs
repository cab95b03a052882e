//! The control thread: starts everything, acts on signals, ends everything.
//!
//! It is the thread that calls [`serve`], because plugin servers are told to end with the thread that
//! started them.

use std::rc::Rc;

use polygate_config::conf::Warning;
use polygate_config::settings::Settings;
use polygate_plugin_host::leftovers;
use polygate_telemetry::log;
use tokio::task::{LocalSet, spawn_local};

use crate::control::{Control, log_warnings};
use crate::listeners::Listeners;
use crate::logs::Logs;
use crate::signals::{self, StopSignals};
use crate::status::{self, Prepared};
use crate::{Error, tracing, workers};

/// Serves until a signal ends it. `warnings` are for the log: those of the settings that nobody has seen yet.
/// `on_ready` is called once, when requests are served, with what does not work all the same; the log has that too.
pub fn serve(
    settings: Settings,
    warnings: &[Warning],
    on_ready: impl FnOnce(&[String]),
) -> Result<(), Error> {
    let logs = Logs::open(&settings, None)?;
    logs.begin();
    log_warnings(warnings);
    let served = workers::runtime()
        .and_then(|runtime| LocalSet::new().block_on(&runtime, run(settings, logs, on_ready)));
    if let Err(error) = &served {
        log!(Emerg, "{error}");
    }
    served
}

async fn run(settings: Settings, logs: Logs, on_ready: impl FnOnce(&[String])) -> Result<(), Error> {
    let mut stops = StopSignals::new()?;
    let (mut reload, mut reopen) = (signals::reload()?, signals::reopen()?);
    let none = Listeners::default();
    let listeners = Listeners::open(&settings.proxy_listen, settings.workers, &none)?;
    let status = Prepared::open(&settings, &none)?;
    let control = Rc::new(Control::new(&settings, logs)?);
    control.answer(status);
    let _command_line = status::command_line(&settings, &control)?;
    spawn_local({
        let control = control.clone();
        async move {
            while reopen.recv().await.is_some() {
                control.logs.borrow().reopen();
            }
        }
    });

    leftovers::adopt(&settings.prefix.join("pids/plugin-servers")).await;
    tokio::select! {
        loaded = control.load_first(settings, listeners) => loaded?,
        _ = stops.next() => return Ok(()),
    }
    log!(Notice, "polygate {} serves requests", env!("CARGO_PKG_VERSION"));
    on_ready(&control.problems());

    let reloads = spawn_local({
        let control = control.clone();
        async move {
            while reload.recv().await.is_some() {
                control.reload().await;
            }
        }
    });
    let wish = stops.next().await;
    reloads.abort();
    let mut fleet = control.fleet.take();
    fleet.end(wish, async || stops.next().await).await;
    control.stop_servers().await;
    tracing::stop(control.tracer.clone()).await;
    control.logs.borrow().close();
    Ok(())
}
