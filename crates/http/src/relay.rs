//! The response's body on its way to the client.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use polygate_transport::copy::Torn;

use crate::client::{BodyFraming, Client, SendError, TOGETHER};
use crate::failure::Failure;
use crate::flow::Flow;
use crate::tunnel;
use crate::way::{Content, Way};

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
    #[error("the tunnel {0}")]
    Tunnel(#[from] Torn),
}

/// Sends what is queued, and the body behind it.
pub async fn relay(way: &mut Way<'_>, content: Content, framing: BodyFraming) -> Result<(), Unsent> {
    let client = &*way.client;
    way.exchange.session.timings.receive.begin(way.exchange.session.timings.latest);
    let sent = match content {
        Content::Bytes(body) => {
            let bytes = if framing == BodyFraming::None { &[][..] } else { &body };
            send_all(client, bytes).await
        }
        Content::Upstream(mut exchanged, mut filters) => {
            let mut flow =
                Flow { body: &mut exchanged.body, filters: &mut filters, exchange: &mut way.exchange };
            let mut is_ended = false;
            let sent = poll_fn(|cx| poll_relay(cx, client, &mut flow, &mut is_ended)).await;
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
        Content::Tunnel(exchanged) => match client.flush().await {
            // On the heap, as hardly any request has one.
            Ok(()) => Box::pin(tunnel::run(way, exchanged)).await.map_err(Unsent::from),
            Err(error) => Err(error.into()),
        },
    };
    let now = way.exchange.session.timings.now();
    way.exchange.session.timings.receive.finish(now);
    sent
}

async fn send_all(client: &dyn Client, content: &[u8]) -> Result<(), Unsent> {
    client.send(content).await?;
    client.queue_end(None);
    Ok(client.flush().await?)
}

fn poll_relay(
    cx: &mut Context<'_>,
    client: &dyn Client,
    flow: &mut Flow<'_>,
    is_ended: &mut bool,
) -> Poll<Result<(), Unsent>> {
    flow.body.poll_upload(cx);
    loop {
        // What comes from upstream waits while the client does not read: memory stays bounded.
        if client.queued() > TOGETHER {
            ready!(client.poll_flush(cx))?;
        }
        match flow.poll_content(cx) {
            Poll::Ready(Ok(())) if flow.content().is_empty() => {
                if !std::mem::replace(is_ended, true) {
                    client.queue_end(flow.trailers().as_ref());
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
        let taken = ready!(client.poll_content(cx, flow.content()))?;
        flow.consume(taken);
    }
}
