use polygate_chain::pdk::fixture;
use polygate_chain::{Exchange, Phase, RequestBody};
use serde_json::{Value, json};

use crate::tests::{access, handler, run};

fn transformed(config: Value, target: &str, fields: &[(&str, &str)], body: &str) -> Exchange {
    let mut exchange = fixture::exchange("POST", target, fields);
    exchange.request_body = RequestBody::new(body.to_owned());
    access(&*handler("request-transformer", config), &mut exchange);
    exchange
}

fn body(exchange: &Exchange) -> String {
    String::from_utf8(exchange.request_body.held().unwrap().bytes().unwrap().to_vec()).unwrap()
}

#[test]
fn templates_see_the_request_as_it_was() {
    let config = json!({
        "replace": {"headers": ["x-in:changed"]},
        "add": {"headers": ["x-a:<$(headers.x_in)>", "x-b:$(query_params.q:upper())", "x-c:$(query_params.none or 'd')"]},
    });
    let exchange = transformed(config, "/?q=abc", &[("X-In", "before")], "");
    let header = |name| exchange.request.headers.text(name).unwrap();
    assert_eq!(
        [header("x-in"), header("x-a"), header("x-b"), header("x-c")],
        ["changed", "<before>", "ABC", "d"]
    );
}

#[test]
fn a_template_that_fails_fails_the_request() {
    for template in [
        "$(nothing.here)",
        "$(if then)",
        "$(string.upper('a'))",
        "$(kong.request.get_host())",
        "$(os.exit())",
    ] {
        let config = json!({"add": {"headers": [format!("x:{template}")]}});
        let mut exchange = fixture::routed("/");
        let outcome = run(&*handler("request-transformer", config), Phase::Access, &mut exchange);
        assert!(outcome.is_err_and(|failure| failure.status == 500), "{template}");
    }
}

#[test]
fn parts_keep_what_they_say_of_themselves() {
    let upload = "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\nContent-Type: a/b\r\n\r\n\x01\r\n\
                  --B\r\nContent-Disposition: form-data; name=\"gone\"\r\n\r\n1\r\n--B--\r\n";
    let config = json!({"remove": {"body": ["gone"]}, "add": {"body": ["new:2"]}});
    let exchange = transformed(config, "/", &[("content-type", "multipart/form-data; boundary=B")], upload);
    let changed = body(&exchange);
    assert!(changed.contains("filename=\"a.bin\"\r\nContent-Type: a/b\r\n\r\n\x01\r\n--B\r\n"), "{changed}");
    assert!(
        changed.ends_with("name=\"new\"\r\n\r\n2\r\n--B--\r\n") && !changed.contains("gone"),
        "{changed}"
    );
}

#[test]
fn numbers_in_json_keep_their_digits() {
    let config = json!({"add": {"body": ["a:1"]}});
    let exchange =
        transformed(config, "/", &[("content-type", "application/json")], r#"{"n":9007199254740993}"#);
    assert_eq!(body(&exchange), r#"{"n":9007199254740993,"a":"1"}"#);
    assert_eq!(exchange.request.headers.text("Content-Length"), Some("30"));
}
