//! The status API, and what the command line asks over its socket.
//!
//! Both answer on the control thread: from memory, without blocking it.

mod answers;
mod metrics;
mod targets;
mod upstreams;

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http::header::SERVER;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use polygate_config::Settings;
use polygate_config::settings::ResponseTokens;
use polygate_http::SERVER_TOKEN;
use polygate_net::accept::{self, Stop};
use polygate_telemetry::log;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::spawn_local;

use crate::control::Control;
use crate::{Error, not_yet, workers};

const ADMIN_LATENCY: HeaderName = HeaderName::from_static("x-kong-admin-latency");

/// The listeners, which end with this value.
pub struct Status {
    _stop: watch::Sender<Stop>,
}

impl Status {
    /// Listens on `status_listen` and on the control socket.
    pub fn start(settings: &Settings, control: &Rc<Control>) -> Result<Self, Error> {
        let (stop, stopped) = watch::channel(Stop::Running);
        let tokens = settings.headers;
        let listeners = workers::listen(&not_yet::served(&settings.status_listen), 1)?;
        for listener in listeners.into_iter().flatten() {
            let fail = |cause| Error::System { what: "the status listener", cause };
            let listener = TcpListener::from_std(listener.socket).map_err(fail)?;
            let control = control.clone();
            let connection = move |stream, _| serve(stream, control.clone(), tokens, answers::status);
            spawn_local(accept::serve(listener, stopped.clone(), paused, connection));
        }
        let socket = settings.control_socket();
        let fail = |cause| Error::Listen { address: socket.display().to_string(), cause };
        // Only one gateway runs in a prefix: what is there belongs to none.
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).map_err(fail)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600)).map_err(fail)?;
        let control = control.clone();
        let connection = move |stream, _| serve(stream, control.clone(), tokens, answers::control);
        spawn_local(accept::serve(listener, stopped, paused, connection));
        Ok(Self { _stop: stop })
    }
}

fn paused(error: &io::Error) {
    log!(Crit, "the status API accepts no connections for a while: {error}");
}

async fn serve<A>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    control: Rc<Control>,
    tokens: ResponseTokens,
    answer: A,
) where
    A: AsyncFn(&Control, Request<Incoming>) -> Response<Full<Bytes>>,
{
    let (control, answer) = (&control, &answer);
    let service = service_fn(|request| async move {
        let begun = Instant::now();
        let mut response = answer(control, request).await;
        sign(&mut response, tokens, begun);
        Ok::<_, Infallible>(response)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).title_case_headers(true);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        log!(Debug, "status connection: {error}");
    }
}

/// Adds what the gateway says of itself, as far as `headers` allows it.
fn sign(response: &mut Response<Full<Bytes>>, tokens: ResponseTokens, begun: Instant) {
    let headers = response.headers_mut();
    if tokens.server {
        headers.insert(SERVER, HeaderValue::from_static(SERVER_TOKEN));
    }
    if tokens.admin_latency {
        headers.insert(ADMIN_LATENCY, HeaderValue::from(begun.elapsed().as_millis() as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_signed_as_far_as_the_headers_property_allows_it() {
        let signed = |tokens| {
            let mut response = Response::new(Full::default());
            sign(&mut response, tokens, Instant::now());
            let names = response.headers().keys().map(ToString::to_string);
            names.collect::<Vec<_>>().join(" ")
        };
        let none = ResponseTokens::default();
        assert_eq!(signed(none), "");
        assert_eq!(signed(ResponseTokens { server: true, ..none }), "server");
        assert_eq!(signed(ResponseTokens { admin_latency: true, ..none }), "x-kong-admin-latency");
    }
}
