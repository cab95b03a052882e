//! The status API, and what the command line asks over its socket.
//!
//! Both answer on the control thread: from memory, without blocking it.

mod answers;
mod metrics;

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use polygate_config::Settings;
use polygate_http::{TokioIo, TokioTimer};
use polygate_telemetry::log;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::control::Control;
use crate::{Error, not_yet, workers};

/// After an accept failed, most likely for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens on `status_listen` and on the control socket.
pub fn start(settings: &Settings, control: &Rc<Control>) -> Result<(), Error> {
    let listeners = workers::listen(&not_yet::served(&settings.status_listen), 1)?;
    for listener in listeners.into_iter().flatten() {
        let fail = |cause| Error::System { what: "the status listener", cause };
        let listener = TcpListener::from_std(listener.socket).map_err(fail)?;
        spawn_local(accept_status(listener, control.clone()));
    }
    let socket = settings.control_socket();
    let fail = |cause| Error::Listen { address: socket.display().to_string(), cause };
    // Only one gateway runs in a prefix: what is there belongs to none.
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).map_err(fail)?;
    fs::set_permissions(&socket, Permissions::from_mode(0o600)).map_err(fail)?;
    spawn_local(accept_control(listener, control.clone()));
    Ok(())
}

async fn accept_status(listener: TcpListener, control: Rc<Control>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(spawn_local(serve(stream, control.clone(), answers::status))),
            Err(error) => pause(&error).await,
        }
    }
}

async fn accept_control(listener: UnixListener, control: Rc<Control>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(spawn_local(serve(stream, control.clone(), answers::control))),
            Err(error) => pause(&error).await,
        }
    }
}

async fn pause(error: &std::io::Error) {
    log!(Crit, "accept failed: {error}");
    sleep(ACCEPT_PAUSE).await;
}

async fn serve<A>(stream: impl AsyncRead + AsyncWrite + Unpin, control: Rc<Control>, answer: A)
where
    A: AsyncFn(&Control, Request<Incoming>) -> Response<Full<Bytes>>,
{
    let (control, answer) = (&control, &answer);
    let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(control, request).await) });
    let served = http1::Builder::new().timer(TokioTimer).serve_connection(TokioIo(stream), service).await;
    if let Err(error) = served {
        log!(Debug, "status connection: {error}");
    }
}
