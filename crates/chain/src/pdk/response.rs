//! `kong.response`: the response to the client, and answering in the upstream's place.

use bytes::Bytes;
use polygate_http1::Headers;
use polygate_telemetry::log;

use crate::error_page::Format;
use crate::pdk::headers::{self, Change};
use crate::pdk::{PdkError, PdkResult, args, grpc};
use crate::{Answer, Exchange, Phase, Source, Value};

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
pub fn get_status(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(Value::Int(context.response.status.into()))
}

pub fn get_header(context: &mut Exchange, args: &[Value]) -> PdkResult {
    headers::get(&context.response.headers, args, "header name")
}

pub fn get_headers(context: &mut Exchange, args: &[Value]) -> PdkResult {
    headers::get_all(&context.response.headers, args, context.session.environment.limits.response_headers)
}

/// `service`, `exit` or `error`.
pub fn get_source(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(context.source().as_str().into())
}

pub fn set_status(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let status = status(args, 100)?;
    undecided(context)?.response.status = status;
    Ok(Value::Nil)
}

pub fn set_header(context: &mut Exchange, args: &[Value]) -> PdkResult {
    if let Some(change) = end_to_end(context, Change::from_args(args)?) {
        change.replace_in(&mut undecided(context)?.response.headers)?;
    }
    Ok(Value::Nil)
}

pub fn add_header(context: &mut Exchange, args: &[Value]) -> PdkResult {
    if let Some(change) = end_to_end(context, Change::from_args(args)?) {
        change.add_to(&mut undecided(context)?.response.headers, &SINGLES)?;
    }
    Ok(Value::Nil)
}

pub fn clear_header(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let name = headers::dashed(headers::name_argument(args, "header name")?);
    undecided(context)?.response.headers.remove(&name);
    Ok(Value::Nil)
}

/// [`set_header`] for each, an empty list clears; with an error in one of them none is set.
pub fn set_headers(context: &mut Exchange, args: &[Value]) -> PdkResult {
    undecided(context)?;
    let changes = end_to_end_changes(context, args::at(args, 0))?;
    headers::replace_all(&changes, &mut context.response.headers)?;
    Ok(Value::Nil)
}

/// Answers the request: status, body (string, table or nil) and headers, which replace those of the
/// same name that earlier plugins set.
pub fn exit(context: &mut Exchange, args: &[Value]) -> PdkResult {
    undecided(context)?;
    let status = status(args, 100)?;
    let (body, is_json) = match args::at(args, 1) {
        Value::Nil => (Bytes::new(), false),
        Value::Str(body) => (body.clone(), false),
        table @ (Value::List(_) | Value::Map(_)) => (Bytes::from(table.to_json().to_string()), true),
        _ => return Err(args::wrong_type("body", "a nil, string or table")),
    };
    if context.session.phase == Phase::Preread {
        return exit_stream(context, status, body);
    }
    let mut given = given_headers(context, args)?;
    if grpc::is_request(context) && !grpc::has_grpc_type(&given) {
        given.remove(CONTENT_LENGTH);
        let message = grpc::message(&body, is_json);
        grpc::describe(&mut given, status, message.as_deref());
        answer(context, status, Bytes::new(), given);
        return Ok(Value::Nil);
    }
    if args::at(args, 1).is_nil() {
        return exit_without_body(context, status, given);
    }
    if is_json && !given.contains(CONTENT_TYPE) {
        given.append(CONTENT_TYPE, CONTENT_TYPE_JSON);
    }
    drop_upstreams(context, &OF_ENCODED_BODIES);
    answer(context, status, body, given);
    Ok(Value::Nil)
}

/// Some statuses have a page, whose type is the client's choice; the others have no body.
fn exit_without_body(context: &mut Exchange, status: u16, mut given: Headers) -> PdkResult {
    drop_upstreams(context, &OF_BODIES);
    if !has_page(status) {
        answer(context, status, Bytes::new(), given);
        return Ok(Value::Nil);
    }
    let headers = &context.request.headers;
    let (accept, content_type) = (headers.joined("Accept"), headers.get(CONTENT_TYPE));
    let pages = &context.session.environment.error_pages;
    let (page, content_type) =
        pages.render_proxy(status, &context.session.id, accept.as_deref(), content_type);
    given.remove(CONTENT_LENGTH);
    given.insert(CONTENT_TYPE, content_type);
    // 494 is known inside only: it tells a head that is too large from other bad requests.
    answer(context, if status == 494 { 400 } else { status }, page, given);
    Ok(Value::Nil)
}

/// The statuses for which the reference sends a page when a plugin gives no body.
fn has_page(status: u16) -> bool {
    matches!(status, 400 | 404 | 405 | 411..=414 | 417 | 494 | 500 | 502..=504)
}

/// Takes away what the upstream said of its own body, in whose place another one goes.
fn drop_upstreams(context: &mut Exchange, names: &[&str]) {
    if context.session.phase == Phase::Response {
        context
            .response
            .headers
            .retain(|name, _| !names.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name)));
    }
}

/// Answers with an error page: in the type that `headers` names, else in one the client accepts.
pub fn error(context: &mut Exchange, args: &[Value]) -> PdkResult {
    undecided(context)?;
    let status = status(args, 400)?;
    let message = match args::at(args, 1) {
        Value::Nil => None,
        Value::Str(text) => Some(String::from_utf8_lossy(text).into_owned()),
        table @ (Value::List(_) | Value::Map(_)) => Some(table.to_json().to_string()),
        _ => return Err(args::wrong_type("message", "a nil, string or table")),
    };
    let mut given = given_headers(context, args)?;
    given.remove(CONTENT_LENGTH);
    let mut body = Bytes::new();
    if grpc::has_grpc_type(&given) || (grpc::is_request(context) && !given.contains(CONTENT_TYPE)) {
        grpc::describe(&mut given, status, message.as_deref());
    } else {
        let wanted = given.text(CONTENT_TYPE);
        let accept = context.request.headers.joined("Accept");
        let pages = &context.session.environment.error_pages;
        let (page, content_type) =
            pages.render(status, message.as_deref(), &context.session.id, accept.as_deref(), wanted);
        let content_type = match wanted {
            Some(wanted) if Format::is_known(wanted) => with_charset(wanted),
            _ => content_type.to_owned(),
        };
        given.insert(CONTENT_TYPE, content_type);
        body = page;
    }
    drop_upstreams(context, &OF_ENCODED_BODIES);
    answer(context, status, body, given);
    Ok(Value::Nil)
}

/// On a stream there are no headers, and only the statuses that such a session can end with. The
/// client sees the body of a success; that of a failure is for the log.
fn exit_stream(context: &mut Exchange, status: u16, mut body: Bytes) -> PdkResult {
    if !matches!(status, 200 | 400 | 403 | 500 | 502 | 503) {
        return Err(PdkError::thrown("unacceptable code, only 200, 400, 403, 500, 502 and 503 are accepted"));
    }
    if status >= 400 {
        let text = String::from_utf8_lossy(&body);
        let message = format!("unable to proxy stream connection, status: {status}, err: {text}");
        log!(Error, "{}", super::log::tagged(context, &message));
        body = Bytes::new();
    }
    context.response.status = status;
    context.session.answer = Some(Answer { source: Source::Exit, body });
    Ok(Value::Nil)
}

fn answer(context: &mut Exchange, status: u16, body: Bytes, given: Headers) {
    let headers = &mut context.response.headers;
    for (name, _) in given.iter() {
        headers.remove(name);
    }
    if !given.contains(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, body.len().to_string());
    }
    headers.extend(given.iter());
    context.response.status = status;
    context.session.answer = Some(Answer { source: Source::Exit, body });
}

/// A type as the plugin gave it. Text is in another charset if nothing is said.
fn with_charset(content_type: &str) -> String {
    let lower = content_type.to_ascii_lowercase();
    let is_complete = !lower.starts_with("text/") || lower.contains("charset");
    if is_complete { content_type.to_owned() } else { format!("{content_type}; charset=UTF-8") }
}

/// The third argument of `exit` and `error`.
fn given_headers(context: &Exchange, args: &[Value]) -> Result<Headers, PdkError> {
    let mut given = Headers::new();
    let argument = args::at(args, 2);
    if argument.is_nil() {
        return Ok(given);
    }
    args::table(argument).ok_or_else(|| args::wrong_type("headers", "a nil or table"))?;
    headers::replace_all(&end_to_end_changes(context, argument)?, &mut given)?;
    Ok(given)
}

fn end_to_end_changes(context: &Exchange, headers: &Value) -> Result<Vec<Change>, PdkError> {
    Ok(Change::all(headers)?.into_iter().filter_map(|change| end_to_end(context, change)).collect())
}

/// The change, unless it concerns the connection to the client, which is the gateway's.
fn end_to_end(context: &Exchange, change: Change) -> Option<Change> {
    let change = change.with_dashes();
    if !change.is_of_one_connection() {
        return Some(change);
    }
    let message = format!("manually setting {}: ignored, the gateway does that itself", change.name);
    log!(Warn, "{}", super::log::tagged(context, &message));
    None
}

/// An informational status is refused: the client would go on waiting for the response.
fn status(args: &[Value], low: u16) -> Result<u16, PdkError> {
    if !matches!(args::at(args, 0), Value::Int(_) | Value::Float(_)) {
        return Err(args::wrong_type("code", "a number"));
    }
    let status = args::at(args, 0).as_int().and_then(|status| u16::try_from(status).ok());
    match status.filter(|status| (low..=599).contains(status)) {
        Some(status @ 100..200) => {
            Err(PdkError::thrown(format!("code {status} does not end a response, use 200 to 599")))
        }
        Some(status) => Ok(status),
        None => Err(PdkError::thrown(format!("code must be a number between {low} and 599"))),
    }
}

/// The context, as long as nobody has decided the response.
fn undecided(context: &mut Exchange) -> Result<&mut Exchange, PdkError> {
    match context.session.answer {
        None => Ok(context),
        Some(_) => Err(PdkError::thrown("headers have already been sent")),
    }
}

#[cfg(test)]
mod tests;
