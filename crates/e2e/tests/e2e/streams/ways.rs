//! The ways of streams without plugins.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use polygate_testkit::eventually;
use serde_json::{Value, json};

use super::{PATIENCE, connect, echo, free, lines, metric, rest, say, start};
use crate::tls::certificates::Certificates;
use crate::tls::{run, start_upstream};

const CA: &str = "5c0e1c12-8f7c-4f3f-9ad3-000000000001";

#[test]
fn a_half_that_is_closed_leaves_the_other_open() {
    let ([tcp, other], upstream) = (free(), echo());
    let file = json!({"_format_version": "3.0", "services": [{"name": "s", "url": format!("tcp://{upstream}"),
        "routes": [{"name": "r", "protocols": ["tcp"], "destinations": [{"port": tcp.port()}]}]}]});
    let gateway = start("", &[(tcp, ""), (other, "")], &file.to_string());
    assert_eq!(say(tcp, "hello"), "hello.");
    let sent = "0123456789".repeat(1_000_000);
    let mut stream = connect(tcp);
    let mut writing = stream.try_clone().unwrap();
    let text = sent.clone();
    thread::spawn(move || {
        writing.write_all(text.as_bytes()).unwrap();
        writing.shutdown(Shutdown::Write).unwrap();
    });
    assert!(rest(&mut stream) == sent + ".");
    // No route, and no service.
    assert_eq!(rest(&mut connect(other)), "");
    gateway.wait_for_log("refused: no Route found with those values");
    assert_eq!(metric(&gateway, "polygate_stream_refused_total{reason=\"no_route\",transport=\"TCP\"}"), 1);
    let lines = lines(&gateway, 3);
    assert!(lines[0].contains("] TCP 200 6 5 0."), "{lines:?}");
    assert!(lines[1].contains("] TCP 200 10000001 10000000 "), "{lines:?}");
    assert!(lines[2].contains("] TCP 500 0 0 0."), "{lines:?}");
}

#[test]
fn a_reload_changes_listeners_and_keeps_streams() {
    let ([before, after], upstream) = (free(), echo());
    let route = |ports: &[u16]| {
        let destinations: Vec<_> = ports.iter().map(|port| json!({ "port": port })).collect();
        json!({"_format_version": "3.0", "services": [{"name": "s", "url": format!("tcp://{upstream}"),
            "routes": [{"name": "r", "protocols": ["tcp"], "destinations": destinations}]}]})
        .to_string()
    };
    let mut gateway = start("", &[(before, "")], &route(&[before.port()]));
    let mut kept = connect(before);
    kept.write_all(b"a").unwrap();
    kept.read_exact(&mut [0]).unwrap();
    gateway.write_declarative(&route(&[after.port()]));
    let reload = gateway.reload_with(&format!("stream_listen = {after}\n"));
    assert!(reload.status.success(), "{reload:?}");
    eventually(PATIENCE, "the new listener", || TcpStream::connect(after).ok());
    assert_eq!(say(after, "b"), "b.");
    eventually(PATIENCE, "the end of the old one", || TcpStream::connect(before).err());
    kept.write_all(b"c").unwrap();
    let mut heard = [0];
    kept.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"c");
    // A graceful end waits for it.
    gateway.quit();
    gateway.wait_for_log("gracefully shutting down");
    kept.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut kept), ".");
    gateway.ended();
}

#[test]
fn another_peer_is_tried_and_checks_are_fed() {
    let ([tcp, gone], upstream) = (free(), echo());
    let checks = json!({"passive": {"type": "tcp", "unhealthy": {"tcp_failures": 1}}});
    let file = json!({"_format_version": "3.0",
        "upstreams": [{"name": "u", "healthchecks": checks, "targets": [
            {"target": upstream.to_string()}, {"target": gone.to_string()}]}],
        "services": [{"name": "s", "protocol": "tcp", "host": "u", "port": 1,
            "routes": [{"name": "r", "protocols": ["tcp"], "destinations": [{"port": tcp.port()}]}]}]});
    let gateway = start("nginx_main_worker_processes = 1\n", &[(tcp, "")], &file.to_string());
    for _ in 0..4 {
        assert_eq!(say(tcp, "x"), "x.");
    }
    gateway.wait_for_log(&format!("target .*{gone}.* is unhealthy"));
    assert_eq!(gateway.error_log().matches("cannot connect").count(), 1, "it is not asked again");
}

#[test]
fn upstreams_are_told_of_the_client() {
    let ([tcp], listener) = (free(), TcpListener::bind("127.0.0.1:0").unwrap());
    let upstream = listener.local_addr().unwrap();
    let file = json!({"_format_version": "3.0", "services": [{"name": "s", "url": format!("tcp://{upstream}"),
        "routes": [{"name": "r", "protocols": ["tcp"], "sources": [{"ip": "192.0.2.0/24"}]}]}]});
    let conf = "trusted_ips = 127.0.0.1\nnginx_sproxy_proxy_protocol = on\n";
    let _gateway = start(conf, &[(tcp, "proxy_protocol")], &file.to_string());
    let mut client = connect(tcp);
    client.write_all(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 9\r\nhello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let heard = rest(&mut listener.accept().unwrap().0);
    assert_eq!(heard, format!("PROXY TCP4 192.0.2.7 127.0.0.1 4711 {}\r\nhello", tcp.port()));
}

/// The command `openssl s_client` without input.
fn s_client(address: std::net::SocketAddr, name: &str, certificates: &Certificates) -> String {
    let authority = certificates.path("ca.crt");
    let address = address.to_string();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address, "-servername", name, "-verify_return_error", "-CAfile"]);
    run(command.arg(authority).stdin(Stdio::null())).0
}

#[test]
fn names_lead_to_services_and_tls_ends_where_the_route_says() {
    let made = Certificates::new();
    made.sign("a.test").sign("b.test").sign("own.test");
    let [tls] = free();
    let (a, b) = (start_upstream(&made, "a.test"), start_upstream(&made, "b.test"));
    let service = |name: &str, url: String, more: Value, protocol: &str, keeps: bool| {
        let mut service = json!({"name": name, "url": url, "retries": 0, "routes": [{"name": name,
            "protocols": [protocol], "snis": [format!("{name}.test")], "preserve_host": keeps}]});
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        service
    };
    let verified = json!({"tls_verify": true, "ca_certificates": [CA]});
    let file = json!({
        "_format_version": "3.0",
        "ca_certificates": [{"id": CA, "cert": made.text("ca.crt")}],
        "certificates": [{"cert": made.text("own.test.crt"), "key": made.text("own.test.key"),
            "snis": [{"name": "own.test"}, {"name": "wrong.test"}]}],
        "services": [
            service("a", format!("tcp://{}", a.address), json!({}), "tls_passthrough", false),
            service("b", format!("tcp://{}", b.address), json!({}), "tls_passthrough", false),
            // The peer is asked for the name that the client asked for, which it has no certificate of.
            service("wrong", format!("tls://{}", a.address), verified.clone(), "tls", true),
            service("own", format!("tls://{}", a.address), verified, "tls", false),
        ],
    });
    let gateway = start("", &[(tls, "ssl")], &file.to_string());
    for name in ["a.test", "b.test", "own.test"] {
        let said = s_client(tls, name, &made);
        assert!(said.contains(&format!("subject=CN = {name}")), "{name}: {said}");
    }
    // Within TLS on both sides, and verified.
    let port = tls.port();
    let (said, succeeded) = run(Command::new("curl")
        .args(["-sS", "--max-time", "10", "--http1.1", "--cacert"])
        .arg(made.path("ca.crt"))
        .args(["--resolve", &format!("own.test:{port}:127.0.0.1"), &format!("https://own.test:{port}/")]));
    assert!(succeeded && said.contains("\"sni\""), "{said}");
    let said = s_client(tls, "wrong.test", &made);
    assert!(said.contains("subject=CN = own.test"), "{said}");
    gateway.wait_for_log("upstream .*: its certificate is for another name");
    // What is no TLS, and what names nobody.
    assert_eq!(say(tls, "GET / HTTP/1.1\r\n\r\n"), "");
    gateway.wait_for_log("the stream was ended: it does not speak TLS");
    assert!(!s_client(tls, "nobody.test", &made).contains("subject=CN"));
    gateway.wait_for_log("refused: no Route found with those values");
    assert_eq!(metric(&gateway, "polygate_stream_refused_total{reason=\"not_tls\",transport=\"TCP\"}"), 1);
}

#[test]
fn one_that_says_no_hello_and_one_that_is_silent_are_ended() {
    let ([tls, tcp], upstream) = (free(), echo());
    let file = json!({"_format_version": "3.0", "services": [{"name": "s", "url": format!("tcp://{upstream}"),
        "read_timeout": 300, "routes": [{"name": "r", "protocols": ["tcp"], "destinations": [{"port": tcp.port()}]}]}]});
    let conf = "nginx_stream_preread_timeout = 300ms\n";
    let gateway = start(conf, &[(tls, "ssl"), (tcp, "")], &file.to_string());
    assert_eq!(rest(&mut connect(tls)), "");
    gateway.wait_for_log("it did not say hello within 300 ms");
    let mut silent = connect(tcp);
    silent.write_all(b"x").unwrap();
    assert_eq!(rest(&mut silent), "x");
    assert_eq!(metric(&gateway, "polygate_stream_torn_total{side=\"silent\"}"), 1);
    eventually(PATIENCE, "no stream", || {
        (metric(&gateway, "polygate_stream_open{transport=\"TCP\"}") == 0).then_some(())
    });
}
