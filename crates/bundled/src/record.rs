//! The record of a request or a stream, for plugins that send it away.

use std::sync::Arc;

use polygate_chain::{Exchange, Session, serialize};

/// With the number of edits that were known when it was made.
struct Made(usize, Arc<str>);

/// As JSON text; made once for plugins that follow each other.
pub fn record(exchange: &mut Exchange) -> Arc<str> {
    made(&exchange.session).unwrap_or_else(|| {
        let text = serialize::record(exchange).into();
        keep(&mut exchange.session, text)
    })
}

/// [`record`] of a stream.
pub fn record_of_stream(session: &mut Session) -> Arc<str> {
    made(session).unwrap_or_else(|| {
        let text = serialize::record_of_session(session).into();
        keep(session, text)
    })
}

fn made(session: &Session) -> Option<Arc<str>> {
    let Made(edits, text) = session.kept.get()?;
    (*edits == session.log_edits.len()).then(|| text.clone())
}

fn keep(session: &mut Session, text: Arc<str>) -> Arc<str> {
    session.kept.put(Made(session.log_edits.len(), text.clone()));
    text
}
