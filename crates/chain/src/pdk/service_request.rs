//! `kong.service.request`: changes to the request before it goes upstream.

use bytes::Bytes;
use http::Method;
use polygate_http1::is_value;

use crate::pdk::headers::{self, Change};
use crate::pdk::{PdkError, payload, query, request, service};
use crate::{Exchange, Session, Value};

/// Bytes of a path or a query that leave room for the other: servers take 64 KiB in all at the most.
const LONGEST_PART: usize = 32 * 1024 - 2;

const HOST: &str = "Host";

/// What a request has one line of, as nginx has it.
const SINGLES: [&str; 14] = [
    "Accept-Encoding",
    "Authorization",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Expect",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
    "Referer",
    "User-Agent",
];

const METHODS: [&str; 15] = [
    "GET",
    "HEAD",
    "PUT",
    "POST",
    "DELETE",
    "OPTIONS",
    "MKCOL",
    "COPY",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "PATCH",
    "TRACE",
];

/// `http` or `https`; the port stays.
pub fn set_scheme(exchange: &mut Exchange, scheme: &str) -> Result<(), PdkError> {
    if !matches!(scheme, "http" | "https") {
        return Err(PdkError::thrown(format!("invalid scheme: {scheme}")));
    }
    exchange.session.upstream.scheme = Some(scheme.to_owned().into());
    Ok(())
}

/// Replaces the upstream's path. What cannot stand in a path is percent-encoded; so is `#`, at which a request
/// target would end.
pub fn set_path(exchange: &mut Exchange, path: &[u8]) -> Result<(), PdkError> {
    if !path.starts_with(b"/") {
        return Err(PdkError::thrown("path must start with /"));
    }
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"!$&'()*+,/:;=?@[]-_.~%".contains(&byte);
    exchange.session.upstream.path = Some(checked_length("path", query::percent_encode(path, stays))?);
    Ok(())
}

/// As it is, except that bytes no request line can carry are percent-encoded: blanks, controls, and `#`, at which a
/// target would end.
pub fn set_raw_query(exchange: &mut Exchange, query: &[u8]) -> Result<(), PdkError> {
    let stays = |byte: u8| byte > b' ' && !matches!(byte, b'#' | 0x7f);
    set_query_text(exchange, query::percent_encode_bytes(query, stays))
}

pub fn set_method(exchange: &mut Exchange, name: &str) -> Result<(), PdkError> {
    exchange.request.method = Some(name)
        .filter(|name| METHODS.contains(name))
        .and_then(|name| Method::from_bytes(name.as_bytes()).ok())
        .ok_or_else(|| PdkError::thrown(format!("invalid method: {name}")))?;
    Ok(())
}

pub fn set_query(exchange: &mut Exchange, args: &Value) -> Result<(), PdkError> {
    set_query_text(exchange, query::encode(args)?)
}

/// Removes every occurrence; the others keep their order.
pub fn clear_query_arg(exchange: &mut Exchange, name: &[u8]) -> Result<(), PdkError> {
    set_query_text(exchange, query::without(request::get_raw_query(exchange), name))
}

pub fn set_header(exchange: &mut Exchange, change: Change<'_>) -> Result<(), PdkError> {
    replace(exchange, vec![change])
}

/// Appends, in order. A request has one `Host` only, so that one is replaced.
pub fn add_header(exchange: &mut Exchange, change: Change<'_>) -> Result<(), PdkError> {
    if change.is_named(HOST) {
        return replace(exchange, vec![change]);
    }
    let name = change.name.clone();
    change.add_to(&mut exchange.request.headers, &SINGLES)?;
    headers::keep_end_to_end(&mut exchange.request.headers, &name);
    Ok(())
}

pub fn clear_header(exchange: &mut Exchange, name: &str) {
    if name.eq_ignore_ascii_case(HOST) {
        exchange.session.upstream.host_header = None;
    }
    exchange.request.headers.remove(name);
}

/// [`set_header`] for each; with an error in one of them none is set.
pub fn set_headers(exchange: &mut Exchange, changes: Vec<Change<'_>>) -> Result<(), PdkError> {
    replace(exchange, changes)
}

pub fn set_raw_body(exchange: &mut Exchange, body: &Bytes) {
    exchange.request.headers.insert("Content-Length", body.len().to_string());
    exchange.request.headers.remove("Transfer-Encoding");
    exchange.request_body.replace(body.clone());
}

/// A table as a form, as JSON or as multipart: by `mimetype`, else by the request's type.
pub fn set_body(exchange: &mut Exchange, args: &Value, mimetype: Option<&str>) -> Result<(), PdkError> {
    let header = headers::first(&exchange.request.headers, b"content-type");
    let header = header.and_then(|header| str::from_utf8(header).ok());
    let content_type = mimetype.or(header).ok_or_else(|| {
        PdkError::returned("content type was neither explicitly given as an argument or received as a header")
    })?;
    let (body, content_type) = payload::encode(args, content_type, &exchange.session.id)?;
    if !is_value(content_type.as_bytes()) {
        return Err(PdkError::thrown(format!("mime is no header value: {content_type:?}")));
    }
    set_raw_body(exchange, &body);
    exchange.request.headers.insert("Content-Type", content_type);
    Ok(())
}

/// The response of this request is read completely before the client gets it.
pub fn enable_buffering(exchange: &mut Exchange) {
    exchange.buffering = true;
}

/// On a stream: a plain connection to the upstream.
pub fn disable_tls(session: &mut Session) {
    session.upstream.scheme = Some("tcp".into());
}

/// On a stream: TLS to the upstream.
pub fn enable_tls(session: &mut Session) {
    session.upstream.scheme = Some("tls".into());
}

fn set_query_text(exchange: &mut Exchange, text: impl Into<Bytes>) -> Result<(), PdkError> {
    let text = checked_length("query", text.into())?;
    exchange.request.query = Some(text).filter(|text| !text.is_empty());
    Ok(())
}

fn checked_length<T: AsRef<[u8]>>(what: &str, text: T) -> Result<T, PdkError> {
    match text.as_ref().len() {
        ..=LONGEST_PART => Ok(text),
        length => Err(PdkError::thrown(format!(
            "{what} is {length} bytes long when encoded: {LONGEST_PART} is the most"
        ))),
    }
}

/// With an error nothing is changed. A request has one `Host`, which goes upstream as it is.
fn replace(exchange: &mut Exchange, mut changes: Vec<Change<'_>>) -> Result<(), PdkError> {
    for change in changes.iter_mut().filter(|change| change.is_named(HOST)) {
        if let Some(host) = change.values.iter().find(|host| !service::is_host(host)) {
            let host = String::from_utf8_lossy(host);
            return Err(PdkError::thrown(format!("invalid Host {host:?}: give a name or an address")));
        }
        change.values.truncate(1);
    }
    headers::replace_all(&changes, &mut exchange.request.headers)?;
    for change in &changes {
        headers::keep_end_to_end(&mut exchange.request.headers, &change.name);
        if change.is_named(HOST) {
            let host = change.values.first().map(|host| String::from_utf8_lossy(host).into_owned());
            // An empty one stands for the host that the request would have gone to anyway.
            exchange.session.upstream.host_header = host.filter(|host| !host.is_empty());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BodyError;
    use crate::pdk::fixture::{self, call, thrown};
    use serde_json::json;

    #[test]
    fn paths_are_encoded() {
        for (path, expected) in [
            ("/a b/ä?x", "/a%20b/%C3%A4?x"),
            ("/%20%zz\"<", "/%20%zz%22%3C"),
            ("/!#$&'()*+,/:;=?@[]-_.~", "/!%23$&'()*+,/:;=?@[]-_.~"),
            ("/a HTTP/1.1\r\nHost: x\r\n\r\n", "/a%20HTTP/1.1%0D%0AHost:%20x%0D%0A%0D%0A"),
        ] {
            let exchange = &mut fixture::routed("/");
            call(exchange, "kong.service.request.set_path", &[path.into()]).unwrap();
            assert_eq!(exchange.session.upstream.path.as_deref(), Some(expected), "of {path}");
        }
        let exchange = &mut fixture::routed("/");
        assert_eq!(
            call(exchange, "kong.service.request.set_path", &["a".into()]),
            thrown("path must start with /")
        );
        assert_eq!(call(exchange, "kong.service.request.set_path", &[]), thrown("path must be a string"));
    }

    #[test]
    fn words_are_checked() {
        let exchange = &mut fixture::routed("/");
        assert_eq!(
            call(exchange, "kong.service.request.set_scheme", &["ftp".into()]),
            thrown("invalid scheme: ftp")
        );
        assert_eq!(
            call(exchange, "kong.service.request.set_method", &["get".into()]),
            thrown("invalid method: get")
        );
        assert_eq!(
            call(exchange, "kong.service.request.set_method", &["BREW".into()]),
            thrown("invalid method: BREW")
        );
        call(exchange, "kong.service.request.set_scheme", &["https".into()]).unwrap();
        call(exchange, "kong.service.request.set_method", &["MKCOL".into()]).unwrap();
        assert_eq!(exchange.session.upstream.scheme.as_deref(), Some("https"));
        assert_eq!(exchange.request.method.as_str(), "MKCOL");
    }

    #[test]
    fn queries_change_in_place() {
        let exchange = &mut fixture::exchange("GET", "/?a=1&b=2&a", &[]);
        call(exchange, "kong.service.request.clear_query_arg", &["a".into()]).unwrap();
        assert_eq!(exchange.request.query, Some("b=2".into()));
        call(
            exchange,
            "kong.service.request.set_query",
            &[Value::from(&json!({"foo": "hello world", "a": true}))],
        )
        .unwrap();
        assert_eq!(request::get_raw_query(exchange), "a&foo=hello%20world");
        call(exchange, "kong.service.request.set_raw_query", &["x=\r\n&y=%41".into()]).unwrap();
        assert_eq!(exchange.request.query, Some("x=%0D%0A&y=%41".into()));
        call(exchange, "kong.service.request.set_raw_query", &["a=\"#<>{}|\\^`".into()]).unwrap();
        assert_eq!(exchange.request.query, Some("a=\"%23<>{}|\\^`".into()));
        let bytes = Value::str(b"\xc3\xa9=\xff \x00\x7f");
        call(exchange, "kong.service.request.set_raw_query", &[bytes]).unwrap();
        assert_eq!(exchange.request.query.as_deref(), Some(b"\xc3\xa9=\xff%20%00%7F".as_slice()));
        call(exchange, "kong.service.request.set_raw_query", &["".into()]).unwrap();
        assert_eq!(exchange.request.query, None);
        assert_eq!(exchange.request.target, "/?a=1&b=2&a");
    }

    #[test]
    fn headers_replace_and_append() {
        let exchange = &mut fixture::exchange("GET", "/", &[("x-a", "0"), ("x-b", "0")]);
        call(exchange, "kong.service.request.set_header", &["X-A".into(), "1".into()]).unwrap();
        call(exchange, "kong.service.request.add_header", &["x-a".into(), Value::from_iter(["2", "3"])])
            .unwrap();
        call(exchange, "kong.service.request.set_headers", &[Value::from(&json!({"x-b": [], "x-c": 5}))])
            .unwrap();
        let headers = headers::all(&exchange.request.headers, 100).to_json();
        assert_eq!(headers, json!({"x-a": ["1", "2", "3"], "x-c": "5"}));
        for (name, value) in
            [("Content-Type", "a/a"), ("content-type", "b/b"), ("Accept", "a"), ("Accept", "b")]
        {
            call(exchange, "kong.service.request.add_header", &[name.into(), value.into()]).unwrap();
        }
        assert_eq!(exchange.request.headers.get_all("content-type").collect::<Vec<_>>(), [b"b/b"]);
        assert_eq!(exchange.request.headers.get_all("accept").collect::<Vec<_>>(), [b"a", b"b"]);
        call(exchange, "kong.service.request.clear_header", &["X-A".into()]).unwrap();
        assert!(!exchange.request.headers.contains("x-a"));
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let exchange = &mut fixture::exchange("GET", "/", &[("connection", "x-b")]);
        call(exchange, "kong.service.request.set_header", &["a".into(), Value::from_iter(vec!["v"; 998])])
            .unwrap();
        let before = exchange.request.headers.clone();
        let changes = json!({"host": "a.test", "x-b": ["1"], "x-c": "1"});
        let error = "no room for 1 lines of header \"x-b\": a head has 1000 lines at the most";
        assert_eq!(
            call(exchange, "kong.service.request.set_headers", &[Value::from(&changes)]),
            thrown(error)
        );
        assert!(
            call(exchange, "kong.service.request.add_header", &["x-b".into(), Value::from_iter(["1", "2"])])
                .is_err()
        );
        assert_eq!(exchange.request.headers, before);
        assert_eq!(exchange.session.upstream.host_header, None);
    }

    #[test]
    fn host_goes_upstream_too() {
        let exchange = &mut fixture::exchange("GET", "/", &[("host", "a.test")]);
        call(exchange, "kong.service.request.set_header", &["Host".into(), "b.test:1".into()]).unwrap();
        assert_eq!(exchange.session.upstream.host_header.as_deref(), Some("b.test:1"));
        assert_eq!(request::get_host(exchange), "b.test");
        call(exchange, "kong.service.request.add_header", &["HOST".into(), "c.test".into()]).unwrap();
        assert_eq!(exchange.request.headers.get_all(HOST).count(), 1);
        call(exchange, "kong.service.request.clear_header", &["host".into()]).unwrap();
        assert_eq!(exchange.session.upstream.host_header, None);
    }

    #[test]
    fn hosts_are_checked() {
        let exchange = &mut fixture::exchange("GET", "/", &[("host", "a.test")]);
        for host in ["b.test:80", "[::1]:80", "10.0.0.1", "under_score", "x%20y"] {
            call(exchange, "kong.service.request.set_header", &["Host".into(), host.into()]).unwrap();
            assert_eq!(exchange.session.upstream.host_header.as_deref(), Some(host));
        }
        for host in ["a b", "a/b", "a@b", "a\\b", "a?b", "a#b", "ä", "a\tb", "a<b"] {
            let error = call(exchange, "kong.service.request.set_header", &["Host".into(), host.into()])
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("invalid Host \""), "{host}: {error}");
            assert!(
                call(
                    exchange,
                    "kong.service.request.set_headers",
                    &[Value::from(&json!({"x-z": "1", "host": host}))]
                )
                .is_err()
            );
        }
        assert!(!exchange.request.headers.contains("x-z"), "none is set");
        assert_eq!(exchange.session.upstream.host_header.as_deref(), Some("x%20y"));
    }

    #[test]
    fn every_target_can_be_sent() {
        let target = |exchange: &Exchange| {
            let path = exchange.session.upstream.path.as_ref().unwrap();
            [path.as_bytes(), b"?", request::get_raw_query(exchange)].concat()
        };
        // What ends a target, a line or a head.
        let can_be_sent = |target: &[u8]| target.iter().all(|&it| it > b' ' && it != 0x7f && it != b'#');
        let exchange = &mut fixture::routed("/");
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        call(exchange, "kong.service.request.set_path", &[Value::str([b"/".as_slice(), &bytes].concat())])
            .unwrap();
        call(exchange, "kong.service.request.set_raw_query", &[Value::str(bytes)]).unwrap();
        assert!(can_be_sent(&target(exchange)), "nothing is cut off");

        let long = "x".repeat(LONGEST_PART + 1);
        let error = thrown("query is 32767 bytes long when encoded: 32766 is the most");
        assert_eq!(call(exchange, "kong.service.request.set_raw_query", &[long.as_str().into()]), error);
        let error = thrown("path is 32767 bytes long when encoded: 32766 is the most");
        assert_eq!(
            call(exchange, "kong.service.request.set_path", &[long.replacen('x', "/", 1).as_str().into()]),
            error
        );
        call(exchange, "kong.service.request.set_raw_query", &[long[1..].into()]).unwrap();
        call(exchange, "kong.service.request.set_path", &[long[1..].replacen('x', "/", 1).as_str().into()])
            .unwrap();
        assert!(target(exchange).len() < 64 * 1024, "both together can be sent");
    }

    #[test]
    fn the_client_does_not_remove_what_plugins_set() {
        let exchange = &mut fixture::exchange("GET", "/", &[("connection", "close, X-Gate, X-More")]);
        call(exchange, "kong.service.request.set_header", &["x-gate".into(), "1".into()]).unwrap();
        call(exchange, "kong.service.request.add_header", &["x-more".into(), "1".into()]).unwrap();
        assert_eq!(exchange.request.headers.text("connection"), Some("close"));
    }

    #[test]
    fn a_failed_body_stays_failed() {
        let exchange = &mut fixture::exchange("POST", "/", &[]);
        exchange.request_body = fixture::upload("abc", Err(BodyError::Timeout));
        assert!(fixture::dispatched(&mut *exchange, "kong.request.get_raw_body", &[]).is_err());
        call(exchange, "kong.service.request.set_raw_body", &["abc".into()]).unwrap();
        assert_eq!(exchange.request_body.failure().unwrap().status(), 408);
    }

    #[test]
    fn bodies_bring_their_headers() {
        let exchange = &mut fixture::exchange("POST", "/", &[("transfer-encoding", "chunked")]);
        call(exchange, "kong.service.request.set_raw_body", &["abc".into()]).unwrap();
        let headers = headers::all(&exchange.request.headers, 100).to_json();
        assert_eq!(headers, json!({"content-length": "3"}));
        let table = Value::from(&json!({"b": "x y", "a": 1}));
        let error = "content type was neither explicitly given as an argument or received as a header";
        assert_eq!(
            call(exchange, "kong.service.request.set_body", std::slice::from_ref(&table)),
            Err(PdkError::returned(error))
        );
        call(exchange, "kong.service.request.set_body", &[table, "application/x-www-form-urlencoded".into()])
            .unwrap();
        assert_eq!(exchange.request_body.held().unwrap().bytes().unwrap(), "a=1&b=x%20y");
        assert_eq!(exchange.request.headers.text("content-length"), Some("11"));
        assert_eq!(exchange.request.headers.text("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(
            call(exchange, "kong.service.request.set_body", &[Value::Nil]),
            thrown("args must be a table")
        );
        assert_eq!(
            call(exchange, "kong.service.request.set_raw_body", &[Value::Nil]),
            thrown("body must be a string")
        );
    }
}
