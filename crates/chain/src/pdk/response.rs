//! `kong.response`: the response to the client, and answering in the upstream's place.

use bytes::Bytes;
use polygate_http1::Headers;
use polygate_telemetry::log;

use crate::error_page::{self, Format, PLAIN_PAGE_TYPE};
use crate::pdk::headers::{self, Change};
use crate::pdk::{Content, PdkError, grpc};
use crate::{Answer, Exchange, Phase, Session, Source, Value};

const CONTENT_LENGTH: &str = "Content-Length";
const CONTENT_TYPE: &str = "Content-Type";

/// What a response has one line of, as nginx has it.
const SINGLES: [&str; 12] = [
    CONTENT_LENGTH,
    CONTENT_TYPE,
    "Accept-Ranges",
    "Content-Encoding",
    "Content-Range",
    "Date",
    "ETag",
    "Expires",
    "Last-Modified",
    "Location",
    "Refresh",
    "Server",
];

/// What describes a body, and goes with it.
const OF_BODIES: [&str; 10] = [
    CONTENT_LENGTH,
    CONTENT_TYPE,
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-MD5",
    "Content-Range",
    "ETag",
    "Last-Modified",
];

/// What makes a body unreadable that it was not made for.
const OF_ENCODED_BODIES: [&str; 4] = ["Accept-Ranges", "Content-Encoding", "Content-MD5", "Content-Range"];

const CONTENT_TYPE_JSON: &str = "application/json; charset=utf-8";

/// As it will be sent.
pub fn get_status(exchange: &Exchange) -> u16 {
    exchange.response.status
}

pub fn get_header<'e>(exchange: &'e Exchange, name: &[u8]) -> Option<&'e [u8]> {
    headers::first(&exchange.response.headers, name)
}

pub fn get_headers(exchange: &Exchange, max_headers: Option<usize>) -> Value {
    let limit = exchange.session.environment.limits.response_headers;
    headers::all(&exchange.response.headers, headers::limit(exchange, max_headers).unwrap_or(limit))
}

/// `service`, `exit` or `error`.
pub fn get_source(exchange: &Exchange) -> &'static str {
    exchange.source().as_str()
}

pub fn set_status(exchange: &mut Exchange, status: u16) -> Result<(), PdkError> {
    undecided(exchange)?.response.status = status;
    Ok(())
}

pub fn set_header(exchange: &mut Exchange, change: Change<'_>) -> Result<(), PdkError> {
    match end_to_end(exchange, change) {
        Some(change) => change.replace_in(&mut undecided(exchange)?.response.headers),
        None => Ok(()),
    }
}

pub fn add_header(exchange: &mut Exchange, change: Change<'_>) -> Result<(), PdkError> {
    match end_to_end(exchange, change) {
        Some(change) => change.add_to(&mut undecided(exchange)?.response.headers, &SINGLES),
        None => Ok(()),
    }
}

pub fn clear_header(exchange: &mut Exchange, name: &str) -> Result<(), PdkError> {
    undecided(exchange)?.response.headers.remove(&headers::dashed(name));
    Ok(())
}

/// [`set_header`] for each, an empty list clears; with an error in one of them none is set.
pub fn set_headers(exchange: &mut Exchange, changes: Vec<Change<'_>>) -> Result<(), PdkError> {
    undecided(exchange)?;
    let changes = end_to_end_changes(exchange, changes);
    headers::replace_all(&changes, &mut exchange.response.headers)
}

/// Answers the request; the headers replace those of the same name that earlier plugins set.
pub fn exit(
    exchange: &mut Exchange,
    status: u16,
    body: Content,
    headers: Vec<Change<'_>>,
) -> Result<(), PdkError> {
    undecided(exchange)?;
    let mut given = given_headers(exchange, headers)?;
    if grpc::is_request(exchange) && !grpc::has_grpc_type(&given) {
        given.remove(CONTENT_LENGTH);
        grpc::describe(&mut given, status, grpc::message(body).as_deref());
        answer(exchange, status, Bytes::new(), given);
        return Ok(());
    }
    let body = match body {
        Content::Nothing => {
            exit_without_body(exchange, status, given);
            return Ok(());
        }
        Content::Text(text) => text,
        Content::Json(json) => {
            if !given.contains(CONTENT_TYPE) {
                given.append(CONTENT_TYPE, CONTENT_TYPE_JSON);
            }
            json.into()
        }
    };
    drop_upstreams(exchange, &OF_ENCODED_BODIES);
    answer(exchange, status, body, given);
    Ok(())
}

/// [`exit`] where there is no request: only the statuses that such a session can end with, and no headers. The client
/// sees the body of a success; that of a failure is for the log.
pub fn exit_of_session(
    session: &mut Session,
    status: u16,
    body: Content,
    _headers: Vec<Change<'_>>,
) -> Result<(), PdkError> {
    if session.answer.is_some() {
        return Err(PdkError::thrown("headers have already been sent"));
    }
    if !matches!(status, 200 | 400 | 403 | 500 | 502 | 503) {
        return Err(PdkError::thrown("unacceptable code, only 200, 400, 403, 500, 502 and 503 are accepted"));
    }
    let mut body = match body {
        Content::Nothing => Bytes::new(),
        Content::Text(text) => text,
        Content::Json(json) => json.into(),
    };
    if status >= 400 {
        let text = String::from_utf8_lossy(&body);
        let message = format!("unable to proxy stream connection, status: {status}, err: {text}");
        log!(Error, "{}", super::log::tagged(session, &message));
        body = Bytes::new();
    }
    session.answer = Some(Answer { source: Source::Exit, status, body });
    Ok(())
}

/// Some statuses have a page, whose type is the client's choice; the others have no body.
fn exit_without_body(exchange: &mut Exchange, status: u16, mut given: Headers) {
    drop_upstreams(exchange, &OF_BODIES);
    if error_page::has_plain_page(status) {
        given.remove(CONTENT_LENGTH);
        given.insert(CONTENT_TYPE, PLAIN_PAGE_TYPE);
        return answer(exchange, status, error_page::plain(status), given);
    }
    if !has_page(status) {
        return answer(exchange, status, Bytes::new(), given);
    }
    let headers = &exchange.request.headers;
    let (accept, content_type) = (headers.joined("Accept"), headers.get(CONTENT_TYPE));
    let pages = &exchange.session.environment.error_pages;
    let (page, content_type) =
        pages.render_proxy(status, &exchange.session.id, accept.as_deref(), content_type);
    given.remove(CONTENT_LENGTH);
    given.insert(CONTENT_TYPE, content_type);
    // 494 is known inside only: it tells a head that is too large from other bad requests.
    answer(exchange, if status == 494 { 400 } else { status }, page, given);
}

/// The statuses for which the reference sends a page when a plugin gives no body.
fn has_page(status: u16) -> bool {
    matches!(status, 400 | 404 | 405 | 411..=414 | 417 | 494 | 500 | 502..=504)
}

/// Takes away what the upstream said of its own body, in whose place another one goes.
fn drop_upstreams(exchange: &mut Exchange, names: &[&str]) {
    if exchange.session.phase == Phase::Response {
        exchange
            .response
            .headers
            .retain(|name, _| !names.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name)));
    }
}

/// Answers with an error page: in the type that `headers` names, else in one the client accepts.
pub fn error(
    exchange: &mut Exchange,
    status: u16,
    message: Content,
    headers: Vec<Change<'_>>,
) -> Result<(), PdkError> {
    undecided(exchange)?;
    let message = match message {
        Content::Nothing => None,
        Content::Text(text) => Some(String::from_utf8_lossy(&text).into_owned()),
        Content::Json(json) => Some(json),
    };
    let mut given = given_headers(exchange, headers)?;
    given.remove(CONTENT_LENGTH);
    let mut body = Bytes::new();
    if grpc::has_grpc_type(&given) || (grpc::is_request(exchange) && !given.contains(CONTENT_TYPE)) {
        grpc::describe(&mut given, status, message.as_deref());
    } else {
        let wanted = given.text(CONTENT_TYPE);
        let accept = exchange.request.headers.joined("Accept");
        let pages = &exchange.session.environment.error_pages;
        let (page, content_type) =
            pages.render(status, message.as_deref(), &exchange.session.id, accept.as_deref(), wanted);
        let content_type = match wanted {
            Some(wanted) if Format::is_known(wanted) => with_charset(wanted),
            _ => content_type.to_owned(),
        };
        given.insert(CONTENT_TYPE, content_type);
        body = page;
    }
    drop_upstreams(exchange, &OF_ENCODED_BODIES);
    answer(exchange, status, body, given);
    Ok(())
}

fn answer(exchange: &mut Exchange, status: u16, body: Bytes, given: Headers) {
    let headers = &mut exchange.response.headers;
    for (name, _) in given.iter() {
        headers.remove(name);
    }
    if !given.contains(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, body.len().to_string());
    }
    headers.extend(given.iter());
    exchange.response.status = status;
    exchange.session.answer = Some(Answer { source: Source::Exit, status, body });
}

/// A type as the plugin gave it. Text is in another charset if nothing is said.
fn with_charset(content_type: &str) -> String {
    let lower = content_type.to_ascii_lowercase();
    let is_complete = !lower.starts_with("text/") || lower.contains("charset");
    if is_complete { content_type.to_owned() } else { format!("{content_type}; charset=UTF-8") }
}

/// The headers that `exit` and `error` were given.
fn given_headers(exchange: &Exchange, changes: Vec<Change<'_>>) -> Result<Headers, PdkError> {
    let mut given = Headers::new();
    headers::replace_all(&end_to_end_changes(exchange, changes), &mut given)?;
    Ok(given)
}

fn end_to_end_changes<'a>(exchange: &Exchange, changes: Vec<Change<'a>>) -> Vec<Change<'a>> {
    changes.into_iter().filter_map(|change| end_to_end(exchange, change)).collect()
}

/// The change, unless it concerns the connection to the client, which is the gateway's.
fn end_to_end<'a>(exchange: &Exchange, change: Change<'a>) -> Option<Change<'a>> {
    let change = change.with_dashes();
    if !change.is_of_one_connection() {
        return Some(change);
    }
    let message = format!("manually setting {}: ignored, the gateway does that itself", change.name);
    log!(Warn, "{}", super::log::tagged(&exchange.session, &message));
    None
}

/// The exchange, as long as nobody has decided the response.
fn undecided(exchange: &mut Exchange) -> Result<&mut Exchange, PdkError> {
    match exchange.session.answer {
        None => Ok(exchange),
        Some(_) => Err(PdkError::thrown("headers have already been sent")),
    }
}

#[cfg(test)]
mod tests;
