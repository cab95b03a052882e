use polygate_chain::exchange::ServiceResponse;
use polygate_chain::pdk::fixture;
use polygate_http1::Headers;
use serde_json::json;

use crate::tests::{access, handler, header};

#[test]
fn what_the_upstream_says_is_counted_and_not_shown() {
    let config = json!({"limits": {"sms": {"minute": 3}}});
    let handler = handler("response-ratelimiting", config);
    for (cost, status, left) in [
        ("sms=2", 0, "1"),
        ("sms", 0, "1"),
        ("sms=1, mail=7", 0, "0"),
        ("other=1", 0, "0"),
        ("sms=x", 0, "0"),
        ("sms=1", 429, "0"),
    ] {
        let mut exchange = fixture::exchange("GET", "/", &[]);
        access(&*handler, &mut exchange);
        exchange.service_response =
            Some(ServiceResponse { status: 200, headers: Headers::new(), body: None });
        exchange.response.headers.append("X-Kong-Limit", cost);
        header(&*handler, &mut exchange);
        assert_eq!(exchange.response.status, status, "{cost}");
        assert!(!exchange.response.headers.contains("X-Kong-Limit"), "{cost}");
        let told = exchange.response.headers.text("X-RateLimit-Remaining-sms-minute");
        assert_eq!(told, Some(left), "{cost}");
    }
}
