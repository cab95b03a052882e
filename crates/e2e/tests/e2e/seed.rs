//! What the documentation of external plugins promises, statement by statement.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, Request};
use serde_json::{Value, json};

use crate::declarative::{self, plugin, route};
use crate::fleet::fleet;
use crate::program::{GO, GO_LM, JS, LANGUAGES, PY, Program, ROUTE};
use crate::servers;

#[test]
fn s_1_servers_of_two_languages_serve() {
    let fleet = fleet();
    for (path, header) in [("/go-hello", "x-hello-from-go"), ("/py-hello", "x-hello-from-python")] {
        let answer = Request::get(path).send(fleet.gateway.proxy()).expect(200);
        assert!(answer.header(header).is_some(), "{header} from {path}");
    }
}

#[test]
fn s_2_plugins_of_three_languages_in_one_request() {
    let answer = Request::get("/three").send(fleet().gateway.proxy()).expect(200);
    for header in ["x-hello-from-go", "x-hello-from-javascript", "x-hello-from-python"] {
        assert!(answer.header(header).is_some(), "{header} in {:?}", answer.headers);
    }
}

#[test]
fn s_3_an_embedded_server_prints_its_flags() {
    let output = Command::new(peer("go/bin/go-hello")).arg("-h").output().expect("the program can be run");
    let usage = String::from_utf8_lossy(&output.stderr).into_owned();
    for flag in ["-dump", "-help", "-kong-prefix"] {
        assert!(usage.contains(flag), "{flag} in {usage}");
    }
}

#[test]
fn s_4_a_renamed_program_is_another_plugin() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let program = folder.path().join("renamed");
    fs::copy(peer("go/bin/go-hello"), &program).expect("a copy of the program");
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder()
        .conf(&format!(
            "plugins = bundled,renamed\npluginserver_names = renamed\n{}",
            servers::go("renamed", &program)
        ))
        .declarative(&declarative::global(&upstream.url(), &[plugin("renamed", json!({}))]))
        .start();
    assert!(gateway.prefix().join("renamed.socket").exists());
    let answer = Request::get("/").send(gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-go"), Some("Go says hello to example.com"));
}

/// Starts a gateway with one plugin configuration that must be refused, and returns what it says.
#[track_caller]
fn refusal(server: &str, name: &str, config: Value) -> String {
    let file = declarative::global("http://127.0.0.1:9", &[plugin(name, config)]);
    let output = Gateway::builder()
        .conf(&format!("plugins = bundled,{name}\npluginserver_names = one\n{server}"))
        .declarative(&file)
        .start_refused();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn s_5_tags_rename_configuration_members() {
    // In the struct the member is called File.
    let server = servers::go("one", &peer("go/bin/go-log"));
    let said = refusal(&server, "go-log", json!({ "file": "x" }));
    assert!(said.contains("file") && said.contains("unknown field"), "{said}");
}

/// An upstream that sends half of its answer and the rest when it is told to.
fn halting_upstream() -> (String, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
    let (release, released) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let mut send = |bytes: &[u8]| drop(stream.get_mut().write_all(bytes));
            send(b"HTTP/1.1 200 OK\r\nServer: mock-upstream/1.0.0\r\nContent-Length: 8\r\n\r\nhalf");
            if released.recv().is_ok() {
                send(b"rest");
            }
        }
    });
    (url, release)
}

/// What has come when nothing more comes for a while.
fn read_some(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout above zero");
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    bytes
}

#[test]
fn s_6_a_response_handler_holds_a_streaming_upstream_back() {
    let (url, release) = halting_upstream();
    let conf = format!(
        "plugins = bundled,go-hello\npluginserver_names = one\n{}",
        servers::go("one", &peer("go/phases/go-hello"))
    ) + "pluginserver_one_socket = {prefix}/go-hello.socket\n";
    let routes = [route("held", &[plugin("go-hello", json!({ "message": "x" }))]), route("streamed", &[])];
    let gateway = Gateway::builder().conf(&conf).declarative(&declarative::file(&url, &routes)).start();

    let ask = |path: &str| {
        let mut stream = TcpStream::connect(gateway.proxy()).expect("the gateway listens");
        stream.write_all(&Request::get(path).to_bytes()).expect("the gateway reads");
        stream
    };
    let mut streamed = ask("/streamed");
    assert!(read_some(&mut streamed).ends_with(b"half"), "without the plugin the first half arrives at once");
    release.send(()).expect("the upstream waits");
    assert_eq!(read_some(&mut streamed), b"rest");
    drop(streamed);

    let mut held = ask("/held");
    assert_eq!(read_some(&mut held), b"", "nothing arrives while the plugin waits for the whole answer");
    release.send(()).expect("the upstream waits");
    let answer = String::from_utf8(read_some(&mut held)).expect("ASCII");
    assert!(
        answer.ends_with("halfrest") && answer.contains("got from server 'mock-upstream/1.0.0'"),
        "{answer}"
    );
}

#[test]
fn s_7_the_highest_priority_runs_first() {
    let fleet = fleet();
    let mut request = Request::get(ROUTE);
    for plugin in LANGUAGES {
        let append =
            Program::new(plugin).call("access", "kong.response.add_header", json!(["x-order", plugin]));
        request = append.load_into(request);
    }
    let answer = request.send(fleet.gateway.proxy()).expect(200);
    let order: Vec<&[u8]> = LANGUAGES.iter().map(|plugin| plugin.as_bytes()).collect();
    assert_eq!(answer.header_bytes("x-order"), order);
}

#[test]
fn s_8_schemas_of_javascript_and_python_give_defaults() {
    let fleet = fleet();
    for (path, expected) in [
        ("/js-schema", json!({ "count": 3, "greeting": "hello", "limits": { "names": [], "rate": 1.5 } })),
        ("/py-schema", json!({ "count": 3, "greeting": "hello", "limits": { "names": ["a"], "rate": 1.5 } })),
    ] {
        let answer = Request::get(path).send(fleet.gateway.proxy()).expect(200);
        let mut config: Value =
            serde_json::from_str(answer.header("x-config").expect("a configuration")).expect("JSON");
        config.as_object_mut().expect("an object").remove("route_id");
        assert_eq!(config, expected, "{path}");
    }
}

#[test]
fn s_8_schemas_refuse_what_breaks_a_rule() {
    let server = servers::python("one", "plugins", "");
    for (config, member, reason) in [
        (json!({}), "count", "required field missing"),
        (json!({ "count": 11 }), "count", "value should be between 1 and 10"),
        (json!({ "count": 1.5 }), "count", "expected an integer"),
        (json!({ "count": 1, "greeting": "hi" }), "greeting", "expected one of: hello, goodbye"),
        (json!({ "count": 1, "limits": { "names": [1] } }), "names", "expected a string"),
        (json!({ "count": 1, "limits": { "speed": 1 } }), "speed", "unknown field"),
    ] {
        let said = refusal(&server, "py-schema", config.clone());
        assert!(said.contains(member) && said.contains(reason), "{config}: {said}");
    }
}

#[test]
fn s_9_dependencies_come_from_node_modules() {
    let answer = Request::post("/js-graphql", "{ nothing }").send(fleet().gateway.proxy()).expect(200);
    let message = answer.json()["errors"][0]["message"].as_str().map(str::to_owned);
    assert_eq!(message.as_deref(), Some("Cannot query field \"nothing\" on type \"Query\"."));
}

#[test]
fn s_10_without_a_schema_any_member_is_refused() {
    let fleet = fleet();
    Request::get("/py-image").send(fleet.gateway.proxy()).expect(200);
    let said = refusal(&servers::python("one", "plugins", ""), "py-image", json!({ "size": 3 }));
    assert!(said.contains("size") && said.contains("unknown field"), "{said}");
}

#[test]
fn s_12_both_spellings_of_the_query_flag() {
    for flag in ["--dump", "-dump"] {
        let (python, script) = (
            servers::py_hello("py", "-p {prefix}", flag, "{prefix}/py-hello.sock"),
            servers::go("go-hello", &peer("go/bin/go-hello")).replace(" -dump", &format!(" {flag}")),
        );
        let gateway = Gateway::builder()
            .conf(&format!(
                "plugins = bundled,go-hello,py-hello\npluginserver_names = py,go-hello\n{python}{script}"
            ))
            .start();
        gateway.wait_for_log("loaded #2 external plugins info");
    }
}

#[test]
fn s_13_a_command_outside_of_path_is_reported_and_tried_again() {
    let server = servers::py_hello("py", "-p {prefix}", "--dump", "{prefix}/py-hello.sock");
    let conf = format!(
        "plugins = bundled,py-hello\npluginserver_names = py\n{server}pluginserver_py_start_cmd = no-such-command -p {{prefix}}"
    );
    let upstream = EchoUpstream::start();
    let routes = [route("py", &[plugin("py-hello", json!({}))]), route("other", &[])];
    let gateway =
        Gateway::builder().conf(&conf).declarative(&declarative::file(&upstream.url(), &routes)).start();
    gateway.wait_for_log(r"(?s)no-such-command.*command not found.*command not found");
    Request::get("/py").send(gateway.proxy()).expect(503);
    Request::get("/other").send(gateway.proxy()).expect(200);
}

#[test]
fn s_15_the_shared_context_crosses_languages() {
    let fleet = fleet();
    let value = json!({ "text": "ü", "number": 7, "half": 0.5, "yes": true, "list": ["a", 1] });
    for writer in [GO, GO_LM, JS] {
        // Whoever writes has a higher priority than Python; the others read in the response phase.
        let write = Program::new(writer).call("access", "kong.ctx.shared.set", json!(["from", value]));
        let mut request = write.load_into(Request::get(ROUTE));
        let readers: Vec<Program> = LANGUAGES
            .iter()
            .filter(|reader| **reader != writer)
            .map(|reader| Program::new(reader).call("response", "kong.ctx.shared.get", json!(["from"])))
            .collect();
        for reader in &readers {
            request = reader.load_into(request);
        }
        let answer = request.send(fleet.gateway.proxy()).expect(200);
        for reader in readers {
            let outcomes = reader.outcomes(&answer, "response");
            assert_eq!(outcomes, [json!({ "result": value })], "written by {writer}, read by {reader:?}");
        }
    }
}

#[test]
fn s_15_python_writes_and_go_reads() {
    let fleet = fleet();
    let write = Program::new(PY).call("access", "kong.ctx.shared.set", json!(["from", "python"]));
    let read = Program::new(GO).call("response", "kong.ctx.shared.get", json!(["from"]));
    let request = read.load_into(write.load_into(Request::get(ROUTE)));
    let answer = request.send(fleet.gateway.proxy()).expect(200);
    assert_eq!(read.outcomes(&answer, "response"), [json!({ "result": "python" })]);
}
