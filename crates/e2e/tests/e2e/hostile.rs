//! Keys and values of all kinds of bytes through every getter that returns a map or a list, in every SDK: no input of a
//! client or an upstream ends a plugin server, hangs it, or keeps from the plugin what its language can take.
//!
//! `__proto__` as a key ends a JavaScript server (@msgpack/msgpack refuses to decode it), so it is left out there, with
//! a line in the log. Keys that are not UTF-8 come as some text. Go knows no body but the raw one, and maps of texts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use polygate_testkit::eventually::within;
use polygate_testkit::{EchoUpstream, Gateway, Received, Reply, Request};
use serde_json::{Value, json};

use crate::declarative::{self, plugin, route};
use crate::scripts::{GO, JAVASCRIPT, Language, PYTHON, Scripts, answer, expect_up, is_over};

/// Long for an answer on a busy machine, short for a time-out of the gateway.
const LIMIT: Duration = Duration::from_secs(10);

const PROTO: &str = "__proto__";
/// The same in the names of an answer that is held back, which have `-` for `_`, as in the reference.
const HELD_PROTO: &str = "--proto--";

/// One request and what a getter must have seen of it.
struct Case {
    name: &'static str,
    request: Request,
    getter: &'static str,
    want: Want,
}

enum Want {
    /// A map with these members.
    Members(Value),
    /// A map of so many members, whose names may be any.
    Count(usize),
    /// No result, with or without an error.
    Nothing,
}

fn cases() -> Vec<Case> {
    let case = |name, request: Request, getter, want| Case { name, request, getter, want };
    let get = |query: &str| Request::get(&format!("/hostile?{query}"));
    let post = |kind: &str, body: &[u8]| Request::post("/hostile", body).header("Content-Type", kind);
    let form = |body| post("application/x-www-form-urlencoded", body);
    let json = |body: &str| post("application/json", body.as_bytes());
    let many = |count: usize| (0..count).map(|n| format!("{n:x}=")).collect::<Vec<_>>().join("&");
    let members = |value| Want::Members(value);
    vec![
        case("a name of other bytes", get("%fe=1"), "query", Want::Count(1)),
        case("names of other bytes alike", get("%fe=1&%ff=2&a=3"), "query", members(json!({ "a": ["3"] }))),
        case("a value of other bytes", get("a=%fe%ff&b=1"), "query", members(json!({ "b": ["1"] }))),
        case(
            "names of an object",
            get("__proto__=1&constructor=1&constructor=2&toString=3&hasOwnProperty=4"),
            "query",
            members(json!({
                PROTO: ["1"], "constructor": ["1", "2"], "toString": ["3"], "hasOwnProperty": ["4"],
            })),
        ),
        case("no name", get("=x&a=1"), "query", members(json!({ "a": ["1"] }))),
        case("NUL in a name", get("a%00b=%00"), "query", members(json!({ "a\0b": ["\0"] }))),
        case("10,000 arguments", get(&many(10_000)), "query", Want::Count(1000)),
        case(
            "the same in the log phase",
            get("__proto__=1&%fe=1&a=2"),
            "logged query",
            members(json!({ "a": ["2"] })),
        ),
        case(
            "header names of an object",
            get("").header("__proto__", "1").header("constructor", "2"),
            "headers",
            members(json!({ PROTO: ["1"], "constructor": ["2"] })),
        ),
        case(
            "header values of other bytes",
            get("").header("X-Bytes", b"\xff\xfe\x80").header("X-After", "1"),
            "headers",
            members(json!({ "x-after": ["1"] })),
        ),
        case(
            "headers in the log phase",
            get("").header("__proto__", b"\xff").header("X-After", "1"),
            "logged headers",
            members(json!({ "x-after": ["1"] })),
        ),
        case("a form's names", form(b"%fe=1&__proto__=2&constructor=3&=4&a%00=5&a=6"), "body", {
            members(json!({ PROTO: "2", "constructor": "3", "a": "6" }))
        }),
        case("a form of 10,000 members", form(many(10_000).as_bytes()), "body", members(json!({ "1": "" }))),
        case(
            "JSON with names of an object",
            json(
                r#"{"__proto__":{"x":1},"constructor":{"prototype":{}},"":"e","\u0000":"n","l":[{"__proto__":1}],"a":1}"#,
            ),
            "body",
            members(json!({ PROTO: { "x": 1 }, "": "e", "\0": "n", "a": 1 })),
        ),
        case(
            "JSON of 100 levels",
            json(&format!("{{\"d\":{}{},\"a\":1}}", "[".repeat(100), "]".repeat(100))),
            "body",
            members(json!({ "a": 1 })),
        ),
        case("JSON without an end", json(&"[".repeat(100_000)), "body", Want::Nothing),
        case(
            "names of parts",
            post(
                "multipart/form-data; boundary=b",
                &parts(&[b"__proto__", b"\xfe\xff", b"", b"constructor", b"a"]),
            ),
            "body",
            members(json!({ "constructor": "1", "a": "1" })),
        ),
        case(
            "captures with names of an object",
            Request::get("/captured/e/x"),
            "captures",
            members(json!({ "named": { PROTO: "e", "constructor": "x" } })),
        ),
        case("headers of an upstream", get("").header("X-Hostile", "1"), "upstream headers", {
            members(json!({ PROTO: ["1"], "constructor": ["2"], "x-after": ["1"] }))
        }),
        case("the body of an upstream", get("").header("X-Hostile", "1"), "upstream body", {
            members(json!({ PROTO: 1, "a": 2 }))
        }),
        case("headers of an answer", get("").header("X-Hostile", "1"), "answer headers", {
            members(json!({ HELD_PROTO: ["1"], "constructor": ["2"], "x-after": ["1"] }))
        }),
        case("headers of a logged answer", get("").header("X-Hostile", "1"), "logged answer", {
            members(json!({ HELD_PROTO: ["1"], "constructor": ["2"], "x-after": ["1"] }))
        }),
        case("what plugins share", get(""), "shared", members(json!({ PROTO: 1, "constructor": 2, "": 3 }))),
        case("what a request carries", get(""), "ctx", members(json!({ PROTO: 1, "constructor": 2, "": 3 }))),
        case("a credential", get(""), "credential", members(json!({ "id": "i" }))),
        case("a credential in the log phase", get(""), "logged credential", members(json!({ "id": "i" }))),
        case("a consumer", get(""), "consumer", members(json!({ "id": "i" }))),
    ]
}

/// A multipart body with a part `1` of each name.
fn parts(names: &[&[u8]]) -> Vec<u8> {
    let part = |name: &&[u8]| {
        [b"--b\r\nContent-Disposition: form-data; name=\"", *name, b"\"\r\n\r\n1\r\n"].concat()
    };
    [names.iter().flat_map(part).collect(), b"--b--\r\n".to_vec()].concat()
}

/// The getters by what they read: the phase, and the call as MessagePack's SDKs and as Go's make it.
fn getters() -> Vec<(&'static str, &'static str, Value, Value)> {
    vec![
        ("query", "access", json!(["kong.request.get_query", 1000]), json!(["Request.GetQuery", 1000])),
        ("headers", "access", json!(["kong.request.get_headers", 1000]), json!(["Request.GetHeaders", 1000])),
        ("body", "access", json!(["kong.request.get_body", null, 1000]), Value::Null),
        ("captures", "access", json!(["kong.request.get_uri_captures"]), json!(["Request.GetUriCaptures"])),
        ("shared", "access", json!(["kong.ctx.shared.get", "key"]), json!(["Ctx.GetSharedAny", "key"])),
        ("ctx", "access", json!(["kong.nginx.get_ctx", "key"]), json!(["Nginx.GetCtxAny", "key"])),
        ("consumer", "access", json!(["kong.client.get_consumer"]), json!(["Client.GetConsumer"])),
        ("credential", "access", json!(["kong.client.get_credential"]), json!(["Client.GetCredential"])),
        (
            "upstream headers",
            "response",
            json!(["kong.service.response.get_headers", 1000]),
            json!(["ServiceResponse.GetHeaders", 1000]),
        ),
        ("upstream body", "response", json!(["kong.service.response.get_body"]), Value::Null),
        (
            "answer headers",
            "response",
            json!(["kong.response.get_headers", 1000]),
            json!(["Response.GetHeaders", 1000]),
        ),
        ("logged query", "log", json!(["kong.request.get_query", 1000]), json!(["Request.GetQuery", 1000])),
        (
            "logged headers",
            "log",
            json!(["kong.request.get_headers", 1000]),
            json!(["Request.GetHeaders", 1000]),
        ),
        (
            "logged answer",
            "log",
            json!(["kong.response.get_headers", 1000]),
            json!(["Response.GetHeaders", 1000]),
        ),
        ("logged credential", "log", json!(["kong.client.get_credential"]), json!(["Client.GetCredential"])),
        ("serialized", "log", json!(["kong.log.serialize"]), json!(["Log.Serialize"])),
    ]
}

/// The calls of each phase: every getter, behind setters of what some are to find. Go's setters take typed entities.
fn script(language: &Language) -> BTreeMap<&'static str, Vec<Value>> {
    let members = json!({ PROTO: 1, "constructor": 2, "": 3 });
    let entity = json!({ PROTO: 1, "id": "i", "constructor": 2 });
    let is_go = language.name == GO.name;
    let setters = if is_go {
        vec![
            json!(["Ctx.SetShared", "key", members]),
            json!(["Nginx.SetCtx", "key", members]),
            json!(["Client.Authenticate", entity, entity]),
        ]
    } else {
        vec![
            json!(["kong.ctx.shared.set", "key", members]),
            json!(["kong.nginx.set_ctx", "key", members]),
            json!(["kong.client.authenticate", entity, entity]),
        ]
    };
    let mut phases = BTreeMap::from([("access", setters)]);
    for (_, phase, call, in_go) in getters() {
        let call = if is_go { in_go } else { call };
        if !call.is_null() {
            phases.entry(phase).or_default().push(call);
        }
    }
    phases
}

/// Where a script has a getter; `None` where the language has no such getter.
fn place(script: &BTreeMap<&'static str, Vec<Value>>, getter: &str) -> Option<(&'static str, usize)> {
    let (_, phase, call, in_go) =
        getters().into_iter().find(|(name, ..)| *name == getter).expect("a getter of the list");
    Some((phase, script[phase].iter().position(|known| [&call, &in_go].contains(&known))?))
}

fn reply(request: &Received) -> Reply {
    if request.header_bytes("x-hostile").is_empty() {
        return Reply::describe(request);
    }
    Reply::new(200, r#"{"__proto__":1,"constructor":{"prototype":1},"a":2}"#)
        .header("Content-Type", "application/json")
        .header("__proto__", "1")
        .header("constructor", "2")
        .header("X-Bytes", b"\xff\xfe")
        .header("X-After", "1")
}

#[track_caller]
fn expect_all(language: &Language) {
    let upstream = EchoUpstream::scripted(reply);
    let plugins = [plugin(language.plugin, json!({}))];
    let captured = json!({ "name": "captured", "paths": ["~/captured/(?<__proto__>[^/]+)/(?<constructor>.*)$"], "plugins": plugins });
    let file = declarative::file(&upstream.url(), &[route("hostile", &plugins), captured]);
    let conf = format!("nginx_proxy_large_client_header_buffers = 4 256k\n{}", language.conf());
    let gateway = Gateway::builder().conf(&conf).declarative(&file).start();
    expect_up(&gateway, "/hostile");
    let scripts = Scripts::in_prefix(gateway.prefix());
    let script = script(language);
    let before = gateway.children();
    let mut wrong = Vec::new();
    for (number, case) in cases().into_iter().enumerate() {
        let id = format!("case{number}");
        let request = case.request.header("X-S", scripts.load(&id, &json!(script).to_string()));
        let begun = Instant::now();
        let answered = request.try_send(gateway.proxy());
        let mut fail = |why: String| wrong.push(format!("{}: {why}", case.name));
        match answered {
            Ok(answered) if answered.status == 200 => {}
            Ok(answered) => fail(format!("status {} {}", answered.status, answered.text())),
            Err(error) => fail(error.to_string()),
        }
        if begun.elapsed() > LIMIT {
            fail(format!("answered after {:?}", begun.elapsed()));
        }
        if let Some((phase, at)) = place(&script, case.getter) {
            let notes = || Some(scripts.notes(&id)).filter(|notes| phase != "log" || is_over(notes));
            let notes = within(Duration::from_secs(5), notes).unwrap_or_default();
            let result = answer(&notes, phase, at).cloned().unwrap_or_default();
            if let Err(why) = case.want.check(language, &result) {
                fail(why);
            }
        }
        if gateway.children() != before {
            fail("the server ended".to_owned());
            break;
        }
    }
    assert!(wrong.is_empty(), "{}: {} wrong:\n{}", language.plugin, wrong.len(), wrong.join("\n"));
    if language.name == JAVASCRIPT.name {
        gateway.wait_for_log("__proto__");
    }
}

impl Want {
    fn check(&self, language: &Language, answer: &Value) -> Result<(), String> {
        let result = match &answer["result"] {
            // Go returns a list of results; those of captures are unnamed and named ones.
            Value::Array(results) if language.name == GO.name && results.len() == 1 => &results[0],
            Value::Array(results) if language.name == GO.name => &json!({ "named": results[1] }),
            result => result,
        };
        let found = match self {
            Want::Nothing => result.is_null() || result.get("$undef").is_some(),
            Want::Count(count) => result.as_object().is_some_and(|members| members.len() == *count),
            Want::Members(wanted) => fits(language, result, wanted),
        };
        if found { Ok(()) } else { Err(format!("got {}", shortened(answer))) }
    }
}

/// Whether a result has what is wanted of it, in what the language makes of it.
fn fits(language: &Language, result: &Value, wanted: &Value) -> bool {
    match (result, wanted) {
        (_, Value::Object(members)) => members.iter().all(|(name, value)| match result.get(name) {
            None => name == PROTO && language.name == JAVASCRIPT.name,
            Some(_) if name == PROTO && language.name == JAVASCRIPT.name => false,
            Some(found) => fits(language, found, value),
        }),
        // A number of Go.
        (Value::Object(float), Value::Number(number)) => float["$float"] == number.to_string(),
        (found, value) => found == value,
    }
}

fn shortened(answer: &Value) -> String {
    answer.to_string().chars().take(300).collect()
}

#[test]
fn hostile_input_in_go() {
    expect_all(&GO);
}

#[test]
fn hostile_input_in_javascript() {
    expect_all(&JAVASCRIPT);
}

#[test]
fn hostile_input_in_python() {
    expect_all(&PYTHON);
}
