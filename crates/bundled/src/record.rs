//! The record of a request or a stream, for plugins that send it away.

use bytes::Bytes;
use polygate_chain::{Exchange, Session, serialize};

/// With the number of edits that were known when it was made.
struct Made(usize, Bytes);

/// As JSON text; made once for plugins that follow each other.
pub fn record(exchange: &mut Exchange) -> Bytes {
    made(&exchange.session).unwrap_or_else(|| {
        let text = serialize::record(exchange);
        keep(&mut exchange.session, text)
    })
}

/// [`record`] of a stream.
pub fn record_of_stream(session: &mut Session) -> Bytes {
    made(session).unwrap_or_else(|| {
        let text = serialize::record_of_session(session);
        keep(session, text)
    })
}

fn made(session: &Session) -> Option<Bytes> {
    let Made(edits, text) = session.kept.get()?;
    (*edits == session.log_edits.len()).then(|| text.clone())
}

fn keep(session: &mut Session, text: Bytes) -> Bytes {
    session.kept.put(Made(session.log_edits.len(), text.clone()));
    text
}
