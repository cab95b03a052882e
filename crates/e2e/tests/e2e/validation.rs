//! Whatever a plugin sets, the bytes towards the client and towards the upstream stay messages of one request each. A
//! scripted plugin makes the calls; the client and the upstream see the bytes as they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use polygate_testkit::fake_server::{Ending, MsgPackEvent, Sdk};
use polygate_testkit::{Connection, EchoUpstream, FakeServer, Gateway, Received, Reply, Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::declarative;
use crate::fleet::fleet;
use crate::program::{LANGUAGES, Program, ROUTE};

/// One call of the plugin on the route of a case: phase, function, arguments.
type Call = (&'static str, &'static str, Value);

/// A gateway, its scripted plugin, and a route `/<name>` for each case.
struct Bench {
    gateway: Gateway,
    upstream: EchoUpstream,
    /// What each case's calls came to, in order.
    outcomes: Arc<Outcomes>,
    _server: FakeServer,
    _folder: TempDir,
}

impl Bench {
    #[track_caller]
    fn start(cases: &[(&str, Vec<Call>)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let socket = folder.path().join("scripted.socket");
        let outcomes = Arc::default();
        let server = FakeServer::msgpack(&socket, Sdk::Python, {
            let outcomes = Arc::clone(&outcomes);
            move |event| play(event, &outcomes)
        });
        let field = |name: &str| json!({ name: { "type": "string" } });
        let dump = json!({
            "Protocol": "MsgPack:1",
            "Plugins": [{
                "Name": "scripted", "Phases": ["access", "response"], "Version": "1.0", "Priority": 1,
                "Schema": { "name": "scripted", "fields": [
                    { "config": { "type": "record", "fields": [field("case"), field("calls")] } },
                ] },
            }],
        });
        let conf = format!(
            "plugins = bundled,scripted\npluginserver_names = scripted\npluginserver_scripted_socket = {}\n\
             pluginserver_scripted_query_cmd = echo '{dump}'",
            socket.display()
        );
        let upstream = EchoUpstream::scripted(answer);
        let file = declarative::file(&upstream.url(), &cases.iter().map(route).collect::<Vec<_>>());
        let gateway = Gateway::builder().conf(&conf).declarative(&file).start();
        Self { gateway, upstream, outcomes, _server: server, _folder: folder }
    }

    fn open(&self) -> Connection {
        Connection::open(self.gateway.proxy()).expect("the gateway listens")
    }

    /// The only outcome of a case.
    #[track_caller]
    fn outcome(&self, case: &str) -> Result<Value, String> {
        let mut outcomes = self.outcomes.lock().expect("no holder panics");
        let mut own = outcomes.remove(case).unwrap_or_else(|| panic!("{case}: the plugin ran"));
        assert_eq!(own.len(), 1, "{case}: {own:?}");
        own.remove(0)
    }

    /// Sends a request that must reach the upstream as one request, and then another over the same connections.
    #[track_caller]
    fn forwarded(&self, case: &str, request: &Request, target: &str) -> Received {
        let mut client = self.open();
        let answer = client.send(request).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(answer.status, 200, "{case}: {}", answer.text());
        self.expect_order(case, &mut client);
        assert_eq!(self.upstream.hits(target), 1, "{case}: one request");
        self.upstream.last(target)
    }

    /// The connection still carries requests and answers in step, on both sides.
    #[track_caller]
    fn expect_order(&self, case: &str, client: &mut Connection) {
        let target = format!("/after-{case}");
        let answer = client.send(&Request::get(&format!("/untouched{target}")));
        let answer = answer.unwrap_or_else(|error| panic!("{case}, then another request: {error}"));
        assert_eq!(
            (answer.status, &answer.json()["target"]),
            (200, &json!(target)),
            "{case}: the next answer"
        );
        assert_eq!(self.upstream.hits("/smuggled"), 0, "{case}: no request that nobody sent");
    }
}

/// A route with the calls of a case; the text goes through the plugin's configuration.
fn route((name, calls): &(&str, Vec<Call>)) -> Value {
    let config = json!({ "case": name, "calls": json!(calls).to_string() });
    let plugins = if calls.is_empty() { vec![] } else { vec![declarative::plugin("scripted", config)] };
    let mut route = declarative::route(name, &plugins);
    route["request_buffering"] = json!(!name.starts_with("streamed"));
    route
}

type Outcomes = Mutex<HashMap<String, Vec<Result<Value, String>>>>;

fn play(event: &mut MsgPackEvent<'_>, outcomes: &Outcomes) -> Ending {
    let case = event.config["case"].as_str().expect("a name").to_owned();
    let calls: Vec<(String, String, Vec<Value>)> =
        serde_json::from_str(event.config["calls"].as_str().expect("calls")).expect("JSON");
    let phase = event.phase.clone();
    for (_, function, arguments) in calls.into_iter().filter(|(own, ..)| *own == phase) {
        if [EXIT, ERROR].contains(&function.as_str()) {
            // As the SDKs do, which go on without an answer.
            event.send_json(&function, &arguments);
            return Ending::Silence;
        }
        let outcome = event.call_json(&function, &arguments);
        outcomes.lock().expect("no holder panics").entry(case.clone()).or_default().push(outcome);
    }
    Ending::Return
}

/// `/chunked` answers in chunks, `/304` without a body but with a length; all else is described.
fn answer(request: &Received) -> Reply {
    match request.target.split('?').next().unwrap_or_default() {
        "/chunked" => Reply::new(200, "5\r\nhello\r\n0\r\n\r\n").header("Transfer-Encoding", "chunked"),
        "/304" => Reply::new(304, "").header("Content-Length", "100"),
        _ => Reply::describe(request),
    }
}

fn lines(headers: &[(String, Vec<u8>)], name: &str) -> Vec<String> {
    let own = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    own.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

const SET_HEADER: &str = "kong.service.request.set_header";
const SET_RESPONSE_HEADER: &str = "kong.response.set_header";
const EXIT: &str = "kong.response.exit";
const ERROR: &str = "kong.response.error";

/// What cannot be sent is an error that shows the value, in the log where the plugin does not wait for an answer; the
/// request goes nowhere.
#[test]
fn wrong_values_are_refused() {
    let injection = "v\r\nX-Injected: 1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let many: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    let cases: Vec<(&str, Call, &str)> = vec![
        ("value", ("access", SET_HEADER, json!(["X-A", injection])), r"v\r\nX-Injected"),
        ("nul", ("access", SET_HEADER, json!(["X-A", "a\u{0}b"])), r#""a\0b" holds a control character"#),
        ("item", ("access", "kong.service.request.add_header", json!(["X-A", ["a", "b\nc"]])), r"b\nc"),
        ("name", ("access", SET_HEADER, json!(["X A", "1"])), r#"invalid header name "X A""#),
        ("colon", ("access", SET_HEADER, json!(["X-A: 1\r\nX-B", "1"])), r"X-A: 1\r\nX-B"),
        ("nameless", ("access", SET_HEADER, json!(["", "1"])), r#"invalid header name """#),
        (
            "map",
            ("access", "kong.service.request.set_headers", json!([{ "X-A": "1", "X-B": "\r\n" }])),
            r"\r\n",
        ),
        ("lines", ("access", SET_HEADER, json!(["X-A", many])), "no room for 1001 lines"),
        ("length", ("access", SET_HEADER, json!(["Content-Length", "5, 6"])), "5, 6"),
        ("lengths", ("access", SET_HEADER, json!(["Content-Length", ["5", "6"]])), "is no length"),
        ("host", ("access", SET_HEADER, json!(["Host", "a b"])), r#"invalid Host "a b""#),
        ("host-path", ("access", SET_HEADER, json!(["Host", "a/smuggled"])), "a/smuggled"),
        ("target", ("access", "kong.service.set_target", json!(["a\r\nb", 80])), r"a\r\nb"),
        ("target-blank", ("access", "kong.service.set_target", json!(["a b", 80])), "a b"),
        (
            "method",
            ("access", "kong.service.request.set_method", json!(["GET /smuggled HTTP/1.1\r\n"])),
            "/smuggled",
        ),
        ("scheme", ("access", "kong.service.request.set_scheme", json!(["ftp"])), "invalid scheme: ftp"),
        ("path", ("access", "kong.service.request.set_path", json!(["smuggled"])), "path must start with /"),
        (
            "query",
            ("access", "kong.service.request.set_raw_query", json!(["x".repeat(40_000)])),
            "40000 bytes",
        ),
        ("response-value", ("access", SET_RESPONSE_HEADER, json!(["X-A", injection])), r"v\r\nX-Injected"),
        ("response-name", ("response", "kong.response.add_header", json!(["X\r\nA", "1"])), r"X\r\nA"),
        ("response-map", ("response", "kong.response.set_headers", json!([{ "X-A": ["1", "\n"] }])), r"\n"),
        ("status", ("access", "kong.response.set_status", json!([600])), "between 100 and 599"),
        (
            "status-101",
            ("access", "kong.response.set_status", json!([101])),
            "code 101 does not end a response",
        ),
        ("exit-100", ("access", EXIT, json!([100])), "code 100 does not end a response"),
        ("exit-value", ("access", EXIT, json!([200, "", { "X-A": injection }])), r"v\r\nX-Injected"),
        ("exit-length", ("access", EXIT, json!([200, "body", { "Content-Length": "4\r\n" }])), r"4\r\n"),
        ("error-name", ("access", ERROR, json!([500, "", { "X A": "1" }])), "X A"),
    ];
    let routes: Vec<_> = cases.iter().map(|(name, call, _)| (*name, vec![call.clone()])).collect();
    let bench = Bench::start(&routes);
    for (name, (phase, function, _), expected) in cases {
        let target = format!("/refused-{name}");
        let mut client = bench.open();
        let answer = client.send(&Request::get(&format!("/{name}{target}"))).expect("an answer");
        if [EXIT, ERROR].contains(&function) {
            bench.gateway.wait_for_log(&regex::escape(expected));
        } else {
            let said = bench.outcome(name).expect_err(name);
            assert!(said.contains(expected), "{name}: {said}");
        }
        assert_eq!(answer.status, 500, "{name}: {}", answer.text());
        assert_eq!(lines(&answer.headers, "x-injected"), [""; 0], "{name}");
        let proxied = usize::from(phase == "response");
        assert_eq!(bench.upstream.hits(&target), proxied, "{name}: reaches the upstream");
        assert_eq!(bench.upstream.hits("/smuggled"), 0, "{name}");
    }
}

/// The same through the published SDKs, whatever their protocol lets them hear of it.
#[test]
fn no_sdk_adds_a_line() {
    let fleet = fleet();
    for plugin in LANGUAGES {
        for function in [SET_HEADER, SET_RESPONSE_HEADER] {
            let program = Program::new(plugin).call("access", function, json!(["X-A", "1\r\nX-Injected: 1"]));
            let target = format!("/injected/{plugin}");
            let answer =
                program.load_into(Request::get(&format!("{ROUTE}{target}"))).send(fleet.gateway.proxy());
            assert_eq!(answer.status, 500, "{plugin}, {function}: {}", answer.text());
            assert_eq!(lines(&answer.headers, "x-injected"), [""; 0], "{plugin}, {function}");
            assert_eq!(fleet.upstream.hits(&target), 0, "{plugin}, {function}");
            fleet
                .gateway
                .wait_for_log(&format!(r#"{plugin}.*"1\\r\\nX-Injected: 1" holds a control character"#));
        }
    }
}

/// The request is one request for the upstream, and its body has the length that is announced.
#[test]
fn nothing_is_smuggled_to_the_upstream() {
    let set = |name: &str, value: Value| ("access", SET_HEADER, json!([name, value]));
    let hop_by_hop = || {
        vec![
            set("Transfer-Encoding", json!("chunked")),
            set("Connection", json!("keep-alive, X-Kept")),
            set("Keep-Alive", json!("timeout=9")),
            set("Proxy-Connection", json!("close")),
            set("Upgrade", json!("h2c")),
            set("TE", json!("gzip")),
            set("Expect", json!("100-continue")),
        ]
    };
    let cases = vec![
        ("untouched", vec![]),
        ("hops", hop_by_hop()),
        ("streamed-hops", hop_by_hop()),
        ("short", vec![set("Content-Length", json!(2))]),
        ("long", vec![set("Content-Length", json!("500"))]),
        ("cleared", vec![("access", "kong.service.request.clear_header", json!(["Content-Length"]))]),
        ("streamed-short", vec![set("Content-Length", json!(2))]),
        ("streamed-long", vec![set("Content-Length", json!(500))]),
        (
            "streamed-cleared",
            vec![("access", "kong.service.request.clear_header", json!(["Content-Length"]))],
        ),
        (
            "body",
            vec![
                ("access", "kong.service.request.set_raw_body", json!(["another body"])),
                set("Content-Length", json!(1)),
                set("Transfer-Encoding", json!(["gzip", "chunked"])),
            ],
        ),
        ("gate", vec![set("X-Gate", json!("open")), set("X-Other", json!("1"))]),
        ("hosts", vec![set("Host", json!(["one.test", "two.test"]))]),
    ];
    let bench = Bench::start(&cases);
    // What follows the announced length would be the next request.
    let body = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunked = Request::post("/x", format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    for (case, _) in &cases {
        for chunks in [false, true] {
            let target = format!("/sent-{case}-{chunks}");
            let path = format!("/{case}{target}");
            let request = if chunks {
                chunked.clone().to(&path).header("Transfer-Encoding", "chunked")
            } else {
                Request::post(&path, body)
            };
            let seen = bench.forwarded(case, &request.header("X-Kept", "1"), &target);
            let expected = if *case == "body" { "another body" } else { body };
            assert_eq!(String::from_utf8_lossy(&seen.body), expected, "{case}, chunks {chunks}");
            let header = |name: &str| lines(&seen.headers, name);
            let lengths = header("content-length");
            match header("transfer-encoding").as_slice() {
                [] => assert_eq!(lengths, [expected.len().to_string()], "{case}, chunks {chunks}"),
                [coding] => {
                    assert_eq!((coding.as_str(), lengths.len()), ("chunked", 0), "{case}, chunks {chunks}")
                }
                many => panic!("{case}: {many:?}"),
            }
            for name in ["keep-alive", "proxy-connection", "upgrade", "te", "expect"] {
                assert_eq!(header(name), [""; 0], "{case}: {name}");
            }
            assert_eq!(header("connection"), ["keep-alive"], "{case}");
            assert_eq!(header("host").len(), 1, "{case}");
        }
    }

    // A GET may have a body, and a long one in chunks has no length.
    let long = "x".repeat(2 << 20);
    for case in ["untouched", "streamed-hops"] {
        let target = format!("/get-{case}");
        let chunks = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
        let request =
            Request::get(&format!("/{case}{target}")).body(chunks).header("Transfer-Encoding", "chunked");
        assert_eq!(
            bench.forwarded(case, &request, &target).body.len(),
            long.len(),
            "{case}: GET with a body"
        );
    }

    // The client may not have removed what the plugin set.
    let request =
        Request::get("/gate/listed").header("Connection", "keep-alive, X-Gate, X-Own").header("X-Own", "1");
    let seen = bench.forwarded("gate", &request, "/listed");
    assert_eq!(lines(&seen.headers, "x-gate"), ["open"]);
    assert_eq!(lines(&seen.headers, "x-own"), [""; 0]);
}

/// The request line has one target, and it is the one that was set.
#[test]
fn targets_are_encoded_or_refused() {
    let path = |text: &str| ("access", "kong.service.request.set_path", json!([text]));
    let query = |text: &str| ("access", "kong.service.request.set_raw_query", json!([text]));
    let line = " HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\n";
    let encoded = "%20HTTP/1.1%0D%0AHost:%20a%0D%0A%0D%0AGET%20/smuggled%20HTTP/1.1%0D%0A";
    let longest = format!("/{}", "x".repeat(32_765));
    let expected = [
        ("path", vec![path(&format!("/p{line}"))], format!("/p{encoded}")),
        ("query", vec![path("/q"), query(&format!("a={line}"))], format!("/q?a={encoded}")),
        ("fragment", vec![path("/f#g"), query("a=#b")], "/f%23g?a=%23b".to_owned()),
        ("quotes", vec![path("/c\"<>"), query("a=\"<>{}|\\^`")], "/c%22%3C%3E?a=\"<>{}|\\^`".to_owned()),
        (
            "arguments",
            vec![
                path("/d"),
                ("access", "kong.service.request.set_query", json!([{ "a\r\n": ["b c", "&=#"] }])),
            ],
            "/d?a%0D%0A=b%20c&a%0D%0A=%26%3D%23".to_owned(),
        ),
        ("longest", vec![path(&longest), query(&longest)], format!("{longest}?{longest}")),
    ];
    let mut cases: Vec<_> = expected.iter().map(|(name, calls, _)| (*name, calls.clone())).collect();
    cases.push(("untouched", vec![]));
    let bench = Bench::start(&cases);
    for (case, _, target) in &expected {
        bench.forwarded(case, &Request::get(&format!("/{case}/own")), target);
    }

    // Encoding makes a path three times as long; another target is not sent in its place.
    let mut client = bench.open();
    let answer =
        client.send(&Request::get(&format!("/untouched/{}", "{".repeat(30_000)))).expect("an answer");
    assert_eq!(answer.status, 414, "{}", answer.text());
    assert_eq!(bench.upstream.hits("/"), 0);
}

/// The client finds each answer's end, whatever plugins say of it.
#[test]
fn answers_are_framed_by_the_gateway() {
    let preset = |name: &str, value: Value| ("access", SET_RESPONSE_HEADER, json!([name, value]));
    let late = |name: &str, value: Value| ("response", SET_RESPONSE_HEADER, json!([name, value]));
    let hops = |phase: &'static str| -> Vec<Call> {
        let all = [
            ("Transfer-Encoding", "chunked"),
            ("transfer_encoding", "gzip"),
            ("Connection", "close"),
            ("Keep-Alive", "timeout=9"),
            ("Proxy-Connection", "close"),
            ("Upgrade", "h2c"),
        ];
        all.iter().map(|(name, value)| (phase, SET_RESPONSE_HEADER, json!([name, value]))).collect()
    };
    let method = |name: &str| ("access", "kong.service.request.set_method", json!([name]));
    let given = json!({ "Content-Length": 1, "transfer_encoding": "chunked", "Connection": "upgrade" });
    let cases: Vec<(&str, Vec<Call>)> = vec![
        ("untouched", vec![]),
        ("preset-hops", hops("access")),
        ("late-hops", hops("response")),
        ("preset-short", vec![preset("Content-Length", json!(2))]),
        ("preset-long", vec![preset("Content-Length", json!(5000))]),
        ("late-short", vec![late("Content-Length", json!(2))]),
        ("late-long", vec![late("Content-Length", json!(5000))]),
        ("late-cleared", vec![("response", "kong.response.clear_header", json!(["Content-Length"]))]),
        ("late-204", vec![("response", "kong.response.set_status", json!([204]))]),
        ("late-304", vec![("response", "kong.response.set_status", json!([304]))]),
        ("late-exit", vec![("response", EXIT, json!([200, "late", given]))]),
        ("exit", vec![("access", EXIT, json!([200, "body", given]))]),
        ("exit-204", vec![("access", EXIT, json!([204, "body", { "Content-Length": 4 }]))]),
        ("exit-304", vec![("access", EXIT, json!([304, "", { "Content-Length": 7 }]))]),
        ("error", vec![("access", ERROR, json!([503, "down", given]))]),
        ("to-head", vec![method("HEAD")]),
        ("to-head-late", vec![method("HEAD"), late("X-Late", json!("1"))]),
        ("to-head-exit", vec![method("HEAD"), ("access", EXIT, json!([200, "body"]))]),
        ("to-get", vec![method("GET")]),
    ];
    let bench = Bench::start(&cases);
    for (case, _) in &cases {
        for verb in ["GET", "HEAD"] {
            for target in ["/plain", "/chunked", "/304"] {
                let name = format!("{case}: {verb} {target}");
                let mut client = bench.open();
                let answer = client.send(&Request::new(verb, &format!("/{case}{target}")));
                let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
                expect_framing(&name, verb, &answer);
                bench.expect_order(case, &mut client);
            }
        }
    }
    let get = |path: &str| bench.open().send(&Request::get(path)).expect("an answer");
    assert_eq!(get("/exit/plain").text(), "body");
    assert_eq!(get("/late-exit/plain").text(), "late");
    assert_eq!(get("/to-head-exit/plain").text(), "body");
    assert_eq!(get("/preset-short/chunked").text(), "hello");
    assert_eq!(get("/late-long/chunked").text(), "hello");
    assert_eq!(get("/preset-long/plain").json()["target"], "/plain");
    let head = bench.open().send(&Request::new("HEAD", "/exit/plain")).expect("an answer");
    assert_eq!(head.header("content-length"), Some("4"), "as GET would say");
}

/// At most one way to tell the length, and nothing of the upstream's connection.
#[track_caller]
fn expect_framing(name: &str, verb: &str, answer: &Response) {
    let header = |name: &str| lines(&answer.headers, name);
    let (lengths, codings) = (header("content-length"), header("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "{name}: {:?}", answer.headers);
    assert!(codings.iter().all(|coding| coding == "chunked"), "{name}: {codings:?}");
    for hop in ["keep-alive", "proxy-connection", "upgrade"] {
        assert_eq!(header(hop), [""; 0], "{name}: {hop}");
    }
    assert_eq!(header("connection"), ["keep-alive"], "{name}: the gateway's own");
    match answer.status {
        204 => assert!(lengths.is_empty() && codings.is_empty(), "{name}: {:?}", answer.headers),
        304 => {}
        _ if verb == "HEAD" => {}
        _ => assert_eq!(lengths.len() + codings.len(), 1, "{name}: {:?}", answer.headers),
    }
}
