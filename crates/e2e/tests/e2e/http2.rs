//! HTTP/2 with clients, over TLS and in the clear.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, Request, eventually};
use serde_json::json;

use crate::declarative;
use crate::robustness::site::{Server, go, javascript, python};

const BOUND: Duration = Duration::from_secs(10);

/// How a client comes to speak it: options for curl and h2spec, and the scheme.
const WAYS: [(&[&str], &[&str], &str); 2] =
    [(&["--http2-prior-knowledge"], &[], "http"), (&["--http2", "-k"], &["-t", "-k"], "https")];

fn listen(scheme: &str) -> &'static str {
    if scheme == "https" { "proxy_listen = {proxy} http2 ssl\n" } else { "proxy_listen = {proxy} http2\n" }
}

/// What a program says; it must succeed.
fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program is installed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

fn curl(gateway: &Gateway, scheme: &str, options: &[&str], more: &[&str]) -> String {
    let url = format!("{scheme}://{}/asked?a=b", gateway.proxy());
    said(Command::new("curl").args(["-sS", "-i", "--max-time", "30", &url]).args(options).args(more))
}

/// Plugins of one server see requests of HTTP/2 in every phase, and change what there is to change.
fn plugins_run(server: impl Fn() -> Server, plugin: &str) {
    for (options, _, scheme) in WAYS {
        let upstream = EchoUpstream::start();
        let server = server();
        let file = declarative::global(&upstream.url(), &[declarative::plugin(plugin, json!({}))]);
        let conf = format!(
            "{}plugins = {plugin}\npluginserver_names = {}\n{}",
            listen(scheme),
            server.name,
            server.conf
        );
        let gateway = Gateway::builder().conf(&conf).declarative(&file).start();
        let answer = curl(&gateway, scheme, options, &["-d", "the body"]);
        assert!(answer.starts_with("HTTP/2 200"), "{answer}");
        for phase in ["rewrite", "access", "response"] {
            assert!(answer.contains(&format!("\nx-faults-{phase}: ran")), "{phase}: {answer}");
        }
        let asked = upstream.last("/asked?a=b");
        assert_eq!(
            (asked.header_bytes("X-Forwarded-Proto"), &*asked.body),
            (vec![scheme.as_bytes()], &b"the body"[..])
        );
        gateway.wait_for_log("X-Faults-log: ran");
        eventually(BOUND, "the line of the access log", || {
            let is_asked = |line: &String| line.contains("\"POST /asked?a=b HTTP/2.0\" 200");
            gateway.access_log().iter().any(is_asked).then_some(())
        });
    }
}

#[test]
fn go_plugins_run_in_every_phase() {
    plugins_run(|| go("faults-go"), "faults-go");
}

#[test]
fn javascript_plugins_run_in_every_phase() {
    plugins_run(javascript, "faults-js");
}

#[test]
fn python_plugins_run_in_every_phase() {
    plugins_run(|| python(""), "faults-py");
}

/// The flag of one listener is for all of them, and HTTP/1 goes on being served.
#[test]
fn clients_choose_the_version() {
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder()
        .conf("proxy_listen = {proxy}, 127.0.0.1:0 http2 ssl")
        .declarative(&declarative::global(&upstream.url(), &[]))
        .start();
    let answer = curl(&gateway, "http", &["--http2-prior-knowledge"], &[]);
    assert!(answer.starts_with("HTTP/2 200"), "{answer}");
    for options in [&["--http1.1"][..], &["--http1.0"], &["--http2"]] {
        let answer = curl(&gateway, "http", options, &[]);
        assert!(answer.starts_with("HTTP/1.1 200"), "{options:?}: {answer}");
    }
}

/// All of h2spec, with the tests that are strict.
#[test]
fn h2spec_finds_nothing() {
    for (_, options, scheme) in WAYS {
        let upstream = EchoUpstream::start();
        let gateway = Gateway::builder()
            .conf(listen(scheme))
            .declarative(&declarative::global(&upstream.url(), &[]))
            .start();
        let mut h2spec = Command::new(peer("go-tools/h2spec"));
        h2spec.args(["-S", "-o", "20", "-h", "127.0.0.1", "-p", &gateway.proxy().port().to_string()]);
        let report = said(h2spec.args(options));
        assert!(report.contains("146 tests, 146 passed, 0 skipped, 0 failed"), "{scheme}: {report}");
    }
}

/// What a client is ended for is counted and logged.
#[test]
fn floods_are_counted() {
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder()
        .conf(listen("http"))
        .declarative(&declarative::global(&upstream.url(), &[]))
        .start();
    // A ping, and a head that goes on and on (RFC 9113, sections 6.7 and 6.10).
    let ping = b"\0\0\x08\x06\0\0\0\0\0flooding";
    let head = b"\0\0\x01\x01\0\0\0\0\x01\x82";
    let continued = b"\0\0\x05\x09\0\0\0\0\x01\0\x01x\x011";
    for (first, frame, reason) in
        [(&ping[..], &ping[..], "http2_flood"), (&head[..], &continued[..], "http2_enhance_your_calm")]
    {
        let mut client = TcpStream::connect(gateway.proxy()).expect("the gateway listens");
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("a preface is read");
        client.write_all(first).expect("a frame is read");
        // It may be cut off before all of it was sent.
        let _ = client.write_all(&frame.repeat(5000));
        let mut said = Vec::new();
        let _ = client.read_to_end(&mut said);
        let counted = format!("polygate_refused_requests_total{{reason=\"{reason}\"}} 1");
        eventually(BOUND, reason, || {
            let metrics = Request::get("/metrics").send(gateway.status()).text();
            metrics.contains(&counted).then_some(())
        });
    }
    assert!(gateway.error_log().contains("too many frames of HTTP/2 for nothing"), "{}", gateway.error_log());
    assert!(curl(&gateway, "http", &["--http2-prior-knowledge"], &[]).starts_with("HTTP/2 200"));
}
