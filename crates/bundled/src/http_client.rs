//! Requests of plugins to HTTP servers.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use polygate_chain::services::{Remote, RemoteTls, Services};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};

/// Of an answer, bytes; it is read for the connection's sake alone.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Where requests go: one server, one path.
pub struct Endpoint {
    remote: Remote,
    host: HeaderValue,
    pub path: String,
    /// From user information in the URL.
    authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// `http` or `https`; a query is left out.
    pub fn parse(url: &str) -> Result<Self, String> {
        let refuse =
            |why: &str| format!("{why} in the URL of a server: give one such as https://log.example/path");
        let uri: Uri = url.parse().map_err(|_| refuse("something is wrong"))?;
        let authority = uri.authority().ok_or_else(|| refuse("no host"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refuse("neither http nor https")),
        };
        let (user, host_and_port) = match authority.as_str().rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority.as_str()),
        };
        let basic = |user: &str| HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(user)));
        Ok(Self {
            remote: Remote {
                host: uri.host().unwrap_or_default().to_owned(),
                port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
                tls: is_tls.then(RemoteTls::default),
            },
            host: HeaderValue::from_str(host_and_port).map_err(|_| refuse("no host"))?,
            path: Some(uri.path()).filter(|path| !path.is_empty()).unwrap_or("/").to_owned(),
            authorization: user.and_then(|user| basic(user).ok()),
        })
    }
}

/// Sends requests one after the other, over a connection that is kept for a while.
pub struct HttpClient {
    pub endpoint: Endpoint,
    pub timeout: Duration,
    pub keep: Duration,
    pub idle: Mutex<Option<(SendRequest<Full<Bytes>>, Instant)>>,
}

impl HttpClient {
    pub fn new(endpoint: Endpoint, timeout: Duration, keep: Duration) -> Self {
        Self { endpoint, timeout, keep, idle: Mutex::default() }
    }

    /// The status of the answer.
    pub async fn send(&self, services: &dyn Services, request: Request<Bytes>) -> Result<u16, String> {
        let shown = format!("{}:{}", self.endpoint.remote.host, self.endpoint.remote.port);
        match timeout(self.timeout, self.exchange(services, request)).await {
            Ok(answered) => answered.map_err(|why| format!("{shown}: {why}")),
            Err(_) => Err(format!("{shown}: no answer within {} ms", self.timeout.as_millis())),
        }
    }

    async fn exchange(&self, services: &dyn Services, request: Request<Bytes>) -> Result<u16, String> {
        let mut request = request.map(Full::new);
        let headers = request.headers_mut();
        headers.insert(HOST, self.endpoint.host.clone());
        if let Some(authorization) = &self.endpoint.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let mut sender = self.connection(services).await?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let whole = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.is_ok();
        if whole && !sender.is_closed() {
            *self.idle.lock().unwrap_or_else(|error| error.into_inner()) = Some((sender, Instant::now()));
        }
        Ok(status)
    }

    async fn connection(&self, services: &dyn Services) -> Result<SendRequest<Full<Bytes>>, String> {
        let idle = self.idle.lock().unwrap_or_else(|error| error.into_inner()).take();
        let idle = idle.filter(|(sender, since)| sender.is_ready() && since.elapsed() < self.keep);
        if let Some((sender, _)) = idle {
            return Ok(sender);
        }
        let stream = services.connect(&self.endpoint.remote).await.map_err(|error| error.to_string())?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // Its failures are those of the requests on it.
        spawn_local(async move { drop(connection.await) });
        Ok(sender)
    }
}
