use polygate_chain::Exchange;
use polygate_chain::pdk::fixture;
use serde_json::{Value, json};

use crate::tests::{access, handler};

fn asked(config: Value, fields: &[(&str, &str)], times: usize) -> Exchange {
    let handler = handler("rate-limiting", config);
    let mut last = None;
    for _ in 0..times {
        let mut exchange = fixture::routed("/api");
        exchange.request.headers.extend(fields.iter().copied());
        access(&*handler, &mut exchange);
        last = Some(exchange);
    }
    last.unwrap()
}

#[test]
fn clients_are_told_what_is_left() {
    // A year is a window that no test run leaves; at its end this fails once.
    let config = json!({"month": 3, "year": 3});
    let told = |exchange: &Exchange, name: &str| exchange.response.headers.text(name).map(str::to_owned);
    for (times, status, left) in [(1, 0, "2"), (3, 0, "0"), (4, 429, "0"), (9, 429, "0")] {
        let exchange = asked(config.clone(), &[], times);
        assert_eq!(exchange.response.status, status);
        assert_eq!(told(&exchange, "X-RateLimit-Remaining-Year").as_deref(), Some(left));
        assert_eq!(told(&exchange, "RateLimit-Limit").as_deref(), Some("3"));
        let reset: u64 = told(&exchange, "RateLimit-Reset").unwrap().parse().unwrap();
        assert!((1..=366 * 86_400).contains(&reset));
        assert_eq!(told(&exchange, "Retry-After").is_some(), status == 429);
    }
    let hidden = asked(json!({"year": 1, "hide_client_headers": true}), &[], 2);
    assert_eq!((hidden.response.status, told(&hidden, "Retry-After")), (429, None));
}

#[test]
fn each_is_counted_for_itself() {
    let config = json!({"year": 1, "limit_by": "header", "header_name": "X-Tenant"});
    let handler = handler("rate-limiting", config);
    for (tenant, status) in [("a", 0), ("b", 0), ("a", 429), ("", 0), ("b", 429)] {
        let mut exchange = fixture::exchange("GET", "/", &[("x-tenant", tenant)]);
        access(&*handler, &mut exchange);
        assert_eq!(exchange.response.status, status, "{tenant}");
    }
}

#[test]
fn redis_that_does_not_answer_is_tolerated_or_not() {
    let config = |tolerant: bool| json!({"year": 1, "policy": "redis", "redis": {"host": "redis.test"}, "fault_tolerant": tolerant});
    let exchange = asked(config(true), &[], 3);
    assert_eq!((exchange.response.status, exchange.session.answer.is_some()), (0, false));
    let handler = handler("rate-limiting", config(false));
    let mut exchange = fixture::exchange("GET", "/", &[]);
    let outcome = crate::tests::run(&*handler, polygate_chain::Phase::Access, &mut exchange);
    let error = outcome.unwrap_err();
    assert_eq!(error.status, 500);
    assert!(error.message.contains("redis redis.test:6379: connection refused"), "{}", error.message);
}
