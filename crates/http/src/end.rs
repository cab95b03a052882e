//! The end of a request's way: the last step, whatever came before.

use std::sync::atomic::Ordering::Relaxed;

use polygate_telemetry::log;
use polygate_transport::Snapshot;

use crate::downstream::After;
use crate::relay::Unsent;
use crate::way::Way;
use crate::{METRICS, access_log, tracing};

/// Ends a way whose response was sent, or was not; at `head_end` bytes of its connection's output the body begins. Says
/// what becomes of the connection.
pub fn end(way: Way<'_>, head_end: u64, sent: Result<(), Unsent>) -> After {
    let after = match &sent {
        Ok(()) if way.keep_alive => After::KeepAlive,
        Ok(()) => After::Linger,
        Err(unsent) => {
            let (client, id) = (way.exchange.session.client.ip(), &way.exchange.session.id);
            log!(Info, "client {client}: response cut off: {unsent}, request_id: \"{id}\"");
            match unsent {
                Unsent::Client(_) | Unsent::ClientLeft => METRICS.count_client_gone(),
                Unsent::Tunnel(torn) => METRICS.torn.count(torn),
                Unsent::Upstream(_) => {}
            }
            After::Close
        }
    };
    finish(way, head_end);
    after
}

/// Ends a way whose client has left before there was a response: 499 is only for the log.
pub fn left(mut way: Way<'_>) -> After {
    METRICS.count_client_gone();
    way.exchange.response.status = 499;
    finish(way, u64::MAX);
    After::Close
}

fn finish(way: Way<'_>, head_end: u64) {
    let Way { mut exchange, collected, client, worker, traffic_before, method, refused_line, .. } = way;
    exchange.session.timings.log = Some(exchange.session.timings.latest);
    let (received, sent) = client.traffic();
    exchange.request.size = received.saturating_sub(traffic_before.0);
    exchange.bytes_sent = sent.saturating_sub(traffic_before.1);
    exchange.body_bytes_sent = sent.saturating_sub(head_end);
    METRICS.count_response(exchange.response.status);
    exchange.session.environment.node.statistics.requests_active.fetch_sub(1, Relaxed);
    if let Some(log) = &worker.access_log {
        log.append(|out| access_log::write(out, &exchange, &method, refused_line.as_deref()));
    }
    tracing::end(&mut exchange);
    if collected.wants_log() {
        worker.thread.log_phases.enqueue(Snapshot::Request(exchange), collected);
    }
}
