//! The record of a request, for plugins that send it away.

use std::rc::Rc;

use polygate_chain::{Exchange, serialize};

/// As JSON text; made once for plugins that follow each other.
pub fn record(exchange: &mut Exchange) -> Rc<str> {
    /// With the number of edits that were known when it was made.
    struct Made(usize, Rc<str>);
    let edits = exchange.session.log_edits.len();
    if let Some(Made(_, text)) = exchange.session.kept.get::<Made>().filter(|made| made.0 == edits) {
        return text.clone();
    }
    let text: Rc<str> = serialize::record(exchange).to_string().into();
    exchange.session.kept.put(Made(edits, text.clone()));
    text
}
