//! What follows a switch of protocols: both sides' bytes as they come, until both have said all (RFC 9110, section 7.8).

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use polygate_net::clock::Clock;
use polygate_telemetry::log;

use crate::client::Client;
use crate::upstream::Exchanged;
use crate::way::{Content, Way};
use crate::wire::Wire;

/// Bytes read at a time; what one side has not taken yet is all that is held for it.
const READ: usize = 16 * 1024;

/// Why a tunnel ended before both sides had said all.
#[derive(Debug, thiserror::Error)]
pub enum Torn {
    #[error("was silent for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("was broken off by the client: {0}")]
    Client(io::Error),
    #[error("was broken off by the upstream: {0}")]
    Upstream(io::Error),
}

/// What goes on behind the upstream's agreement. It cannot be held back, so that handlers of the response have no place.
pub fn content(way: &Way<'_>, exchanged: Exchanged) -> Content {
    if way.exchange.buffering || way.collected.wants_response() {
        let id = &way.exchange.session.id;
        log!(
            Notice,
            "response buffering was turned off: connection upgrade (websocket), request_id: \"{id}\""
        );
    }
    Content::Tunnel(exchanged)
}

/// Carries bytes both ways. The upstream's read timeout is the longest silence of both.
pub async fn run(client: &dyn Client, mut exchanged: Exchanged) -> Result<(), Torn> {
    let Some((upstream, patience)) = exchanged.body.tunnel() else { return Ok(()) };
    let (mut up, mut down) = (Direction::default(), Direction::default());
    let mut silence = Clock::new();
    silence.restart(patience);
    poll_fn(|cx| {
        // Only HTTP/1 switches protocols.
        let Some(mut client) = client.wire() else { return Poll::Ready(Ok(())) };
        let upload = up.poll(cx, &mut client, upstream).map_err(Torn::of_upload)?;
        let download = down.poll(cx, upstream, &mut client).map_err(Torn::of_download)?;
        if std::mem::take(&mut up.moved) | std::mem::take(&mut down.moved) {
            silence.restart(patience);
        }
        if upload.is_ready() && download.is_ready() {
            return Poll::Ready(Ok(()));
        }
        ready!(silence.poll_expired(cx));
        Poll::Ready(Err(Torn::Silent(patience)))
    })
    .await
}

impl Torn {
    fn of_upload(fault: Fault) -> Self {
        match fault {
            Fault::From(error) => Self::Client(error),
            Fault::To(error) => Self::Upstream(error),
        }
    }

    fn of_download(fault: Fault) -> Self {
        match fault {
            Fault::From(error) => Self::Upstream(error),
            Fault::To(error) => Self::Client(error),
        }
    }
}

/// Whose end of a direction broke.
enum Fault {
    From(io::Error),
    To(io::Error),
}

/// One of the two ways of a tunnel.
#[derive(Default)]
struct Direction {
    /// Something went on since this was last looked at.
    moved: bool,
    is_over: bool,
}

impl Direction {
    /// Ready when one side has said all and the other knows.
    fn poll(&mut self, cx: &mut Context<'_>, from: &mut Wire, to: &mut Wire) -> Poll<Result<(), Fault>> {
        while !self.is_over {
            if !from.input().is_empty() {
                let count = ready!(to.poll_write_direct(cx, from.input())).map_err(Fault::To)?;
                from.consume(count);
            } else if from.has_ended() {
                ready!(to.poll_shutdown(cx)).map_err(Fault::To)?;
                self.is_over = true;
            } else {
                ready!(from.poll_fill(cx, READ)).map_err(Fault::From)?;
            }
            self.moved = true;
        }
        Poll::Ready(Ok(()))
    }
}
