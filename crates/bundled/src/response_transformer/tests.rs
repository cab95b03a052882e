use polygate_chain::Exchange;
use polygate_chain::pdk::fixture;
use serde_json::{Value, json};

use crate::tests::{handler, header};

fn answered(fields: &[(&str, &str)]) -> Exchange {
    let mut exchange = fixture::exchange("GET", "/", &[]);
    exchange.response.headers.extend(fields.iter().copied());
    exchange
}

fn body(config: Value, kind: &str, pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let handler = handler("response-transformer", config);
    let mut exchange = answered(&[("content-type", kind)]);
    let mut filter = handler.body(&mut exchange)?;
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| filter.piece(&mut exchange, piece, &mut out));
    filter.end(&mut exchange, &mut out);
    Some(out)
}

#[test]
fn what_is_there_is_judged_by_the_head_as_it_came() {
    let config = json!({
        "remove": {"headers": ["r", "s:only-this"]}, "rename": {"headers": ["a:b"]},
        "replace": {"headers": ["b:replaced", "d:replaced"]}, "add": {"headers": ["b:added"]},
        "append": {"headers": ["b:appended"]},
    });
    let mut exchange = answered(&[("R", "1"), ("S", "2"), ("A", "3"), ("D", "4")]);
    header(&*handler("response-transformer", config), &mut exchange);
    let lines: Vec<_> =
        exchange.response.headers.iter().map(|(name, value)| (name, value.to_vec())).collect();
    let line = |name, value: &str| (name, value.as_bytes().to_vec());
    assert_eq!(lines, [line("d", "replaced"), line("b", "added"), line("b", "appended")]);
}

#[test]
fn members_of_json_have_types() {
    let config = json!({"add": {"json": ["n:1", "b:true", "s:2", "x:no"], "json_types": ["number", "boolean", "string", "number"]}});
    let changed = body(config.clone(), "application/problem+json", &[b"{\"a\"", b":1}"]).unwrap();
    assert_eq!(changed, br#"{"a":1,"n":1,"b":true,"s":"2"}"#);
    assert_eq!(body(config.clone(), "application/json", &[b"[1]"]).unwrap(), b"[1]");
    assert_eq!(body(config.clone(), "application/json", &[b"{"]).unwrap(), b"{");
    assert_eq!(body(config, "text/plain", &[b"{}"]), None);
    assert_eq!(body(json!({}), "application/json", &[b"{}"]), None);
}

#[test]
fn what_is_too_large_passes_as_it_is() {
    let config = json!({"add": {"json": ["a:1"]}});
    let half = vec![b' '; 9 << 20];
    let passed = body(config, "application/json", &[&half, &half, b"{}"]).unwrap();
    assert_eq!(passed.len(), 2 * half.len() + 2);
}
