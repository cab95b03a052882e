use polygate_chain::pdk::fixture;
use polygate_chain::{Exchange, Phase};
use serde_json::json;

use crate::tests::{handler, run};

/// What the access chunks make of a request.
fn access(chunks: &[&str]) -> Result<Exchange, String> {
    let handler = handler("pre-function", json!({ "access": chunks }));
    let mut exchange = fixture::routed("/api/a?x=1&y=2");
    let outcome = run(&*handler, Phase::Access, &mut exchange);
    outcome.map(|()| exchange).map_err(|failure| failure.message)
}

/// What a chunk's expression is, as text.
fn value_of(expression: &str) -> String {
    let chunk = format!("kong.service.request.set_header('X-Value', tostring({expression}))");
    match access(&[&chunk]) {
        Ok(exchange) => exchange.request.headers.text("X-Value").unwrap_or_default().to_owned(),
        Err(message) => message,
    }
}

#[test]
fn chunks_have_the_pdk() {
    for (expression, expected) in [
        ("kong.request.get_method()", "GET"),
        ("kong.request.get_header('host')", "client.test"),
        ("kong.request.get_query().y", "2"),
        ("kong.request.get_header('none')", "nil"),
        ("kong.router.get_route().paths[1]", "/api"),
        ("ngx.var.request_method .. ngx.var.uri", "GET/api/a"),
        ("ngx.req.get_headers().HOST", "client.test"),
        ("select(2, pcall(kong.request.get_header))", "header name must be a string"),
        (
            "kong.nothing",
            "[pre-function] access: [string \"kong.service.request.set_header('X-Value', to...\"]:1: kong.nothing is not available",
        ),
        (
            "ngx.socket.tcp()",
            "[pre-function] access: [string \"kong.service.request.set_header('X-Value', to...\"]:1: ngx.socket is not available",
        ),
        (
            "kong.request.get_nothing()",
            "[pre-function] access: [string \"kong.service.request.set_header('X-Value', to...\"]:1: kong.request.get_nothing is not available",
        ),
    ] {
        assert_eq!(value_of(expression), expected, "of {expression}");
    }
}

#[test]
fn errors_name_the_line() {
    assert_eq!(
        access(&["error('boom')"]).err().as_deref(),
        Some("[pre-function] access: [string \"error('boom')\"]:1: boom")
    );
}

#[test]
fn an_answer_ends_the_chunks() {
    let exchange = access(&[
        "pcall(function() kong.response.exit(418, { a = 1 }) end) error('not reached')",
        "error('nor here')",
    ])
    .unwrap();
    assert_eq!(exchange.response.status, 418);
}
