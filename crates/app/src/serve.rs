//! The control thread: starts everything, acts on signals, ends everything.
//!
//! It is the thread that calls [`serve`], because plugin servers are told to end with the thread that
//! started them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use polygate_config::conf::Warning;
use polygate_config::settings::Settings;
use polygate_net::accept::Stop;
use polygate_net::dns::Resolver;
use polygate_plugin_host::leftovers;
use polygate_telemetry::log;
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use crate::control::{Control, log_warnings};
use crate::logs::Logs;
use crate::signals::{self, StopSignals};
use crate::status::Status;
use crate::workers::{self, Shared, Workers};
use crate::{Error, tracing, translate};

/// For workers that are told to drop everything.
const FAST_STOP: Duration = Duration::from_millis(500);

/// Serves until a signal ends it. `warnings` are for the log: those of the settings that nobody has seen yet.
/// `on_ready` is called once, when requests are served, with what does not work all the same; the log has that too.
pub fn serve(
    settings: Settings,
    warnings: &[Warning],
    on_ready: impl FnOnce(&[String]),
) -> Result<(), Error> {
    let logs = Logs::open(&settings)?;
    log_warnings(warnings);
    let served = workers::runtime()
        .and_then(|runtime| LocalSet::new().block_on(&runtime, run(settings, &logs, on_ready)));
    logs.close();
    if let Err(error) = &served {
        log!(Emerg, "{error}");
    }
    served
}

async fn run(settings: Settings, logs: &Logs, on_ready: impl FnOnce(&[String])) -> Result<(), Error> {
    let mut stops = StopSignals::new()?;
    let (mut reload, mut reopen) = (signals::reload()?, signals::reopen()?);
    let listeners = workers::listen(&settings.proxy_listen, settings.workers)?;
    let control = Rc::new(Control::new(&settings, logs)?);
    let _status = Status::start(&settings, &control)?;
    spawn_local({
        let logs = logs.clone();
        async move {
            while reopen.recv().await.is_some() {
                logs.reopen();
            }
        }
    });

    leftovers::adopt(&settings.prefix.join("pids/plugin-servers")).await;
    let resolvers = listeners.iter().map(|_| Resolver::sharing(&translate::dns(&settings), &control.hosts));
    let resolvers = resolvers.collect::<Result<Vec<_>, _>>()?;
    let gateway = tokio::select! {
        loaded = control.load_first(settings) => loaded?,
        _ = stops.next() => return Ok(()),
    };
    let (stop, stopped) = watch::channel(Stop::Running);
    let (access_log, tracer) = (logs.access.clone(), control.tracer.clone());
    let shared = Arc::new(Shared { gateway, access_log, tracer, stop: stopped });
    let mut workers = Workers::start(listeners.into_iter().zip(resolvers).collect(), &shared)?;
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
    end(wish, &mut stops, &stop, &mut workers).await;
    control.stop_servers().await;
    tracing::stop(control.tracer.clone()).await;
    Ok(())
}

/// Ends the workers; a graceful end lasts as long as requests do, or until a less patient signal.
async fn end(wish: Stop, stops: &mut StopSignals, stop: &watch::Sender<Stop>, workers: &mut Workers) {
    let mut wish = wish;
    while wish == Stop::Graceful {
        log!(Notice, "gracefully shutting down");
        stop.send_replace(wish);
        tokio::select! {
            () = workers.ended() => return,
            next = stops.next() => wish = next,
        }
    }
    log!(Notice, "shutting down");
    stop.send_replace(Stop::Fast);
    if timeout(FAST_STOP, workers.ended()).await.is_err() {
        log!(Warn, "some workers do not end, going on without them");
    }
}
