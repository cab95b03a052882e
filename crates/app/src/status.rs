//! The status API, and what the command line asks over its socket.
//!
//! Both answer on the control thread: from memory, without blocking it.

mod answers;
mod metrics;
mod targets;
mod upstreams;

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io::{self, Cursor};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, SERVER};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use polygate_config::Settings;
use polygate_config::settings::ResponseTokens;
use polygate_http::{ListenerFlags, SERVER_TOKEN};
use polygate_net::accept::Stop;
use polygate_telemetry::log;
use polygate_tls::{Alpn, Handshake, Names, Server};
use polygate_transport::accept::{self, Accepted};
use polygate_transport::{HandshakeEnd, METRICS};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::control::Control;
use crate::listeners::{Listener, Listeners};
use crate::{Error, certificates, translate};

const ADMIN_LATENCY: HeaderName = HeaderName::from_static("x-kong-admin-latency");

/// How long a connection may take for its TLS handshake.
const PATIENCE: Duration = Duration::from_secs(30);

/// The status listeners in use, which end with this value. Every reload replaces them, on the same sockets, so that its
/// certificates and headers count.
pub struct Status {
    listeners: Listeners,
    stop: watch::Sender<Stop>,
}

/// Status listeners that accept nothing yet.
pub struct Prepared {
    listeners: Listeners,
    sockets: Vec<(TcpListener, ListenerFlags)>,
    tls: TlsAcceptor,
    tokens: ResponseTokens,
}

impl Prepared {
    /// Takes the addresses of `status_listen`, and takes over what `previous` has of them.
    pub fn new(settings: &Settings, previous: &Listeners) -> Result<Self, Error> {
        let names = Names::of(certificates::status(settings)?);
        let tls = Server::new(names, &translate::tls(settings, Alpn::http(false)))
            .config(Handshake::default())
            .clone();
        let listeners = Listeners::reserve(&settings.status_listen, &[], 1, previous)?;
        let sockets = listeners.deal(1)?.into_iter().flatten().filter_map(|listener| match listener {
            Listener::Requests(socket, flags) => Some((socket, flags)),
            _ => None,
        });
        Ok(Self { sockets: sockets.collect(), listeners, tls: tls.into(), tokens: settings.headers })
    }

    /// Until then they get no connections.
    pub fn listen(&self) -> Result<(), Error> {
        self.listeners.listen()
    }

    pub fn serve(self, control: &Rc<Control>) -> Status {
        let (stop, stopped) = watch::channel(Stop::Running);
        for (socket, flags) in self.sockets {
            let (control, tokens, stopping) = (control.clone(), self.tokens, stopped.clone());
            let tls = flags.tls.then(|| self.tls.clone());
            let connection = move |accepted| {
                let service = Service { control: control.clone(), tokens, stop: stopping.clone() };
                open(accepted, flags.proxy_protocol, tls.clone(), service)
            };
            spawn_local(accept::serve(socket, stopped.clone(), connection));
        }
        Status { listeners: self.listeners, stop }
    }
}

impl Status {
    pub fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// Accepts no more; connections end with their next answer.
    pub fn retire(self) {
        self.stop.send_replace(Stop::Retired);
        spawn_local(async move { self.stop.closed().await });
    }
}

/// Listens on the socket of the command line, until the value is dropped.
pub fn command_line(settings: &Settings, control: &Rc<Control>) -> Result<watch::Sender<Stop>, Error> {
    let (stop, stopped) = watch::channel(Stop::Running);
    let socket = settings.control_socket();
    let fail = |cause| Error::Listen { address: socket.display().to_string(), cause };
    // Only one gateway runs in a prefix: what is there belongs to none.
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).map_err(fail)?;
    fs::set_permissions(&socket, Permissions::from_mode(0o600)).map_err(fail)?;
    let service = Service { control: control.clone(), tokens: settings.headers, stop: stopped.clone() };
    let connection = move |stream, _| service.clone().serve(stream, answers::control);
    let paused = |error: &io::Error| log!(Crit, "commands are not accepted for a while: {error}");
    spawn_local(polygate_net::accept::serve(listener, stopped, paused, connection));
    Ok(stop)
}

/// One connection of the status listeners, from its first byte on.
async fn open(mut accepted: Accepted, has_header: bool, tls: Option<TlsAcceptor>, service: Service) {
    let who = accept::peer(&mut accepted, has_header, &mut service.stop.clone()).await;
    let Some((peer, unread)) = who else { return };
    let peer = peer.socket();
    let (read, write) = tokio::io::split(accepted.stream);
    let stream = tokio::io::join(Cursor::new(unread).chain(read), write);
    let Some(tls) = tls else { return service.serve(stream, answers::status).await };
    match timeout(PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            METRICS.count_handshake(HandshakeEnd::Done);
            service.serve(stream, answers::status).await;
        }
        Ok(Err(error)) => {
            METRICS.count_handshake(HandshakeEnd::Failed);
            log!(Info, "status client {peer}: the TLS handshake failed: {error}");
        }
        Err(_) => {
            METRICS.count_handshake(HandshakeEnd::Late);
            log!(Info, "status client {peer}: no TLS handshake within {} s", PATIENCE.as_secs());
        }
    }
}

/// What answers are made with.
#[derive(Clone)]
struct Service {
    control: Rc<Control>,
    tokens: ResponseTokens,
    stop: watch::Receiver<Stop>,
}

impl Service {
    async fn serve<A>(self, stream: impl AsyncRead + AsyncWrite + Unpin, answer: A)
    where
        A: AsyncFn(&Control, Request<Incoming>) -> Response<Full<Bytes>>,
    {
        let (own, answer) = (&self, &answer);
        let service = service_fn(|request| async move {
            let begun = Instant::now();
            let mut response = answer(&own.control, request).await;
            sign(&mut response, own.tokens, begun);
            if *own.stop.borrow() != Stop::Running {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).title_case_headers(true);
        if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
            log!(Debug, "status connection: {error}");
        }
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
