//! Logging in to a directory, over connections of the worker that are kept for a while.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use polygate_chain::services::{Remote, Services, Stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use super::message::{self, Response};

/// Bytes of a response.
const LONGEST: usize = 64 * 1024;
/// Connections to one directory that a worker keeps.
const MOST_IDLE: usize = 32;

/// Numbers of messages: there is one under way at a time.
const START_TLS: u8 = 1;
const BIND: u8 = 2;

/// What a response says (RFC 4511, section 4.1.9).
const SUCCESS: u32 = 0;
/// There is no such user, the password is wrong, or the user may not log in.
const REFUSALS: [u32; 5] = [32, 34, 48, 49, 53];

pub struct Directory {
    /// What tells directories apart, and how sure it is that it is they.
    pub place: String,
    remote: Remote,
    /// Begin in the clear, and go on in TLS.
    starts_tls: bool,
    patience: Duration,
    keep: Duration,
    services: Arc<dyn Services>,
}

struct Idle {
    stream: Box<dyn Stream>,
    until: Instant,
}

thread_local! {
    /// By place.
    static IDLE: RefCell<HashMap<String, Vec<Idle>>> = RefCell::default();
}

impl Directory {
    /// `patience` is how long a login may take, `keep` how long a connection may be idle.
    pub fn new(
        remote: Remote,
        starts_tls: bool,
        patience: Duration,
        keep: Duration,
        services: Arc<dyn Services>,
    ) -> Self {
        let Remote { host, port, tls } = &remote;
        let place = format!("{host}:{port} {tls:?} {starts_tls}");
        Self { place, remote, starts_tls, patience, keep, services }
    }

    /// What comes of a wait for the directory, which has its limit. The error is for the log.
    pub async fn within<T>(&self, wait: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let Remote { host, port, .. } = &self.remote;
        match timeout(self.patience, wait).await {
            Ok(outcome) => outcome.map_err(|error| format!("ldap {host}:{port}: {error}")),
            Err(_) => Err(format!("ldap {host}:{port}: no answer within {} ms", self.patience.as_millis())),
        }
    }

    /// Whether the directory takes this password for this name.
    pub async fn bind(&self, name: &str, password: &[u8]) -> Result<bool, String> {
        let Response { code, diagnostics, .. } =
            self.ask(name, password).await.map_err(|error| error.to_string())?;
        match code {
            SUCCESS => Ok(true),
            code if REFUSALS.contains(&code) => Ok(false),
            code => Err(format!("result {code} {diagnostics}")),
        }
    }

    /// One that is kept may have been closed by the server meanwhile: then it is asked once more over a new one.
    async fn ask(&self, name: &str, password: &[u8]) -> io::Result<Response> {
        let request = message::bind(BIND, name, password);
        if let Some(mut stream) = self.idle()
            && let Ok(response) = exchange(&mut *stream, BIND, &request).await
        {
            self.keep(stream);
            return Ok(response);
        }
        let mut stream = self.connect().await?;
        let response = exchange(&mut *stream, BIND, &request).await?;
        self.keep(stream);
        Ok(response)
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        if !self.starts_tls {
            return self.services.connect(&self.remote).await;
        }
        let plain = Remote { tls: None, ..self.remote.clone() };
        let mut stream = self.services.connect(&plain).await?;
        let response = exchange(&mut *stream, START_TLS, &message::start_tls(START_TLS)).await?;
        if response.code != SUCCESS {
            let Response { code, diagnostics, .. } = response;
            return Err(io::Error::other(format!("StartTLS is refused: result {code} {diagnostics}")));
        }
        self.services.encrypt(stream, &self.remote).await
    }

    fn idle(&self) -> Option<Box<dyn Stream>> {
        IDLE.with_borrow_mut(|all| {
            let kept = all.get_mut(&self.place)?;
            kept.retain(|idle| Instant::now() < idle.until);
            kept.pop().map(|idle| idle.stream)
        })
    }

    fn keep(&self, stream: Box<dyn Stream>) {
        let Some(until) = Instant::now().checked_add(self.keep) else { return };
        let place = self.place.clone();
        IDLE.with_borrow_mut(|all| {
            let kept = all.entry(place.clone()).or_default();
            if kept.len() < MOST_IDLE {
                kept.push(Idle { stream, until });
            }
        });
        let keep = self.keep;
        spawn_local(async move {
            sleep(keep).await;
            close_old(&place);
        });
    }
}

fn close_old(place: &str) {
    IDLE.with_borrow_mut(|all| {
        if let Some(kept) = all.get_mut(place) {
            kept.retain(|idle| Instant::now() < idle.until);
            if kept.is_empty() {
                all.remove(place);
            }
        }
    });
}

async fn exchange(stream: &mut dyn Stream, id: u8, request: &[u8]) -> io::Result<Response> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut bytes = Vec::new();
    loop {
        match message::response(&bytes).map_err(io::Error::other)? {
            Some(response) if response.id == u32::from(id) => return Ok(response),
            Some(Response { code, diagnostics, .. }) => {
                return Err(io::Error::other(format!("the directory leaves: result {code} {diagnostics}")));
            }
            None if bytes.len() >= LONGEST => return Err(io::Error::other("the response is too long")),
            None if stream.read_buf(&mut bytes).await? == 0 => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            None => {}
        }
    }
}
