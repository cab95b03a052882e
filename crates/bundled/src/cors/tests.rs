use polygate_chain::pdk::fixture;
use serde_json::json;

use crate::tests::{access, handler, header};

/// The response's lines about origins, after the hook of the head.
fn told(config: serde_json::Value, origin: Option<&str>) -> Vec<(String, String)> {
    let lines: Vec<_> = origin.map(|origin| ("origin", origin)).into_iter().collect();
    let mut exchange = fixture::exchange("GET", "/", &lines);
    header(&*handler("cors", config), &mut exchange);
    let text = |(name, value): (&str, &[u8])| (name.to_owned(), String::from_utf8_lossy(value).into_owned());
    exchange.response.headers.iter().map(text).collect()
}

#[test]
fn credentials_never_go_to_everybody() {
    let told_to = |origin| told(json!({ "credentials": true }), origin);
    assert_eq!(told_to(None), [("Access-Control-Allow-Origin".to_owned(), "*".to_owned())]);
    let lines = told_to(Some("https://a"));
    assert!(lines.contains(&("Access-Control-Allow-Origin".to_owned(), "https://a".to_owned())), "{lines:?}");
    assert!(lines.contains(&("Vary".to_owned(), "Origin".to_owned())), "{lines:?}");
}

#[test]
fn a_preflight_request_is_one_that_asks_for_a_method() {
    let config = json!({ "origins": ["https://a"], "max_age": 1.5 });
    let fields = [("origin", "https://a"), ("access-control-request-method", "PUT")];
    for (method, fields, is_answered) in
        [("OPTIONS", &fields[..], true), ("OPTIONS", &fields[..1], false), ("GET", &fields[..], false)]
    {
        let mut exchange = fixture::exchange(method, "/", fields);
        access(&*handler("cors", config.clone()), &mut exchange);
        assert_eq!(exchange.session.answer.is_some(), is_answered, "{method} {fields:?}");
        let max_age = exchange.response.headers.text("Access-Control-Max-Age");
        assert_eq!(max_age, is_answered.then_some("1.5"));
    }
}
