//! What chunks said with `ngx.say`: the body of the answer that they give with it.

use polygate_chain::pdk::{Content, Context, PdkError, response};
use polygate_chain::{Exchange, Session};

#[derive(Default)]
struct Said(Vec<u8>);

pub fn say(session: &mut Session, text: &[u8]) {
    session.kept.get_or_put(Said::default).0.extend_from_slice(text);
}

/// Answers with what was said, where nobody answered yet. A plugin's status counts.
pub fn answer(context: Context<'_>) -> Result<(), PdkError> {
    let Context::Exchange(exchange) = context else { return Ok(()) };
    if exchange.session.answer.is_some() {
        return Ok(());
    }
    match take(exchange) {
        Some(said) => {
            let status = if exchange.response.status == 0 { 200 } else { exchange.response.status };
            response::exit(exchange, status, said, Vec::new())
        }
        None => Ok(()),
    }
}

/// Answers with `status`: what was said, or else the page of the status.
pub fn exit(exchange: &mut Exchange, status: u16) -> Result<(), PdkError> {
    let content = match take(exchange) {
        Some(said) => said,
        None if status < 300 => Content::Text(Default::default()),
        None => Content::Nothing,
    };
    response::exit(exchange, status, content, Vec::new())
}

fn take(exchange: &mut Exchange) -> Option<Content> {
    exchange.session.kept.take::<Said>().map(|said| Content::Text(said.0.into()))
}
