//! The end of a stream's way: the last step, whatever came before.

use std::time::Duration;

use polygate_telemetry::log;
use polygate_transport::copy::{Moved, Torn};
use polygate_transport::{Snapshot, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::failure::{Blame, Failure};
use crate::way::Way;
use crate::{METRICS, access_log};

/// For a client to take an answer, and to see that it was all.
const ANSWERING: Duration = Duration::from_secs(5);

/// Sends what a plugin answers in the upstream's place. What the client says meanwhile is read, as a connection that is
/// closed with something unread takes the answer with it.
pub async fn answer(client: &mut dyn Stream, body: &[u8]) -> Result<(), Failure> {
    let sent = async {
        client.write_all(body).await?;
        client.shutdown().await?;
        while client.read(&mut [0; 4096]).await? > 0 {}
        std::io::Result::Ok(())
    };
    match timeout(ANSWERING, sent).await {
        Ok(Err(error)) => Err(Failure::ClientBroke(error)),
        // One that says nothing and does not leave has had its time.
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}

impl Way {
    /// Takes in what went both ways, and how that ended.
    pub fn copied(&mut self, [up, down]: [Moved; 2], outcome: Result<(), Torn>) {
        let stream = self.stream();
        stream.status = 200;
        (stream.received, stream.upstream_sent) = (up.read, up.written);
        (stream.upstream_received, stream.sent) = (down.read, down.written);
        if let Err(torn) = outcome {
            METRICS.torn.count(&torn);
            let (client, id) = (self.session.client.ip(), &self.session.id);
            log!(Info, "client {client}: the stream {torn}, request_id: \"{id}\"");
        }
    }
}

/// Ends a way: log, metrics, log phase.
pub fn end(mut way: Way, outcome: Result<(), Failure>) {
    if let Err(failure) = &outcome {
        refuse(&mut way, failure);
    }
    let timings = &mut way.session.timings;
    timings.log = Some(timings.now());
    if let Some(stream) = &way.session.stream {
        METRICS.count_end(stream);
    }
    if let Some(log) = &way.worker.access_log {
        log.append(|out| access_log::write(out, &way.session));
    }
    if way.collected.wants_log() {
        way.worker.thread.log_phases.enqueue(Snapshot::Stream(way.session), way.collected);
    }
}

/// Every refusal is logged and counted.
fn refuse(way: &mut Way, failure: &Failure) {
    let stream = way.stream();
    // A plugin's answer that did not arrive keeps its own.
    if stream.status == 0 {
        stream.status = failure.status();
    }
    METRICS.count_refused(stream.transport, failure.reason());
    let (client, id) = (way.session.client.ip(), &way.session.id);
    match (failure, failure.blame()) {
        // It is in the log.
        (Failure::Handshake, _) | (_, Blame::Upstream) => {}
        (Failure::Plugin(failure), _) => failure.log(id),
        (_, Blame::Client) => {
            log!(Info, "client {client}: the stream was ended: {failure}, request_id: \"{id}\"");
        }
        (_, Blame::Gateway | Blame::Plugin) => {
            let local = way.session.connection.local;
            log!(Error, "client {client} at {local}: refused: {failure}, request_id: \"{id}\"");
        }
    }
}
