//! The control thread: starts everything, acts on signals, ends everything.
//!
//! It is the thread that calls [`serve`], because plugin servers are told to end with the thread that
//! started them.

use std::future::pending;
use std::rc::Rc;

use polygate_config::conf::Warning;
use polygate_config::settings::Settings;
use polygate_plugin_host::leftovers;
use polygate_telemetry::log;
use tokio::signal::unix::Signal;
use tokio::task::{LocalSet, spawn_local};

use crate::control::Control;
use crate::listeners::Listeners;
use crate::logs::Logs;
use crate::running::{Running, log_warnings};
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
    let listeners =
        Listeners::reserve(&settings.proxy_listen, &settings.stream_listen, settings.workers, &none)?;
    let status = Prepared::new(&settings, &none)?;
    listeners.listen()?;
    status.listen()?;
    let control = Rc::new(Control::new(&settings, logs)?);
    let status = status.serve(&control);
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
    let mut running = tokio::select! {
        started = Running::start(control.clone(), settings, listeners, status) => started?,
        _ = stops.next() => return Ok(()),
    };
    log!(Notice, "polygate {} serves requests", env!("CARGO_PKG_VERSION"));
    on_ready(&control.problems());

    let wish = loop {
        tokio::select! {
            wish = stops.next() => break wish,
            // One that has begun is given up for a stop, too.
            () = next_reload(&mut reload, &mut running) => {}
        }
    };
    running.end(wish, async || stops.next().await).await;
    tracing::stop(control.tracer.clone()).await;
    control.logs.borrow().close();
    Ok(())
}

async fn next_reload(asked: &mut Signal, running: &mut Running) {
    match asked.recv().await {
        Some(()) => running.reload().await,
        // No signal can come any more.
        None => pending().await,
    }
}
