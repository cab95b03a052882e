//! Connections that HTTP/1 is spoken over: one request after the other.

mod client;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use polygate_http1::Refused;
use polygate_net::accept::Stop;
use polygate_telemetry::log;

use crate::downstream::{After, Downstream};
use crate::http1::client::{Http1Client, Received};
use crate::wire::Wire;
use crate::{METRICS, exchange, refusal};

/// What is read of a body that nobody wants, so that the connection can go on.
const MOST_DISCARDED: u64 = 64 * 1024 * 1024;
const DISCARDING: Duration = Duration::from_secs(30);
/// How long a client may go on sending after the last response.
const LINGERING: Duration = Duration::from_secs(5);

/// Serves requests one after the other, until the connection ends. While none is under way a graceful stop ends it.
pub async fn serve(wire: Wire, downstream: Downstream) {
    let client = client(wire, &downstream);
    let mut stop = downstream.stop.clone();
    let mut stopped = pin!(stop.wait_for(|stop| *stop >= Stop::Graceful));
    for serial in 1.. {
        let gateway = downstream.worker.gateway();
        let settings = &gateway.settings;
        if serial > 1 && settings.keepalive_timeout.is_zero() {
            // It was switched off since the last response.
            return client.close(LINGERING).await;
        }
        let idle = if serial == 1 { settings.client_header_timeout } else { settings.keepalive_timeout };
        let received = tokio::select! {
            biased;
            received = client.read_head(settings.head_limits(), idle, settings.client_timeouts()) => received,
            _ = stopped.as_mut() => return,
        };
        // The configuration may have changed while the connection lay idle.
        drop(gateway);
        let gateway = downstream.worker.gateway();
        let after = match received {
            Received::Request(head) => {
                exchange::run(head, serial, client.clone(), &downstream, gateway).await
            }
            // Neither the beginning of HTTP/2 nor a line of HTTP/1: no answer would be understood (RFC 9113, section 3.4).
            Received::Refused(refused) if serial == 1 && downstream.takes_http2 && !is_of_http(&refused) => {
                METRICS.count_refused("http2_preface");
                return log!(Notice, "client {} does not speak HTTP", downstream.connection.peer);
            }
            Received::Refused(refused) => {
                refusal::of_head(*refused, serial, client.clone(), &downstream, gateway).await
            }
            Received::TimedOut(length) => {
                refusal::of_late_head(length, serial, client.clone(), &downstream, gateway).await
            }
            Received::BrokenOff => {
                let peer = downstream.connection.peer;
                return log!(Info, "client {peer} closed the connection in the middle of a head");
            }
            Received::Nothing => return,
        };
        match after {
            After::KeepAlive if client.discard_body(MOST_DISCARDED, DISCARDING).await => {}
            After::KeepAlive | After::Linger => return client.close(LINGERING).await,
            After::Close => return,
        }
    }
}

/// Answers a client that speaks HTTP where TLS is to be spoken.
pub async fn refuse_plain(wire: Wire, downstream: Downstream) {
    let client = client(wire, &downstream);
    let gateway = downstream.worker.gateway();
    let settings = &gateway.settings;
    let timeouts = settings.client_timeouts();
    if let Received::Request(head) = client.read_head(settings.head_limits(), timeouts.head, timeouts).await {
        refusal::of_plain(head, client.clone(), &downstream, gateway).await;
    }
    client.close(LINGERING).await;
}

/// Whether the first line names a version of HTTP, as all but the oldest requests do.
fn is_of_http(refused: &Refused) -> bool {
    refused.line.windows(5).any(|part| part == b"HTTP/")
}

fn client(wire: Wire, downstream: &Downstream) -> Rc<Http1Client> {
    Http1Client::new(wire, downstream.worker.gateway().settings.client_timeouts())
}
