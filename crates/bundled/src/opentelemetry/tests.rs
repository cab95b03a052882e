//! Headers, and what spans say; that they arrive is tried with a whole gateway.

use opentelemetry_proto::tonic::trace::v1::Span;
use polygate_chain::pdk::fixture;
use polygate_chain::session::Try;
use prost::Message as _;
use serde_json::{Value, json};

use super::*;
use crate::tests::{access, handler_with, header, outside, run};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const URL: &str = "http://127.0.0.1:1/v1/traces";

fn traced(tracing: Tracing, mut config: Value) -> Arc<dyn Handler> {
    let shared = outside();
    shared.tracing.store(Arc::new(tracing));
    config["traces_endpoint"] = URL.into();
    handler_with("opentelemetry", config, &shared)
}

fn on(balancer: bool) -> Tracing {
    Tracing { is_on: true, router: true, balancer, sampling_rate: 1.0, ..Tracing::default() }
}

#[test]
fn the_upstream_is_a_child_of_the_try_or_else_of_the_request() {
    for balancer in [true, false] {
        let handler = traced(on(balancer), json!({ "header_type": "b3" }));
        let mut exchange = fixture::exchange("GET", "/", &[("traceparent", CALLER)]);
        access(&*handler, &mut exchange);
        let headers = &exchange.request.headers;
        assert_eq!(headers.text("x-b3-traceid"), Some(&CALLER[3..35]));
        let parent = headers.text("x-b3-parentspanid").unwrap();
        assert_eq!(parent == "b7ad6b7169203331", !balancer, "{parent}");
        assert!(headers.text("traceparent").unwrap().ends_with("-01"));
    }
}

#[test]
fn without_instrumentations_nothing_is_seen() {
    let handler = traced(Tracing { sampling_rate: 1.0, ..Tracing::default() }, json!({}));
    let mut exchange = fixture::exchange("GET", "/", &[("traceparent", CALLER)]);
    access(&*handler, &mut exchange);
    assert!(exchange.request.headers.text("traceparent").unwrap().ends_with("-00"));
    run(&*handler, Phase::Log, &mut exchange).unwrap();
}

#[test]
fn the_configurations_share_goes_before_the_gateways() {
    for (given, expected) in [(json!(0), "-00"), (json!(1), "-01"), (Value::Null, "-01")] {
        let handler = traced(on(true), json!({ "sampling_rate": given }));
        let mut exchange = fixture::exchange("GET", "/", &[]);
        access(&*handler, &mut exchange);
        assert!(exchange.request.headers.text("traceparent").unwrap().ends_with(expected), "{given}");
    }
}

#[test]
fn an_answer_before_access_has_a_trace_too() {
    let handler = traced(on(true), json!({ "http_response_header_for_traceid": "X-Trace" }));
    let mut exchange = fixture::exchange("GET", "/", &[("traceparent", CALLER)]);
    header(&*handler, &mut exchange);
    assert_eq!(exchange.response.headers.text("X-Trace"), Some(&CALLER[3..35]));
    run(&*handler, Phase::Log, &mut exchange).unwrap();
}

#[test]
fn each_try_has_a_span_and_the_last_is_the_one_that_was_told() {
    let exchange = &mut fixture::routed("/api/x?y");
    for failure in [Some(("failed", 502)), None] {
        let address = ([192, 0, 2, 1], 8080).into();
        exchange.session.tries.push(Try { address, balancer_start_ns: 5, balancer_latency_ns: 7, failure });
    }
    let trace =
        Trace { id: TraceId::random(16), root: 1, parent: Some(9), balancer: Some(2), is_sampled: true };
    let spans: Vec<_> =
        span::of(exchange, &trace, &on(true)).iter().map(|span| Span::decode(&**span).unwrap()).collect();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["kong", "kong.router", "kong.balancer", "kong.balancer"]);
    assert_eq!(spans[0].parent_span_id, 9_u64.to_be_bytes());
    assert!(spans[1..].iter().all(|span| span.parent_span_id == 1_u64.to_be_bytes()));
    assert!(spans.iter().all(|span| span.trace_id == trace.id.bytes()));
    assert!(spans.iter().all(|span| span.end_time_unix_nano >= span.start_time_unix_nano));
    let (first, last) = (&spans[2], &spans[3]);
    assert_eq!((last.span_id.as_slice(), &last.status), (&2_u64.to_be_bytes()[..], &None));
    assert_eq!(first.status.as_ref().map(|status| status.code), Some(2));
    assert!(first.attributes.iter().any(|attribute| attribute.key == "http.status_code"));
}

#[test]
fn older_names_of_the_queues_members_count() {
    let config: QueueConfig = serde_json::from_value(json!({ "max_batch_size": 200 })).unwrap();
    assert!(!config.clone().with_older_size(Some(1)).batches());
    assert!(config.with_older_size(None).batches());
}
