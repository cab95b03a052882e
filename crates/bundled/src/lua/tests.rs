use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use polygate_chain::pdk::fixture;
use polygate_chain::{Exchange, Handler, LocalFuture, Phase, Value};
use serde_json::json;

use super::{Sandbox, Trust};
use crate::tests::{Nowhere, handler, handler_with, header, run};
use crate::{Bundled, PLUGINS, Shared};

const NAME: &str = "pre-function";

fn request() -> Exchange {
    fixture::routed("/api/a?x=1&y=2")
}

fn accessing(chunks: &[&str]) -> Arc<dyn Handler> {
    handler(NAME, json!({ "access": chunks }))
}

fn access_with(handler: &dyn Handler) -> Result<Exchange, String> {
    let mut exchange = request();
    run(handler, Phase::Access, &mut exchange).map(|()| exchange).map_err(|failure| failure.message)
}

/// The outcome of what waits for nothing.
fn now<T>(mut running: LocalFuture<'_, T>) -> T {
    match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

/// What the access chunks make of a request.
fn access(chunks: &[&str]) -> Result<Exchange, String> {
    access_with(&*accessing(chunks))
}

fn refusal(chunk: &str) -> String {
    access(&[chunk]).err().unwrap_or_default()
}

const SHOW: &str = "kong.service.request.set_header('X-Value', tostring(value))";

fn shown(exchange: &Exchange) -> &str {
    exchange.request.headers.text("X-Value").unwrap_or_default()
}

/// What an expression of a chunk is, as text; or why it is nothing, without the place.
fn value_of(expression: &str) -> String {
    match access(&[&format!("local value = {expression} {SHOW}")]) {
        Ok(exchange) => shown(&exchange).to_owned(),
        Err(message) => message.rsplit("]:1: ").next().unwrap_or_default().to_owned(),
    }
}

fn in_sandbox(sandbox: Sandbox, chunk: &str) -> Result<Exchange, String> {
    let shared = Shared::new(Arc::new(Nowhere));
    shared.sandbox.store(Arc::new(sandbox));
    access_with(&*handler_with(NAME, json!({ "access": [chunk] }), &shared))
}

#[test]
fn chunks_have_the_pdk() {
    for (expression, expected) in [
        ("kong.request.get_method()", "GET"),
        ("kong.request.get_header('host')", "client.test"),
        ("kong.request.get_header('none')", "nil"),
        ("kong.request.get_query().y", "2"),
        ("kong.router.get_route().paths[1]", "/api"),
        ("select('#', kong.request.get_method())", "1"),
        ("select(2, kong.request.get_body())", "missing content type"),
        ("select(2, pcall(kong.request.get_header))", "header name must be a string"),
        ("kong.request.get_header()", "header name must be a string"),
        ("kong.request.get_header(print)", "a function cannot be passed on"),
        ("kong.response.get_raw_body()", "function cannot be called in access phase (only in: body_filter)"),
        ("type(kong.log.serialize)", "function"),
        ("kong.log()", "nil"),
        ("kong.nothing", "kong.nothing is not available"),
        ("kong.service.request.nothing", "kong.service.request.nothing is not available"),
        ("kong.table.merge({a = 1}, {a = 2}).a", "2"),
    ] {
        assert_eq!(value_of(expression), expected, "of {expression}");
    }
}

#[test]
fn chunks_have_a_part_of_ngx() {
    for (expression, expected) in [
        ("ngx.var.request_method .. ngx.var.uri", "GET/api/a"),
        ("ngx.var.nothing", "nil"),
        ("ngx.req.get_headers().HOST", "client.test"),
        ("ngx.req.get_uri_args().x", "1"),
        ("ngx.req.get_method()", "GET"),
        ("ngx.get_phase()", "access"),
        ("math.abs(ngx.now() - ngx.time()) <= 1", "true"),
        ("ngx.http_time(0)", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("ngx.encode_base64('a?>') .. ngx.encode_base64('a', true)", "YT8+YQ"),
        ("ngx.decode_base64('YT8+')", "a?>"),
        ("ngx.decode_base64('!')", "nil"),
        ("ngx.md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
        ("ngx.encode_base64(ngx.sha1_bin('a'))", "hvfkN/qlp/zhXR3cuerq6jd2Z7g="),
        ("ngx.encode_base64(ngx.hmac_sha1('k', 'a'))", "QOfUQcrbF7B/BQNBqiOmgg7YHIs="),
        ("ngx.escape_uri('a b/c~') .. ngx.escape_uri('a b/c', 0)", "a%20b%2Fc~a%20b/c"),
        ("ngx.unescape_uri('a%20b+c%zz')", "a b c%zz"),
        ("ngx.encode_args({ a = { 1, 2 } })", "a=1&a=2"),
        ("ngx.decode_args('a=1&a=2&b').a[2]", "2"),
        ("ngx.decode_args('a=1&b').b", "true"),
        ("ngx.quote_sql_str([[a'b]])", "'a\\'b'"),
        ("ngx.re.match('id=42', [[id=(?<n>\\d+)(x)?]], 'jo').n", "42"),
        ("ngx.re.match('id=42', [[id=(\\d+)(x)?]])[2]", "false"),
        ("ngx.re.match('ABC', 'b', 'i')[0]", "B"),
        ("select(2, ngx.re.find('id=42', [[id=(\\d+)]], '', nil, 1))", "5"),
        ("ngx.re.gsub('hello', '(l)', '[$1]${1}$$')", "he[l]l$[l]l$o"),
        ("ngx.re.gsub('abc', '', '-')", "-a-b-c-"),
        ("ngx.re.sub('abc', '[ab]', function(m) return m[0]:upper() end)", "Abc"),
        (
            "(function() local all = '' for m in ngx.re.gmatch('a1b2', [[\\d]]) do all = all .. m[0] end return all end)()",
            "12",
        ),
        (
            "ngx.re.match('a', '(?=a)')",
            "pattern \"(?=a)\" is refused: look-around, including look-ahead and look-behind, is not supported",
        ),
        ("ngx.re.match('a', 'a', 'q')", "unknown flag \"q\""),
        ("ngx.socket.tcp()", "ngx.socket is not available"),
        ("ngx.timer.at(0, print)", "ngx.timer is not available"),
        ("ngx.req.socket()", "ngx.req.socket is not available"),
        ("ngx.null", "userdata: NULL"),
    ] {
        let got = value_of(expression);
        let is_same = got == expected || got.ends_with(&format!(": {expected}"));
        assert!(is_same, "of {expression}: {got}");
    }
}

#[test]
fn requests_are_changed_in_the_manner_of_ngx() {
    let exchange = access(&[
        "ngx.req.set_header('X-Value', 1) ngx.req.set_header('X-Two', { 'a', 'b' }) ngx.req.clear_header('Host')",
        "ngx.req.set_method(ngx.HTTP_PUT) ngx.req.set_uri_args({ z = '1' })",
        "ngx.header['X-Out'] = 'o' ngx.header.x_gone = 'g' ngx.header.x_gone = nil",
    ])
    .unwrap();
    assert_eq!((shown(&exchange), exchange.request.method.as_str()), ("1", "PUT"));
    assert_eq!(exchange.request.headers.get_all("X-Two").count(), 2);
    assert_eq!(exchange.request.query.as_deref(), Some(b"z=1".as_slice()));
    assert_eq!(exchange.response.headers.text("X-Out"), Some("o"));
    assert!(!exchange.response.headers.contains("X-Gone"));
    assert!(refusal("ngx.var.nothing = 1").ends_with("ngx.var.nothing cannot be set"));
}

#[test]
fn errors_name_the_line_and_plugin() {
    let message = "[pre-function] access: [string \"error('boom')\"]:1: boom";
    assert_eq!(refusal("error('boom')"), message);
    assert!(
        refusal("local x = kong.request.get_header('none') local y = x.z")
            .contains("attempt to index local 'x'")
    );
    assert!(refusal("error()").ends_with("access: nil"));
}

#[test]
fn an_answer_ends_the_chunks() {
    for (chunk, status, body) in [
        ("pcall(kong.response.exit, 418, 'x') error('not reached')", 418, "x"),
        ("coroutine.wrap(function() kong.response.exit(418, 'x') end)() error('not reached')", 418, "x"),
        ("kong.response.error(403, 'no') error('not reached')", 403, "no"),
        ("ngx.exit(403) error('not reached')", 403, "403 Forbidden"),
        ("ngx.exit(ngx.ERROR)", 500, "An unexpected error occurred"),
        ("ngx.status = 201 ngx.say('made') ngx.exit(ngx.OK)", 201, "made\n"),
        ("ngx.say('gone') ngx.exit(410)", 410, "gone\n"),
        ("ngx.redirect('/there')", 302, ""),
    ] {
        let exchange = access(&[chunk, "error('nor here')"]).unwrap();
        let answer = exchange.session.answer.as_ref().unwrap();
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(exchange.response.status, status, "of {chunk}");
        assert!(text.contains(body), "of {chunk}: {text}");
    }
    let exchange = access(&["ngx.say('a', 1, nil, { 'b', { 'c' } })", "ngx.print('d')"]).unwrap();
    assert_eq!(exchange.session.answer.unwrap().body, "a1nilbc\nd");
    let exchange = access(&["ngx.exit(ngx.OK) error('not reached')", "error('nor here')"]).unwrap();
    assert!(exchange.session.answer.is_none());
}

#[test]
fn functions_keep_what_they_share() {
    let counting =
        accessing(&[&format!("local n = 0 return function() n = n + 1 local value = n {SHOW} end")]);
    let counts: Vec<_> = (0..3).map(|_| shown(&access_with(&*counting).unwrap()).to_owned()).collect();
    assert_eq!(counts, ["1", "2", "3"]);
    // Globals are the chunk's own.
    let exchange = access(&["mine = 1", &format!("local value = mine {SHOW}")]).unwrap();
    assert_eq!(shown(&exchange), "nil");
}

#[test]
fn a_chunk_that_decided_at_first_still_becomes_a_function() {
    let chunk = "if not seen then seen = true kong.response.exit(200) end
                 local n = 0 return function() n = n + 1 local value = n ";
    let handler = accessing(&[&format!("{chunk}{SHOW} end")]);
    let values: Vec<_> = (0..3).map(|_| shown(&access_with(&*handler).unwrap()).to_owned()).collect();
    assert_eq!(values, ["", "1", "2"]);
}

#[test]
fn bodies_are_waited_for() {
    for chunk in [
        "kong.request.get_raw_body()",
        "select(2, pcall(kong.request.get_raw_body))",
        "coroutine.wrap(function() return kong.request.get_raw_body() end)()",
        "(function() ngx.req.read_body() return ngx.req.get_body_data() end)()",
    ] {
        for (limit, expected) in [("", "nil"), ("100", "hello")] {
            let handler = accessing(&[&format!(
                "local value = {} {SHOW}",
                chunk.replace("body()", &format!("body({limit})"))
            )]);
            let mut exchange = request();
            exchange.request_body = fixture::upload("hello", Ok(()));
            run(&*handler, Phase::Access, &mut exchange).unwrap();
            assert!(
                shown(&exchange) == expected || chunk.contains("pcall") || chunk.contains("ngx"),
                "of {chunk}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sleep_is_a_wait() {
    let (handler, mut exchange) = (accessing(&["ngx.sleep(3600)"]), request());
    let before = tokio::time::Instant::now();
    handler.run(Phase::Access, (&mut exchange).into()).await.unwrap();
    assert_eq!(before.elapsed().as_secs(), 3600);
}

#[test]
fn what_cannot_wait_says_so() {
    let handler = handler(NAME, json!({ "header_filter": ["ngx.sleep(1)"] }));
    let failure = handler.header(&mut request()).unwrap_err();
    assert!(failure.message.contains("API disabled in the context of header_filter_by_lua*"), "{failure}");
    assert!(refusal("coroutine.yield(1)").ends_with("attempt to yield from outside a coroutine"));
}

#[test]
fn tables_of_a_request_are_seen_by_all_its_plugins() {
    let shared =
        |exchange: &Exchange, key: &str| exchange.session.shared.get(key).cloned().unwrap_or_default();
    let first = accessing(&[
        "kong.ctx.shared.t = { a = 1 } kong.ctx.shared.t.b = 2 kong.ctx.shared.f = print kong.ctx.plugin.x = 5",
    ]);
    let second = accessing(&[
        "local s = kong.ctx.shared assert(s.f == print and s.t.b == 2 and kong.ctx.plugin.x == 5)
                              s.t.c = s.other s.gone = nil for key in pairs(s) do assert(key ~= 'gone') end",
    ]);
    let mut exchange = request();
    exchange.session.shared.insert("gone".into(), true.into());
    run(&*first, Phase::Access, &mut exchange).unwrap();
    let t = shared(&exchange, "t");
    assert_eq!((t.get("a"), t.get("b")), (&Value::Int(1), &Value::Int(2)));
    exchange.session.shared.insert("other".into(), "o".into());
    run(&*second, Phase::Access, &mut exchange).unwrap();
    assert_eq!(shared(&exchange, "t").get("c"), &Value::from("o"));
    assert!(!exchange.session.shared.contains_key("gone") && !exchange.session.shared.contains_key("f"));
}

#[test]
fn ngx_ctx_has_what_the_gateway_knows() {
    let exchange = access(&[
        "ngx.ctx.mine = 1 assert(ngx.ctx.mine == 1)",
        &format!("local value = ngx.ctx.route.paths[1] {SHOW}"),
    ]);
    let exchange = exchange.unwrap();
    assert_eq!(shown(&exchange), "/api");
    assert_eq!(exchange.session.nginx_ctx.get("mine"), Some(&Value::Int(1)));
}

#[test]
fn heads_of_responses() {
    let handler = handler(
        NAME,
        json!({ "header_filter": [
        "kong.response.set_header('X-Out', kong.response.get_status()) ngx.header['X-Up'] = nil ngx.status = 203",
    ] }),
    );
    let mut exchange = request();
    exchange.response.status = 200;
    exchange.response.headers = fixture::headers(&[("X-Up", "1")]);
    header(&*handler, &mut exchange);
    assert_eq!((exchange.response.status, exchange.response.headers.text("X-Out")), (203, Some("200")));
    assert!(!exchange.response.headers.contains("X-Up"));
}

/// What chunks make of a body that comes in two pieces, at each of them and at its end.
fn filtered(chunk: &str) -> [String; 3] {
    let handler = handler(NAME, json!({ "body_filter": [chunk] }));
    let mut exchange = request();
    exchange.session.phase = Phase::Response;
    let mut filter = handler.body(&mut exchange).unwrap();
    let mut steps = [const { Vec::new() }; 3];
    filter.piece(&mut exchange, b"ab", &mut steps[0]);
    filter.piece(&mut exchange, b"cd", &mut steps[1]);
    filter.end(&mut exchange, &mut steps[2]);
    steps.map(|step| String::from_utf8(step).unwrap())
}

#[test]
fn bodies_of_responses() {
    for (chunk, expected) in [
        ("ngx.arg[1] = ngx.arg[1]:upper()", ["AB", "CD", ""]),
        ("if ngx.arg[2] then ngx.arg[1] = ngx.arg[1] .. '!' end", ["ab", "cd", "!"]),
        (
            "local b = kong.response.get_raw_body() if b then kong.response.set_raw_body(b:upper()) end",
            ["", "", "ABCD"],
        ),
        ("kong.response.set_raw_body('all')", ["all", "", ""]),
        ("ngx.arg[1] = nil", ["", "", ""]),
        ("ngx.arg[1] = kong.request.get_header('host')", ["client.test", "client.test", "client.test"]),
        ("kong.ctx.plugin.n = (kong.ctx.plugin.n or 0) + 1 ngx.arg[1] = kong.ctx.plugin.n", ["1", "2", "3"]),
        // What was to be filtered and was not must not leave.
        ("if ngx.arg[1] == 'cd' then error('x') end", ["ab", "", ""]),
        ("kong.response.set_header('a', 'b')", ["", "", ""]),
        ("ngx.arg[1] = {}", ["", "", ""]),
    ] {
        assert_eq!(filtered(chunk), expected, "of {chunk}");
    }
    assert!(accessing(&["return"]).body(&mut request()).is_none());
}

#[test]
fn the_sandbox_hides_what_reaches_outside() {
    for name in [
        "os.execute",
        "os.exit",
        "os.getenv",
        "os.remove",
        "os.rename",
        "os.tmpname",
        "io.open",
        "io.popen",
        "io.lines",
        "load",
        "loadstring",
        "loadfile",
        "dofile",
        "module",
        "package",
        "debug",
        "getfenv",
        "setfenv",
        "getmetatable",
        "setmetatable",
        "rawget",
        "rawset",
        "_G",
        "newproxy",
        "collectgarbage",
        "string.dump",
        "jit.off",
        "jit.on",
    ] {
        assert_eq!(value_of(name), "nil", "of {name}");
    }
    for (expression, expected) in [
        ("('').dump", "nil"),
        ("getmetatable", "nil"),
        ("require('os')", "require 'os' not allowed within sandbox"),
        ("require('cjson.safe')", "require 'cjson.safe' not allowed within sandbox"),
    ] {
        assert_eq!(value_of(expression), expected, "of {expression}");
    }
    for chunk in [
        "string.rep = nil",
        "kong.request = nil",
        "kong.request.get_method = nil",
        "ngx.log = nil",
        "kong.log.err = nil",
    ] {
        assert!(refusal(chunk).ends_with("cannot be set"), "of {chunk}: {}", refusal(chunk));
    }
    // Bytecode could do anything.
    assert!(super::check("\u{1b}LJ").is_err());
}

#[test]
fn properties_open_and_close_the_sandbox() {
    let opened = Sandbox {
        requires: vec!["cjson.safe".into(), "resty.nothing".into()],
        environment: vec!["os.getenv".into(), "io".into(), "no.such.thing".into(), "kong.cache".into()],
        ..Sandbox::default()
    };
    let chunk = "local json = require('cjson.safe')
                 assert(json.encode({ 1, { a = json.null } }) == '[1,{\"a\":null}]' and json.decode('{\"a\":[1]}').a[1] == 1)
                 assert(json.encode('a/b') == '\"a\\\\/b\"' and json.decode('{') == nil and json.decode('null') == json.null)
                 assert(os.getenv('PATH') and io.open and os.time and not os.execute and not no.such)";
    in_sandbox(opened.clone(), chunk).unwrap();
    let missing = in_sandbox(opened, "require('resty.nothing')").err().unwrap();
    assert!(missing.ends_with("module 'resty.nothing' is not available"), "{missing}");

    let full = Sandbox { trust: Trust::Full, ..Sandbox::default() };
    let chunk = "assert(io.open and os.execute and setmetatable and loadstring and require('cjson').encode({}) == '{}')
                 assert(not pcall(require, 'no.such.module') and not debug and not pcall(require, 'ffi'))";
    in_sandbox(full, chunk).unwrap();

    let shared = Shared::new(Arc::new(Nowhere));
    shared.sandbox.store(Arc::new(Sandbox { trust: Trust::None, ..Sandbox::default() }));
    let plugin: &Bundled = PLUGINS.iter().find(|plugin| plugin.name == NAME).unwrap();
    let configuration = json!({
        "certificate": [], "rewrite": [], "access": ["return 1"], "header_filter": [], "body_filter": [], "log": [],
    });
    let configuration = json!({
        "id": polygate_model::Id::nil(), "created_at": 0, "updated_at": 0, "name": NAME, "config": configuration,
        "protocols": ["http"], "enabled": true,
    });
    let refused =
        (plugin.configure)(&Arc::new(serde_json::from_value(configuration).unwrap()), &shared).err().unwrap();
    assert!(refused.starts_with("loading of untrusted Lua code disabled"), "{refused}");
}

#[test]
fn a_chunk_without_end_is_ended() {
    for chunk in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "while true do xpcall(function() while true do end end, print) end",
    ] {
        assert!(
            refusal(chunk).contains("took more than 1s of the processor without a wait"),
            "of {chunk}: {}",
            refusal(chunk)
        );
    }
    assert_eq!(value_of("1"), "1");
}

#[test]
fn a_state_without_memory_is_replaced() {
    let keeping = accessing(&[&format!("n = (n or 0) + 1 local value = n {SHOW}")]);
    access_with(&*keeping).unwrap();
    assert_eq!(shown(&access_with(&*keeping).unwrap()), "2");
    for chunk in [
        "local s = 'x' while true do s = s .. s end",
        "kept = {} while true do kept[#kept + 1] = ('x'):rep(1e6) .. #kept end",
    ] {
        assert!(refusal(chunk).contains("not enough memory"), "of {chunk}: {}", refusal(chunk));
        assert_eq!(shown(&access_with(&*keeping).unwrap()), "1", "in a new state");
    }
    // A request that began in the old state goes on in the new one.
    let mut exchange = request();
    run(&*accessing(&["kong.ctx.shared.a = 1"]), Phase::Access, &mut exchange).unwrap();
    refusal("local s = 'x' while true do s = s .. s end");
    run(&*accessing(&["assert(kong.ctx.shared.a == 1)"]), Phase::Access, &mut exchange).unwrap();
}

#[test]
fn the_stack_of_the_system_has_an_end_that_no_chunk_sees() {
    for chunk in [
        "local function f() string.gsub('a', 'a', f) end f()",
        "local function f() ('a'):gsub('a', f) end f()",
        "local function f() table.sort({ 1, 2, 3 }, f) end f()",
        "local function f() coroutine.wrap(f)() end f()",
        "local function f() assert(coroutine.resume(coroutine.create(f))) end f()",
        "local function f() ngx.re.gsub('a', 'a', f) end f()",
        "local function f() return 1 + f() end f()",
    ] {
        assert!(refusal(chunk).contains("stack overflow"), "of {chunk}: {}", refusal(chunk));
    }
    for chunk in ["local function f() pcall(f) end f()", "local function f() xpcall(f, f) end f()"] {
        access(&[chunk]).unwrap();
    }
}

#[test]
fn libraries_call_functions_of_chunks() {
    for (expression, expected) in [
        ("select(2, ('hello'):gsub('l', function() end))", "2"),
        ("('hello world'):gsub('(%w)(%w*)', function(a, b) return a:upper() .. b end)", "Hello World"),
        ("('abc'):gsub('%w', { a = '1' })", "1bc"),
        ("('abc'):gsub('', function() return '-' end)", "-a-b-c-"),
        ("('abc'):gsub('%w*', function() return 'x' end)", "x"),
        ("('aaa'):gsub('^a', function() return 'b' end)", "baa"),
        ("('aaa'):gsub('a', function() return 1 end, 2)", "11a"),
        ("('abc'):gsub('()b', function(at) return at end)", "a2c"),
        ("('a'):gsub('a', function() return {} end)", "invalid replacement value (a table)"),
        (
            "(function() local t = { 3, 1, 2, 5, 4 } table.sort(t, function(a, b) return a > b end) return table.concat(t) end)()",
            "54321",
        ),
        ("(function() local t = { 'b', 'a' } table.sort(t) return table.concat(t) end)()", "ab"),
        (
            "(function() local all = 0 for i in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do all = all + i end return all end)()",
            "6",
        ),
    ] {
        let got = value_of(expression);
        assert!(got.ends_with(expected), "of {expression}: {got}");
    }
}

#[test]
fn tables_without_end_are_not_passed_on() {
    for (chunk, words) in [
        ("local t = {} t.t = t kong.response.exit(200, t)", "more than 100 deep"),
        (
            "local t = {} for _ = 1, 40 do t = { t, t } end kong.response.exit(200, t)",
            "more than 1000000 values",
        ),
        ("kong.response.exit(200, { [true] = 1 })", "a boolean cannot be a key"),
        ("kong.response.exit(200, { print })", "a function cannot be passed on"),
    ] {
        assert!(refusal(chunk).contains(words), "of {chunk}: {}", refusal(chunk));
    }
}

#[test]
fn handshakes_have_what_works_without_a_request() {
    let handler = handler(
        NAME,
        json!({ "certificate": [
        "assert(ngx.get_phase() == 'certificate') kong.ctx.shared.ip = kong.client.get_ip() kong.ctx.plugin.x = 1",
    ] }),
    );
    let mut session = fixture::session(Phase::Certificate);
    now(handler.run(Phase::Certificate, (&mut session).into())).unwrap();
    assert_eq!(session.shared.get("ip"), Some(&Value::from("127.0.0.1")));
    let failing = crate::tests::handler(NAME, json!({ "certificate": ["kong.request.get_method()"] }));
    let failure = now(failing.run(Phase::Certificate, (&mut session).into())).unwrap_err();
    assert!(failure.message.contains("function cannot be called in certificate phase"), "{failure}");
}
