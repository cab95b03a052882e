//! The response's body on its way to the client.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use polygate_http1::write;

use crate::client::{Client, SendError};
use crate::failure::Failure;
use crate::response::BodyFraming;
use crate::upstream::AnswerBody;
use crate::way::{Content, Way};

/// Content up to this size is sent together with what waits already.
const TOGETHER: usize = 16 * 1024;

/// Why a response was not sent whole.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    #[error(transparent)]
    Client(#[from] SendError),
    #[error("the client has left")]
    ClientLeft,
    /// The client's connection is closed, so that it notices as well.
    #[error("{0}")]
    Upstream(#[from] Failure),
}

/// Sends what is queued, and the body behind it.
pub async fn relay(way: &mut Way<'_>, content: Content, framing: BodyFraming) -> Result<(), Unsent> {
    let client = &way.downstream.client;
    way.exchange.session.timings.receive.begin(way.exchange.session.timings.latest);
    let sent = match content {
        Content::Bytes(body) => {
            let bytes = if framing == BodyFraming::None { &[][..] } else { &body };
            send_bytes(client, bytes).await
        }
        Content::Upstream(mut exchanged) => {
            let body = &mut exchanged.body;
            let mut is_ended = false;
            let sent = poll_fn(|cx| poll_relay(cx, client, body, framing, &mut is_ended)).await;
            match &sent {
                Ok(()) => exchanged.give_back(way.worker, &way.gateway.settings),
                Err(Unsent::Upstream(failure)) => {
                    // What there is of the response goes out before the connection is closed.
                    let _ = client.flush().await;
                    exchanged.fail(&way.exchange, failure);
                }
                Err(_) => {}
            }
            sent
        }
    };
    let now = way.exchange.session.timings.now();
    way.exchange.session.timings.receive.finish(now);
    sent
}

async fn send_bytes(client: &Client, mut bytes: &[u8]) -> Result<(), Unsent> {
    if bytes.len() <= TOGETHER {
        client.queue(|out| out.extend_from_slice(bytes));
        bytes = &[];
    }
    client.flush().await?;
    while !bytes.is_empty() {
        let count = poll_fn(|cx| client.poll_send(cx, bytes)).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}

fn poll_relay(
    cx: &mut Context<'_>,
    client: &Client,
    body: &mut AnswerBody,
    framing: BodyFraming,
    is_ended: &mut bool,
) -> Poll<Result<(), Unsent>> {
    body.poll_upload(cx);
    loop {
        // What comes from upstream waits while the client does not read: memory stays bounded.
        if client.queued() > TOGETHER {
            ready!(client.poll_flush(cx))?;
        }
        match body.poll_content(cx) {
            Poll::Ready(Ok(())) if body.content().is_empty() => {
                if framing == BodyFraming::Chunked && !std::mem::replace(is_ended, true) {
                    client.queue(|out| out.extend_from_slice(write::LAST_CHUNK));
                }
                return client.poll_flush(cx).map_err(Unsent::from);
            }
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure.into())),
            Poll::Pending => {
                ready!(client.poll_flush(cx))?;
                ready!(client.poll_gone(cx));
                return Poll::Ready(Err(Unsent::ClientLeft));
            }
        }
        let content = body.content();
        let taken = match framing {
            BodyFraming::None => content.len(),
            BodyFraming::Chunked => {
                client.queue(|out| {
                    write::chunk_start(out, content.len());
                    out.extend_from_slice(content);
                    out.extend_from_slice(write::CHUNK_END);
                });
                content.len()
            }
            BodyFraming::Plain if client.queued() > 0 && content.len() <= TOGETHER => {
                client.queue(|out| out.extend_from_slice(content));
                content.len()
            }
            BodyFraming::Plain => {
                ready!(client.poll_flush(cx))?;
                ready!(client.poll_send(cx, content))?
            }
        };
        body.consume(taken);
    }
}
