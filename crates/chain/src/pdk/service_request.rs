//! `kong.service.request`: changes to the request before it goes upstream.

use bytes::Bytes;
use http::Method;
use polygate_http1::is_value;

use crate::pdk::headers::{self, Change};
use crate::pdk::{PdkError, PdkResult, args, payload, query, request, service};
use crate::{Exchange, Value};

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
pub fn set_scheme(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let scheme = args::text(args, 0, "scheme")?;
    if !matches!(scheme, "http" | "https") {
        return Err(PdkError::thrown(format!("invalid scheme: {scheme}")));
    }
    context.session.upstream.scheme = Some(scheme.to_owned().into());
    Ok(Value::Nil)
}

/// Replaces the upstream's path. What cannot stand in a path is percent-encoded; so is `#`, at which a request
/// target would end.
pub fn set_path(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let path = args::string(args, 0, "path")?;
    if !path.starts_with(b"/") {
        return Err(PdkError::thrown("path must start with /"));
    }
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"!$&'()*+,/:;=?@[]-_.~%".contains(&byte);
    context.session.upstream.path = Some(checked_length("path", query::percent_encode(path, stays))?);
    Ok(Value::Nil)
}

/// As it is, except that bytes no request line can carry are percent-encoded.
pub fn set_raw_query(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let stays = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>".contains(&byte);
    set_query_text(context, query::percent_encode(args::string(args, 0, "query")?, stays))
}

pub fn set_method(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let name = args::text(args, 0, "method")?;
    context.request.method = Some(name)
        .filter(|name| METHODS.contains(name))
        .and_then(|name| Method::from_bytes(name.as_bytes()).ok())
        .ok_or_else(|| PdkError::thrown(format!("invalid method: {name}")))?;
    Ok(Value::Nil)
}

pub fn set_query(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let text = query::encode(args::at(args, 0))?;
    set_query_text(context, text)
}

/// Removes every occurrence; the others keep their order.
pub fn clear_query_arg(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let text = query::without(request::raw_query(context), args::string(args, 0, "query argument name")?);
    set_query_text(context, text)
}

pub fn set_header(context: &mut Exchange, args: &[Value]) -> PdkResult {
    replace(context, vec![Change::from_args(args)?])?;
    Ok(Value::Nil)
}

/// Appends, in order. A request has one `Host` only, so that one is replaced.
pub fn add_header(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let change = Change::from_args(args)?;
    if change.is_named(HOST) {
        replace(context, vec![change])?;
    } else {
        let name = change.name.clone();
        change.add_to(&mut context.request.headers, &SINGLES)?;
        headers::keep_end_to_end(&mut context.request.headers, &name);
    }
    Ok(Value::Nil)
}

pub fn clear_header(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let name = headers::name_argument(args, "header")?;
    if name.eq_ignore_ascii_case(HOST) {
        context.session.upstream.host_header = None;
    }
    context.request.headers.remove(name);
    Ok(Value::Nil)
}

/// [`set_header`] for each; with an error in one of them none is set.
pub fn set_headers(context: &mut Exchange, args: &[Value]) -> PdkResult {
    replace(context, Change::all(args::at(args, 0))?)?;
    Ok(Value::Nil)
}

pub fn set_raw_body(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let body = args::string(args, 0, "body")?;
    context.request.headers.insert("Content-Length", body.len().to_string());
    context.request.headers.remove("Transfer-Encoding");
    context.request_body.replace(body.clone());
    Ok(Value::Nil)
}

/// A table as a form, as JSON or as multipart: by the second argument, else by the request's type.
pub fn set_body(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let given = args::optional_text(args, 1, "mime")?;
    let header = headers::first(&context.request.headers, b"content-type");
    let content_type = given.or(header.as_str()).ok_or_else(|| {
        PdkError::returned("content type was neither explicitly given as an argument or received as a header")
    })?;
    let (body, content_type) = payload::encode(args::at(args, 0), content_type, &context.session.id)?;
    if !is_value(content_type.as_bytes()) {
        return Err(PdkError::thrown(format!("mime is no header value: {content_type:?}")));
    }
    set_raw_body(context, &[Value::Str(body)])?;
    context.request.headers.insert("Content-Type", content_type);
    Ok(Value::Bool(true))
}

/// The response of this request is read completely before the client gets it.
pub fn enable_buffering(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    context.buffering = true;
    Ok(Value::Nil)
}

/// On a stream: a plain connection to the upstream.
pub fn disable_tls(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    context.session.upstream.scheme = Some("tcp".into());
    Ok(Value::Bool(true))
}

/// On a stream: TLS to the upstream.
pub fn enable_tls(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    context.session.upstream.scheme = Some("tls".into());
    Ok(Value::Bool(true))
}

fn set_query_text(context: &mut Exchange, text: impl Into<Bytes>) -> PdkResult {
    let text = checked_length("query", text.into())?;
    context.request.query = Some(text).filter(|text| !text.is_empty());
    Ok(Value::Nil)
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
fn replace(context: &mut Exchange, mut changes: Vec<Change>) -> Result<(), PdkError> {
    for change in changes.iter_mut().filter(|change| change.is_named(HOST)) {
        if let Some(host) = change.values.iter().find(|host| !service::is_host(host)) {
            let host = String::from_utf8_lossy(host);
            return Err(PdkError::thrown(format!("invalid Host {host:?}: give a name or an address")));
        }
        change.values.truncate(1);
    }
    headers::replace_all(&changes, &mut context.request.headers)?;
    for change in &changes {
        headers::keep_end_to_end(&mut context.request.headers, &change.name);
        if change.is_named(HOST) {
            let host = change.values.first().map(|host| String::from_utf8_lossy(host).into_owned());
            // An empty one stands for the host that the request would have gone to anyway.
            context.session.upstream.host_header = host.filter(|host| !host.is_empty());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BodyError;
    use crate::pdk::fixture::{self, thrown};
    use serde_json::json;

    #[test]
    fn paths_are_encoded() {
        for (path, expected) in [
            ("/a b/ä?x", "/a%20b/%C3%A4?x"),
            ("/%20%zz\"<", "/%20%zz%22%3C"),
            ("/!#$&'()*+,/:;=?@[]-_.~", "/!%23$&'()*+,/:;=?@[]-_.~"),
            ("/a HTTP/1.1\r\nHost: x\r\n\r\n", "/a%20HTTP/1.1%0D%0AHost:%20x%0D%0A%0D%0A"),
        ] {
            let context = &mut fixture::routed("/");
            set_path(context, &[path.into()]).unwrap();
            assert_eq!(context.session.upstream.path.as_deref(), Some(expected), "of {path}");
        }
        let context = &mut fixture::routed("/");
        assert_eq!(set_path(context, &["a".into()]), thrown("path must start with /"));
        assert_eq!(set_path(context, &[]), thrown("path must be a string"));
    }

    #[test]
    fn words_are_checked() {
        let context = &mut fixture::routed("/");
        assert_eq!(set_scheme(context, &["ftp".into()]), thrown("invalid scheme: ftp"));
        assert_eq!(set_method(context, &["get".into()]), thrown("invalid method: get"));
        assert_eq!(set_method(context, &["BREW".into()]), thrown("invalid method: BREW"));
        set_scheme(context, &["https".into()]).unwrap();
        set_method(context, &["MKCOL".into()]).unwrap();
        assert_eq!(context.session.upstream.scheme.as_deref(), Some("https"));
        assert_eq!(context.request.method.as_str(), "MKCOL");
    }

    #[test]
    fn queries_change_in_place() {
        let context = &mut fixture::context("GET", "/?a=1&b=2&a", &[]);
        clear_query_arg(context, &["a".into()]).unwrap();
        assert_eq!(context.request.query, Some("b=2".into()));
        set_query(context, &[Value::from(&json!({"foo": "hello world", "a": true}))]).unwrap();
        assert_eq!(request::get_raw_query(context, &[]), Ok("a&foo=hello%20world".into()));
        set_raw_query(context, &["x=\r\n&y=%41".into()]).unwrap();
        assert_eq!(context.request.query, Some("x=%0D%0A&y=%41".into()));
        set_raw_query(context, &["a=\"#<>{}|\\^`".into()]).unwrap();
        assert_eq!(context.request.query, Some("a=%22%23%3C%3E{}|\\^`".into()));
        set_raw_query(context, &["".into()]).unwrap();
        assert_eq!(context.request.query, None);
        assert_eq!(context.request.target, "/?a=1&b=2&a");
    }

    #[test]
    fn headers_replace_and_append() {
        let context = &mut fixture::context("GET", "/", &[("x-a", "0"), ("x-b", "0")]);
        set_header(context, &["X-A".into(), "1".into()]).unwrap();
        add_header(context, &["x-a".into(), Value::from_iter(["2", "3"])]).unwrap();
        set_headers(context, &[Value::from(&json!({"x-b": [], "x-c": 5}))]).unwrap();
        let headers = headers::all(&context.request.headers, 100).to_json();
        assert_eq!(headers, json!({"x-a": ["1", "2", "3"], "x-c": "5"}));
        for (name, value) in
            [("Content-Type", "a/a"), ("content-type", "b/b"), ("Accept", "a"), ("Accept", "b")]
        {
            add_header(context, &[name.into(), value.into()]).unwrap();
        }
        assert_eq!(context.request.headers.get_all("content-type").collect::<Vec<_>>(), [b"b/b"]);
        assert_eq!(context.request.headers.get_all("accept").collect::<Vec<_>>(), [b"a", b"b"]);
        clear_header(context, &["X-A".into()]).unwrap();
        assert!(!context.request.headers.contains("x-a"));
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let context = &mut fixture::context("GET", "/", &[("connection", "x-b")]);
        set_header(context, &["a".into(), Value::from_iter(vec!["v"; 998])]).unwrap();
        let before = context.request.headers.clone();
        let changes = json!({"host": "a.test", "x-b": ["1"], "x-c": "1"});
        let error = "no room for 1 lines of header \"x-b\": a head has 1000 lines at the most";
        assert_eq!(set_headers(context, &[Value::from(&changes)]), thrown(error));
        assert!(add_header(context, &["x-b".into(), Value::from_iter(["1", "2"])]).is_err());
        assert_eq!(context.request.headers, before);
        assert_eq!(context.session.upstream.host_header, None);
    }

    #[test]
    fn host_goes_upstream_too() {
        let context = &mut fixture::context("GET", "/", &[("host", "a.test")]);
        set_header(context, &["Host".into(), "b.test:1".into()]).unwrap();
        assert_eq!(context.session.upstream.host_header.as_deref(), Some("b.test:1"));
        assert_eq!(request::get_host(context, &[]), Ok("b.test".into()));
        add_header(context, &["HOST".into(), "c.test".into()]).unwrap();
        assert_eq!(context.request.headers.get_all(HOST).count(), 1);
        clear_header(context, &["host".into()]).unwrap();
        assert_eq!(context.session.upstream.host_header, None);
    }

    #[test]
    fn hosts_are_checked() {
        let context = &mut fixture::context("GET", "/", &[("host", "a.test")]);
        for host in ["b.test:80", "[::1]:80", "10.0.0.1", "under_score", "x%20y"] {
            set_header(context, &["Host".into(), host.into()]).unwrap();
            assert_eq!(context.session.upstream.host_header.as_deref(), Some(host));
        }
        for host in ["a b", "a/b", "a@b", "a\\b", "a?b", "a#b", "ä", "a\tb", "a<b"] {
            let error = set_header(context, &["Host".into(), host.into()]).unwrap_err().to_string();
            assert!(error.starts_with("invalid Host \""), "{host}: {error}");
            assert!(set_headers(context, &[Value::from(&json!({"x-z": "1", "host": host}))]).is_err());
        }
        assert!(!context.request.headers.contains("x-z"), "none is set");
        assert_eq!(context.session.upstream.host_header.as_deref(), Some("x%20y"));
    }

    #[test]
    fn every_target_can_be_sent() {
        let target = |context: &Exchange| {
            let query = str::from_utf8(request::raw_query(context)).unwrap();
            format!("{}?{query}", context.session.upstream.path.as_ref().unwrap())
        };
        let context = &mut fixture::routed("/");
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        set_path(context, &[Value::str([b"/".as_slice(), &bytes].concat())]).unwrap();
        set_raw_query(context, &[Value::str(bytes)]).unwrap();
        let uri: http::Uri = target(context).parse().unwrap();
        assert_eq!(uri.to_string(), target(context), "nothing is cut off");

        let long = "x".repeat(LONGEST_PART + 1);
        let error = thrown("query is 32767 bytes long when encoded: 32766 is the most");
        assert_eq!(set_raw_query(context, &[long.as_str().into()]), error);
        let error = thrown("path is 32767 bytes long when encoded: 32766 is the most");
        assert_eq!(set_path(context, &[long.replacen('x', "/", 1).as_str().into()]), error);
        set_raw_query(context, &[long[1..].into()]).unwrap();
        set_path(context, &[long[1..].replacen('x', "/", 1).as_str().into()]).unwrap();
        assert!(target(context).parse::<http::Uri>().is_ok(), "both together can be sent");
    }

    #[test]
    fn the_client_does_not_remove_what_plugins_set() {
        let context = &mut fixture::context("GET", "/", &[("connection", "close, X-Gate, X-More")]);
        set_header(context, &["x-gate".into(), "1".into()]).unwrap();
        add_header(context, &["x-more".into(), "1".into()]).unwrap();
        assert_eq!(context.request.headers.text("connection"), Some("close"));
    }

    #[test]
    fn a_failed_body_stays_failed() {
        let context = &mut fixture::context("POST", "/", &[]);
        context.request_body = fixture::upload("abc", Err(BodyError::Timeout));
        assert!(fixture::call(context, "kong.request.get_raw_body", &[]).is_err());
        set_raw_body(context, &["abc".into()]).unwrap();
        assert_eq!(context.request_body.failure().unwrap().status(), 408);
    }

    #[test]
    fn bodies_bring_their_headers() {
        let context = &mut fixture::context("POST", "/", &[("transfer-encoding", "chunked")]);
        set_raw_body(context, &["abc".into()]).unwrap();
        let headers = headers::all(&context.request.headers, 100).to_json();
        assert_eq!(headers, json!({"content-length": "3"}));
        let table = Value::from(&json!({"b": "x y", "a": 1}));
        let error = "content type was neither explicitly given as an argument or received as a header";
        assert_eq!(set_body(context, std::slice::from_ref(&table)), Err(PdkError::returned(error)));
        set_body(context, &[table, "application/x-www-form-urlencoded".into()]).unwrap();
        assert_eq!(context.request_body.held().unwrap().bytes().unwrap(), "a=1&b=x%20y");
        assert_eq!(context.request.headers.text("content-length"), Some("11"));
        assert_eq!(context.request.headers.text("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(set_body(context, &[Value::Nil]), thrown("args must be a table"));
        assert_eq!(set_raw_body(context, &[Value::Nil]), thrown("body must be a string"));
    }
}
