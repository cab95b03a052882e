//! What a reload changes of the listeners, the workers, the logs and the resolution of names: no request fails by it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

use polygate_testkit::dns::Record;
use polygate_testkit::gateway::free_address;
use polygate_testkit::{Connection, DnsServer, EchoUpstream, Gateway, Load, Request, Response, eventually};

use crate::declarative;
use crate::tls::certificates::Certificates;

const CONNECTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(10);

fn start(upstream: &EchoUpstream, conf: &str) -> Gateway {
    Gateway::builder().conf(conf).declarative(&declarative::global(&upstream.url(), &[])).start()
}

#[track_caller]
fn succeed(reload: Output) {
    assert!(reload.status.success(), "reload: {reload:?}");
}

fn is_ok(answer: &Response) -> Result<(), String> {
    if answer.status == 200 { Ok(()) } else { Err(format!("{} {}", answer.status, answer.text())) }
}

/// One connection for each request.
fn load_of_connections(to: SocketAddr) -> Load {
    Load::start(to, CONNECTIONS, &Request::get("/").header("Connection", "close"), is_ok)
}

#[track_caller]
fn expect_no_failure(load: Load) {
    let outcome = load.stop();
    assert_eq!(outcome.failures, [""; 0], "of {} requests", outcome.answered);
    assert!(outcome.answered > CONNECTIONS, "{} requests are no load", outcome.answered);
}

#[track_caller]
fn wait_for_more(load: &Load) {
    let before = load.answered();
    eventually(PATIENCE, "requests after the reload", || {
        (load.answered() > before + 4 * CONNECTIONS).then_some(())
    });
}

fn threads(gateway: &Gateway) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("worker-")).count()
}

#[test]
fn reloads_of_listeners_and_workers_fail_no_request() {
    let upstream = EchoUpstream::start();
    let gateway = start(&upstream, "nginx_main_worker_processes = 2");
    let other = free_address();
    let kept = Load::start(gateway.proxy(), CONNECTIONS, &Request::get("/"), is_ok);
    let fresh = load_of_connections(gateway.proxy());
    for round in 0..3 {
        for (listen, workers) in [("{other}", 1), ("", 4), ("{other} backlog=64", 3), ("{other}", 2), ("", 1)]
        {
            let other = listen.replace("{other}", &format!(", {other}"));
            let listen = format!("proxy_listen = {{proxy}} so_keepalive=on{other}");
            succeed(gateway.reload_with(&format!("{listen}\nnginx_main_worker_processes = {workers}")));
            if !other.is_empty() {
                Request::get("/").send(self::other(&other)).expect(200);
            }
            wait_for_more(&kept);
            wait_for_more(&fresh);
            let what = format!("{workers} workers in round {round}");
            eventually(PATIENCE, &what, || (threads(&gateway) == workers).then_some(()));
        }
    }
    expect_no_failure(kept);
    expect_no_failure(fresh);
    assert!(TcpStream::connect(other).is_err(), "nobody listens on an address that is given up");
}

/// The address of `, address flags`.
fn other(entry: &str) -> SocketAddr {
    entry.trim_start_matches(", ").split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn connections_of_a_removed_listener_end_with_their_response() {
    let upstream = EchoUpstream::start();
    let other = free_address();
    let gateway = start(&upstream, &format!("proxy_listen = {{proxy}}, {other}"));
    let mut connection = Connection::open(other).unwrap();
    assert!(!connection.send(&Request::get("/")).unwrap().closes());
    succeed(gateway.reload_with(""));
    assert!(TcpStream::connect(other).is_err(), "no more are accepted");
    let last = connection.send(&Request::get("/")).unwrap().expect(200);
    assert_eq!(last.header("connection"), Some("close"));
    assert!(connection.rest().unwrap().is_empty());
}

#[test]
fn the_flags_of_an_address_that_stays_change() {
    let upstream = EchoUpstream::start();
    let gateway = start(&upstream, "");
    succeed(gateway.reload_with("proxy_listen = {proxy} proxy_protocol"));
    let mut connection = Connection::open(gateway.proxy()).unwrap();
    connection.write(b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n").unwrap();
    connection.send(&Request::get("/")).unwrap().expect(200);
    succeed(gateway.reload_with(""));
    Request::get("/").send(gateway.proxy()).expect(200);
}

#[test]
fn an_ipv6_address_is_listened_on() {
    let upstream = EchoUpstream::start();
    let gateway = start(&upstream, "");
    let own = SocketAddr::from((Ipv6Addr::LOCALHOST, gateway.proxy().port()));
    succeed(gateway.reload_with(&format!("proxy_listen = {{proxy}}, {own} ipv6only=on bind")));
    Request::get("/").send(own).expect(200);
    Request::get("/").send(gateway.proxy()).expect(200);
}

#[test]
fn an_address_in_use_refuses_the_reload_as_a_whole() {
    let upstream = EchoUpstream::start();
    let gateway = start(&upstream, "nginx_main_worker_processes = 1");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken, other) = (taken.local_addr().unwrap(), free_address());
    let load = load_of_connections(gateway.proxy());
    for property in ["proxy_listen = {proxy}", "status_listen = {status}"] {
        let own = property.replace("{status}", &gateway.status().to_string());
        let conf = format!("{own}, {other}, {taken}\nnginx_main_worker_processes = 3\nlog_level = debug");
        let refused = gateway.reload_with(&conf);
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains(&format!("could not listen on {taken}: Address already in use")), "{said}");
        assert!(TcpStream::connect(other).is_err(), "nothing of it counts");
        assert_eq!(threads(&gateway), 1);
        Request::get("/").send(gateway.proxy()).expect(200);
    }
    expect_no_failure(load);
    succeed(gateway.reload_with("nginx_main_worker_processes = 2"));
}

#[test]
fn logs_move_without_a_lost_line() {
    let upstream = EchoUpstream::start();
    let gateway = start(&upstream, "nginx_main_worker_processes = 2");
    let load = Load::start(gateway.proxy(), CONNECTIONS, &Request::get("/"), is_ok);
    wait_for_more(&load);
    let moved = "proxy_access_log = logs/moved.log\nproxy_error_log = logs/moved_error.log\nlog_level = debug\n\
                 nginx_main_worker_processes = 2";
    succeed(gateway.reload_with(moved));
    wait_for_more(&load);
    let answered = load.answered();
    expect_no_failure(load);
    let lines = |name: &str| fs::read_to_string(gateway.prefix().join("logs").join(name)).unwrap_or_default();
    eventually(PATIENCE, "a line for each request", || {
        let written = [lines("access.log"), lines("moved.log")];
        let counts = written.map(|text| text.lines().count());
        (counts[1] > CONNECTIONS && counts.iter().sum::<usize>() >= answered).then_some(())
    });
    eventually(PATIENCE, "a line in the new error log", || {
        lines("moved_error.log").contains("the new configuration is in use").then_some(())
    });
}

#[test]
fn the_level_of_the_error_log_changes_and_a_log_that_cannot_be_opened_refuses_the_reload() {
    let gateway = Gateway::builder().start();
    let reloads = || gateway.error_log().matches("reloading the configuration").count();
    let refused = gateway.reload_with("proxy_access_log = /proc/nothing/access.log");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("/proc/nothing/access.log"), "{said}");
    succeed(gateway.reload_with("log_level = error"));
    assert_eq!(reloads(), 2);
    succeed(gateway.reload_with("log_level = notice"));
    assert_eq!(reloads(), 2, "it began under the level before");
    succeed(gateway.reload_with(""));
    assert_eq!(reloads(), 3);
}

#[test]
fn names_are_resolved_with_the_new_settings() {
    let upstream = EchoUpstream::start();
    let port = upstream.address().port();
    let file = declarative::global(&format!("http://service.test:{port}"), &[]);
    let (before, after) = (DnsServer::start(), DnsServer::start());
    after.set("service.test", 3600, &[Record::A(Ipv4Addr::LOCALHOST)]);
    let resolver = |server: &DnsServer| format!("dns_resolver = {}", server.address());
    let gateway = Gateway::builder().conf(&resolver(&before)).declarative(&file).start();
    Request::get("/").send(gateway.proxy()).expect(503);
    succeed(gateway.reload_with(&resolver(&after)));
    Request::get("/").send(gateway.proxy()).expect(200);

    let hosts = gateway.prefix().join("hosts");
    fs::write(&hosts, "127.0.0.1 service.test\n").unwrap();
    succeed(gateway.reload_with(&format!("{}\ndns_hostsfile = {}", resolver(&before), hosts.display())));
    Request::get("/").send(gateway.proxy()).expect(200);
    let refused = gateway.reload_with("dns_hostsfile = /nonexistent/hosts");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("dns_hostsfile"), "{said}");
    Request::get("/").send(gateway.proxy()).expect(200);
}

/// Also with a generated pair, which the reload replaces.
#[test]
fn the_status_api_is_served_within_tls_and_behind_proxy_headers() {
    let certificates = Certificates::new();
    certificates.sign("status.test");
    let (secure, plain) = (free_address(), free_address());
    let listen = format!("status_listen = {{status}}, {secure} ssl, {plain} proxy_protocol");
    let gateway = Gateway::builder().start();
    let listen = listen.replace("{status}", &gateway.status().to_string());
    succeed(gateway.reload_with(&listen));
    let curl = |more: &[&str]| {
        let url = format!("https://status.test:{}/status", secure.port());
        let resolve = format!("status.test:{}:127.0.0.1", secure.port());
        let mut curl = Command::new("curl");
        let output =
            curl.args(["-sS", "--max-time", "10", "--resolve", &resolve, &url]).args(more).output().unwrap();
        (
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
            output.status.success(),
        )
    };
    let (said, ended_well) = curl(&["-k"]);
    assert!(ended_well && said.contains("connections_accepted"), "{said}");
    let ca = certificates.path("ca.crt");
    let verified = ["--cacert", ca.to_str().unwrap()];
    assert!(!curl(&verified).1, "nobody signed the generated one");
    let pair = format!(
        "status_ssl_cert = {}\nstatus_ssl_cert_key = {}",
        certificates.path("status.test.crt").display(),
        certificates.path("status.test.key").display()
    );
    succeed(gateway.reload_with(&format!("{listen}\n{pair}")));
    let (said, ended_well) = curl(&verified);
    assert!(ended_well && said.contains("connections_accepted"), "{said}");
    // What clients of the proxy may speak is not offered here.
    let proxy = format!("proxy_listen = {}, {} ssl http2", gateway.proxy(), free_address());
    succeed(gateway.reload_with(&format!("{listen}\n{pair}\n{proxy}")));
    let (said, ended_well) = curl(&["--cacert", ca.to_str().unwrap(), "--http2"]);
    assert!(ended_well && said.contains("connections_accepted"), "{said}");

    assert!(Request::get("/status").try_send(secure).is_err(), "it is within TLS alone");
    let metrics = Request::get("/metrics").send(gateway.status()).expect(200).text();
    for (end, count) in [("done", 3), ("failed", 2)] {
        let line = format!("polygate_tls_handshakes_total{{end=\"{end}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    let mut told = Connection::open(plain).unwrap();
    told.write(b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n").unwrap();
    told.send(&Request::get("/status")).unwrap().expect(200);
    let mut untold = TcpStream::connect(plain).unwrap();
    untold.write_all(b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The end may be a reset, as what was sent is not read.
    let _ = untold.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    gateway.wait_for_log("client .*: connection does not begin with a PROXY protocol header");
}
