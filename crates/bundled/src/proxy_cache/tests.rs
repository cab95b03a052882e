use polygate_chain::exchange::ServiceResponse;
use polygate_chain::pdk::fixture;
use polygate_chain::{Exchange, Handler};
use polygate_http1::Headers;
use serde_json::json;

use crate::tests::{access, handler, header};

/// A request, and what the upstream answers if it is asked. What becomes of it: the status of the cache and the body.
fn asked(
    handler: &dyn Handler,
    target: &str,
    fields: &[(&str, &str)],
    pieces: &[&[u8]],
) -> (String, Vec<u8>) {
    let mut exchange = fixture::exchange("GET", target, fields);
    access(handler, &mut exchange);
    let body = match &exchange.session.answer {
        Some(answer) => answer.body.to_vec(),
        None => answer(handler, &mut exchange, pieces),
    };
    (exchange.response.headers.text("X-Cache-Status").unwrap_or_default().to_owned(), body)
}

fn answer(handler: &dyn Handler, exchange: &mut Exchange, pieces: &[&[u8]]) -> Vec<u8> {
    exchange.service_response = Some(ServiceResponse { status: 200, headers: Headers::new(), body: None });
    exchange.response.status = 200;
    exchange.response.headers.append("Content-Type", "text/plain");
    header(handler, exchange);
    let mut out = Vec::new();
    if let Some(mut filter) = handler.body(exchange) {
        pieces.iter().for_each(|piece| filter.piece(exchange, piece, &mut out));
        filter.end(exchange, &mut out);
    }
    out
}

#[test]
fn the_order_of_arguments_makes_no_difference() {
    let handler = handler("proxy-cache", json!({"strategy": "memory", "vary_query_params": ["a", "b"]}));
    for (target, expected) in [
        ("/?a=1&b=2", "Miss"),
        ("/?b=2&a=1", "Hit"),
        ("/?b=2&c=9&a=1", "Hit"),
        ("/?a=12&b=", "Miss"),
        ("/?a=1", "Miss"),
        ("/x?a=1&b=2", "Miss"),
    ] {
        assert_eq!(asked(&*handler, target, &[], &[b"one"]).0, expected, "{target}");
    }
}

#[test]
fn a_body_that_is_too_large_is_passed_on_and_not_kept() {
    let handler = handler("proxy-cache", json!({"strategy": "memory"}));
    let half = vec![b'x'; super::LARGEST / 2 + 1];
    for _ in 0..2 {
        let (status, body) = asked(&*handler, "/", &[], &[&half, &half]);
        assert_eq!((status.as_str(), body.len()), ("Miss", 2 * half.len()));
    }
    let small = asked(&*handler, "/", &[], &[b"a", b"b"]);
    assert_eq!(
        (small.0.as_str(), asked(&*handler, "/", &[], &[])),
        ("Miss", ("Hit".to_owned(), b"ab".to_vec()))
    );
}

#[test]
fn one_consumers_answers_are_not_anothers() {
    let handler = handler("proxy-cache", json!({"strategy": "memory", "cache_control": false}));
    assert_eq!(asked(&*handler, "/", &[("x", "1")], &[b"a"]).0, "Miss");
    let mut exchange = fixture::routed("/");
    access(&*handler, &mut exchange);
    assert_eq!(exchange.response.headers.text("X-Cache-Status"), Some("Miss"), "of another route");
}
