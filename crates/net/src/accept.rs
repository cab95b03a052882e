//! The accept loop of every kind of listener: connections come in, are served, and drain.
//!
//! The loop knows neither what is spoken on a connection nor where errors are logged; both are passed in. It
//! runs on one thread, inside a `LocalSet`, and each connection is a task of its own there.

use std::future::Future;
use std::io;
use std::iter;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What those who serve are to do.
///
/// In the order of their urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    Running,
    /// Accept no more, others do. A connection ends with its next response, which says so: one that lies idle may carry
    /// a request at this moment, and would lose it if it were closed.
    Retired,
    /// Accept no more, finish what runs; idle connections end.
    Graceful,
    /// Drop everything.
    Fast,
}

/// Something that connections come from.
pub trait Listener {
    type Stream;
    type Peer;

    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>>;

    /// The connections that wait in the kernel. It resets them when the last descriptor of their socket is closed.
    fn waiting(self) -> impl Iterator<Item = (Self::Stream, Self::Peer)>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }

    /// Asks the system and not the runtime, which knows only of what came before it looked last.
    fn waiting(self) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
        let listener = self.into_std().ok();
        iter::from_fn(move || {
            let (stream, peer) = listener.as_ref()?.accept().ok()?;
            stream.set_nonblocking(true).ok()?;
            Some((TcpStream::from_std(stream).ok()?, peer))
        })
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Peer = tokio::net::unix::SocketAddr;

    async fn next(&self) -> io::Result<(UnixStream, Self::Peer)> {
        self.accept().await
    }

    /// It is closed when the program ends, and whoever asks then is told so by the reset.
    fn waiting(self) -> impl Iterator<Item = (UnixStream, Self::Peer)> {
        iter::empty()
    }
}

/// Between two attempts while the system has no descriptor for a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `stop` says otherwise; returns when the last one is done, or at once on
/// [`Stop::Fast`], which drops the others. A `stop` whose sender is gone means `Fast`.
///
/// While nothing can be accepted, most likely for want of descriptors, the loop pauses: connections wait in the
/// kernel, and those that are served go on. `paused` hears of each pause once, however long it lasts.
pub async fn serve<L, S>(
    listener: L,
    mut stop: watch::Receiver<Stop>,
    mut paused: impl FnMut(&io::Error),
    mut connection: impl FnMut(L::Stream, L::Peer) -> S,
) where
    L: Listener,
    S: Future<Output = ()> + 'static,
{
    let mut connections = JoinSet::new();
    let mut is_paused = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.next() => accepted,
            // Frees what an ended task occupies.
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop != Stop::Running) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                is_paused = false;
                connections.spawn_local(connection(stream, peer));
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut is_paused, true) {
                    paused(&error);
                }
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    // It gave its descriptor back.
                    Some(_) = connections.join_next() => {}
                    _ = stop.wait_for(|stop| *stop != Stop::Running) => break,
                }
            }
        }
    }
    // Nobody is to wait in the kernel for a listener that accepts no more, nor be reset by its end.
    for (stream, peer) in listener.waiting() {
        connections.spawn_local(connection(stream, peer));
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = drained => {}
        _ = stop.wait_for(|stop| *stop == Stop::Fast) => {}
    }
}

/// Linux hands errors of a connection that broke before it was accepted to `accept`; the next one may be fine.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
        TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | TimedOut
    )
}

#[cfg(test)]
mod tests;
