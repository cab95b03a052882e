//! Bodies of every size through every language, both ways, byte for byte.

use polygate_testkit::Request;
use polygate_testkit::echo::md5_hex;
use serde_json::json;

use crate::fleet::{Fleet, fleet};
use crate::program::{GO, GO_LM, JS, PY, Program, ROUTE};

const SIZES: [usize; 5] = [0, 1, 8 << 10, 64 << 10, 10 << 20];

/// ASCII, so that it may stand in a ProtoBuf string.
fn text(size: usize) -> Vec<u8> {
    (0..size).map(|at| b'a' + (at * 31 % 251 % 26) as u8).collect()
}

/// Every byte value, in an order that is no UTF-8.
fn binary(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 167 % 256) as u8 ^ 0xff).collect()
}

fn post(path: &str, body: &[u8], program: &Program) -> Request {
    let request = Request::post(path, body).header("Content-Type", "application/octet-stream");
    program.load_into(if body.is_empty() { request.header("Content-Length", "0") } else { request })
}

/// The plugin reads the body and sends it on.
#[track_caller]
fn expect_copied(fleet: &Fleet, plugin: &'static str, body: &[u8]) {
    let program = Program::new(plugin).call("access", "copy_body", json!([]));
    let target = format!("/copied/{plugin}/{}", body.len());
    let answer = post(&format!("{ROUTE}{target}"), body, &program).send(fleet.gateway.proxy()).expect(200);
    assert_eq!(program.outcomes(&answer, "access"), [json!({ "result": body.len() })], "{plugin}");
    let seen = fleet.upstream.last(&target);
    assert_eq!(
        (seen.body.len(), md5_hex(&seen.body)),
        (body.len(), md5_hex(body)),
        "{plugin} to the upstream"
    );
}

/// The plugin answers with the request's body.
#[track_caller]
fn expect_answered(fleet: &Fleet, plugin: &'static str, body: &[u8]) {
    let program = Program::new(plugin).call("access", "exit_body", json!([]));
    let answer = post(ROUTE, body, &program).send(fleet.gateway.proxy()).expect(200);
    assert_eq!(
        (answer.body.len(), md5_hex(&answer.body)),
        (body.len(), md5_hex(body)),
        "{plugin} to the client"
    );
}

/// The plugin answers with the upstream's body.
#[track_caller]
fn expect_replaced(fleet: &Fleet, plugin: &'static str, body: &[u8]) {
    let program = Program::new(plugin).call("response", "exit_service_body", json!([]));
    let path = format!("{ROUTE}/echo");
    let answer = post(&path, body, &program).send(fleet.gateway.proxy()).expect(200);
    assert_eq!(
        (answer.body.len(), md5_hex(&answer.body)),
        (body.len(), md5_hex(body)),
        "{plugin} from upstream"
    );
}

#[track_caller]
fn expect_all(plugin: &'static str, copied: fn(usize) -> Vec<u8>) {
    let fleet = fleet();
    for size in SIZES {
        expect_copied(&fleet, plugin, &copied(size));
        expect_answered(&fleet, plugin, &binary(size));
        expect_replaced(&fleet, plugin, &binary(size));
    }
}

#[test]
fn bodies_through_go() {
    // The Go SDK sends a request body as a ProtoBuf string, which must be UTF-8.
    expect_all(GO, text);
}

#[test]
fn bodies_through_go_messagepack() {
    expect_all(GO_LM, binary);
}

#[test]
fn bodies_through_javascript() {
    expect_all(JS, binary);
}

#[test]
fn bodies_through_python() {
    expect_all(PY, binary);
}

#[test]
fn bodies_without_plugins() {
    let fleet = fleet();
    for size in SIZES {
        let body = binary(size);
        let answer = Request::post("/plain/echo", body.clone()).send(fleet.gateway.proxy()).expect(200);
        assert_eq!(md5_hex(&answer.body), md5_hex(&body), "{size} bytes");
    }
}
