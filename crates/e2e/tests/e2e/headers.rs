//! Header lines that a tidy client never sends must reach plugins and the upstream as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polygate_testkit::Request;
use serde_json::json;

use crate::fleet::fleet;
use crate::program::{GO, LANGUAGES, Program, ROUTE};

const NOT_UTF8: &[u8] = b"caf\xe9 \xff\xfe";

#[test]
fn bytes_that_are_not_utf8_reach_every_language_and_the_upstream() {
    let fleet = fleet();
    let mut request = Request::get(&format!("{ROUTE}/not-utf8")).header("x-bytes", NOT_UTF8);
    let programs = LANGUAGES
        .map(|name| Program::new(name).call("access", "kong.request.get_header", json!(["x-bytes"])));
    for program in &programs {
        request = program.load_into(request);
    }
    let answer = request.send(fleet.gateway.proxy()).expect(200);
    for program in &programs {
        let outcomes = program.outcomes(&answer, "access");
        // A string of ProtoBuf:1 is UTF-8: what is not becomes U+FFFD.
        let want = match program.plugin() {
            GO => json!(String::from_utf8_lossy(NOT_UTF8)),
            _ => json!({ "base64": STANDARD.encode(NOT_UTF8) }),
        };
        assert_eq!(outcomes[0]["result"], want, "{program:?}");
    }
    assert_eq!(fleet.upstream.last("/not-utf8").header_bytes("x-bytes"), [NOT_UTF8]);
}

#[test]
fn duplicate_and_empty_lines_keep_their_order() {
    let fleet = fleet();
    let request = Request::get(&format!("{ROUTE}/duplicates"))
        .header("X-Many", "one")
        .header("X-Empty", "")
        .header("x-many", "")
        .header("X-MANY", "three");
    for name in LANGUAGES {
        let program = Program::new(name).call("access", "kong.request.get_headers", json!([1000]));
        let answer = program.load_into(request.clone()).send(fleet.gateway.proxy()).expect(200);
        let headers = &program.outcomes(&answer, "access")[0]["result"];
        assert_eq!(headers["x-many"], json!(["one", "", "three"]), "{name}");
        // Go's maps hold lists only.
        assert!(headers["x-empty"] == json!("") || headers["x-empty"] == json!([""]), "{name}: {headers}");
        let seen = fleet.upstream.last("/duplicates");
        assert_eq!(seen.header_bytes("x-many"), [&b"one"[..], b"", b"three"]);
        assert_eq!(seen.header_bytes("x-empty"), [b""]);
    }
}

#[test]
fn duplicate_answer_lines_reach_the_client() {
    let answer = Request::get("/plain").send(fleet().gateway.proxy()).expect(200);
    assert_eq!(answer.header_bytes("x-twice"), [b"one", b"two"]);
}

#[test]
fn names_with_a_byte_that_is_no_token_are_refused() {
    let fleet = fleet();
    Request::get("/plain/bad-name").header("x bad", "1").send(fleet.gateway.proxy()).expect(400);
    assert_eq!(fleet.upstream.hits("/bad-name"), 0);
}
