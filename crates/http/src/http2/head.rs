//! Heads of HTTP/2: requests as HTTP/1 has them, responses as HTTP/2 does.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use polygate_http1::{Framing, Headers, Limits, Refused, RequestHead, RequestParser, write};

/// What concerns one connection, which HTTP/2 says otherwise (RFC 9113, section 8.2.2).
const OF_CONNECTION: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The head as it would be in HTTP/1.1, having passed the same rules and limits: what a request is cannot depend on the
/// version that it came in, nor become another one on its way to an upstream (RFC 9113, section 10.3). `has_body` is
/// whether something follows. `None` is nothing that could be answered.
pub fn request(
    request: &Request<impl Sized>,
    has_body: bool,
    limits: Limits,
) -> Result<Option<RequestHead>, Box<Refused>> {
    let mut parsed = RequestParser::new(limits).parse(&as_text(request));
    match &mut parsed {
        Ok(None) => {}
        Ok(Some(head)) => {
            head.version = Version::HTTP_2;
            head.expects_continue = false;
            // Whether a body is as empty as it was said to be shows at its end.
            if has_body && head.framing.is_empty() {
                head.framing = Framing::Chunked;
            }
        }
        Err(refused) => {
            refused.version = Version::HTTP_2;
            if let Some(start) = refused.line.strip_suffix(b"HTTP/1.1") {
                refused.line = [start, b"HTTP/2.0"].concat();
            }
        }
    }
    parsed
}

/// The types of `request` hold neither line ends nor, in method and path, blanks: each part stays what it is.
fn as_text(request: &Request<impl Sized>) -> Vec<u8> {
    let uri = request.uri();
    let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
    // Only CONNECT has none.
    let target = uri.path_and_query().map_or(b"*".as_slice(), |target| target.as_str().as_bytes());
    let mut text = Vec::with_capacity(1024);
    write::request_line(&mut text, request.method(), target);
    if let Some(authority) = authority {
        write::line(&mut text, "host", authority);
    }
    for (name, value) in request.headers() {
        let value = value.as_bytes();
        let is_authority = || authority.is_some_and(|authority| authority == value);
        if name != "cookie" && !(name == "host" && is_authority()) {
            write::line(&mut text, name, value);
        }
    }
    // Clients may take them apart for compression (RFC 9113, section 8.2.3).
    let cookies: Vec<&[u8]> = request.headers().get_all("cookie").iter().map(HeaderValue::as_bytes).collect();
    if !cookies.is_empty() {
        write::line(&mut text, "cookie", &cookies.join(&b"; "[..]));
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// The head of a response; `date` is a `Date` of the gateway's.
pub fn response(status: u16, date: Option<&str>, headers: &Headers) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let map = response.headers_mut();
    map.reserve(headers.len() + 1);
    if let Some(date) = date.and_then(|date| HeaderValue::from_str(date).ok()) {
        map.insert(http::header::DATE, date);
    }
    fill(map, headers);
    response
}

/// The lines behind a body.
pub fn trailers(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len());
    fill(&mut map, headers);
    map
}

/// The values lie in one buffer, so that each costs no allocation.
fn fill(map: &mut HeaderMap, headers: &Headers) {
    let mut values = BytesMut::with_capacity(headers.wire_length());
    headers.lines().for_each(|(_, value)| values.extend_from_slice(value));
    let mut values = values.freeze();
    for (name, value) in headers.lines() {
        let value = HeaderValue::from_maybe_shared(values.split_to(value.len()));
        // What HTTP/1 lets pass and HTTP/2 does not are names that no reader could have told apart.
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) else { continue };
        if !OF_CONNECTION.contains(&name.as_str()) {
            map.append(name, value);
        }
    }
}
