//! TLS with clients, which are `curl` and `openssl`.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::peers::{fixture, peer};
use polygate_testkit::{EchoUpstream, Gateway, Request, eventually};
use serde_json::{Value, json};

use super::certificates::Certificates;

/// A gateway whose proxy listener speaks TLS.
pub fn start(conf: &str, declarative: &str) -> Gateway {
    Gateway::builder().conf(&format!("proxy_listen = {{proxy}} ssl\n{conf}")).declarative(declarative).start()
}

/// One route to the upstream for https, and certificates for names.
pub fn declarative(upstream: &EchoUpstream, certificates: &[(&Certificates, &str, &[&str])]) -> String {
    let certificate = |(made, file, names): &(&Certificates, &str, &[&str])| {
        let snis: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
        let (cert, key) = (made.text(&format!("{file}.crt")), made.text(&format!("{file}.key")));
        json!({"cert": cert, "key": key, "snis": snis})
    };
    json!({
        "_format_version": "3.0",
        "services": [{"name": "s", "url": upstream.url(),
            "routes": [{"name": "r", "protocols": ["https"], "paths": ["/"]}]}],
        "certificates": certificates.iter().map(certificate).collect::<Vec<Value>>(),
    })
    .to_string()
}

/// The command's output, and whether it succeeded.
pub fn run(command: &mut Command) -> (String, bool) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

/// `GET /` to a name, which must have a certificate of the authority.
pub fn curl(gateway: &Gateway, certificates: &Certificates, name: &str, more: &[&str]) -> (String, bool) {
    let port = gateway.proxy().port();
    run(Command::new("curl")
        .args(["-sS", "--max-time", "10", "--cacert"])
        .arg(certificates.path("ca.crt"))
        .args(["--resolve", &format!("{name}:{port}:127.0.0.1"), &format!("https://{name}:{port}/")])
        .args(more))
}

fn s_client(gateway: &Gateway, more: &[&str]) -> (String, bool) {
    run(Command::new("openssl").args(["s_client", "-connect", &gateway.proxy().to_string()]).args(more))
}

#[test]
fn names_have_their_certificates_and_requests_are_https() {
    let upstream = EchoUpstream::start();
    let made = Certificates::new();
    made.sign("a.test").sign("*.b.test");
    let file = declarative(&upstream, &[(&made, "a.test", &["a.test"]), (&made, "*.b.test", &["*.b.test"])]);
    let gateway = start("", &file);
    for name in ["a.test", "x.b.test"] {
        let (said, succeeded) = curl(&gateway, &made, name, &[]);
        assert!(succeeded, "{said}");
    }
    assert_eq!(upstream.last("/").header_bytes("X-Forwarded-Proto"), [b"https"]);
    let (said, succeeded) = curl(&gateway, &made, "c.test", &[]);
    assert!(!succeeded && said.contains("certificate"), "others are shown the default: {said}");
    for asked in [&["-noservername"][..], &["-servername", "127.0.0.1"], &["-servername", "c.test"]] {
        let (said, succeeded) = s_client(&gateway, asked);
        assert!(succeeded && said.contains("subject=CN = localhost"), "{said}");
    }
    // The generated pair is kept.
    let kept = fs::read_to_string(gateway.prefix().join("ssl/kong-default-ecdsa.crt")).unwrap();
    assert!(s_client(&gateway, &["-noservername"]).0.contains(kept.lines().nth(1).unwrap()));
}

#[test]
fn the_kind_of_key_that_a_client_can_verify_is_taken() {
    let upstream = EchoUpstream::start();
    let made = Certificates::new();
    made.sign("a.test")
        .sign_with("rsa", "a.test", "rsa:2048")
        .sign("b.test")
        .sign_with("rsab", "b.test", "rsa:2048");
    let mut file: Value =
        serde_json::from_str(&declarative(&upstream, &[(&made, "a.test", &["a.test"])])).unwrap();
    file["certificates"][0]["cert_alt"] = made.text("rsa.crt").into();
    file["certificates"][0]["key_alt"] = made.text("rsa.key").into();
    let folder = made.folder().display();
    let conf = format!(
        "ssl_cert = {folder}/rsab.crt,{folder}/b.test.crt\nssl_cert_key = {folder}/rsab.key,{folder}/b.test.key\n"
    );
    let gateway = start(&conf, &file.to_string());
    for name in ["a.test", "b.test"] {
        for (offered, kind) in [
            (&["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"][..], "RSA-PSS"),
            (&["-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256"], "ECDSA"),
            (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "RSA-PSS"),
            (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ECDSA"),
        ] {
            let (said, _) = s_client(&gateway, &[offered, &["-servername", name]].concat());
            assert!(said.contains(&format!("Peer signature type: {kind}")), "{name} {offered:?}: {said}");
            assert!(said.contains(&format!("subject=CN = {name}")), "{said}");
        }
    }
}

#[test]
fn certificates_change_while_connections_stay() {
    let upstream = EchoUpstream::start();
    let (before, after) = (Certificates::new(), Certificates::new());
    before.sign("a.test");
    after.sign("a.test");
    let gateway = start("", &declarative(&upstream, &[(&before, "a.test", &["a.test"])]));
    assert!(curl(&gateway, &before, "a.test", &[]).1);
    gateway.write_declarative(&declarative(&upstream, &[(&after, "a.test", &["a.test"])]));
    gateway.reload();
    assert!(curl(&gateway, &after, "a.test", &[]).1);
    assert!(!curl(&gateway, &before, "a.test", &[]).1);
}

#[test]
fn handshakes_go_on_while_certificates_change() {
    let upstream = EchoUpstream::start();
    let both = [Certificates::new(), Certificates::new()];
    both.iter().for_each(|made| _ = made.sign("a.test"));
    let file = |made| declarative(&upstream, &[(made, "a.test", &["a.test"])]);
    let gateway = start("", &file(&both[0]));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let shaking = scope.spawn(|| {
            let mut count = 0;
            // Bounded, so that a failure beside it ends the test.
            let until = Instant::now() + Duration::from_secs(60);
            while !is_over.load(Relaxed) && Instant::now() < until {
                let (said, succeeded) = curl(&gateway, &both[0], "a.test", &["-k"]);
                assert!(succeeded, "{said}");
                count += 1;
            }
            count
        });
        for number in 0..30 {
            let made = &both[number % 2];
            gateway.write_declarative(&file(made));
            gateway.reload();
            assert!(curl(&gateway, made, "a.test", &[]).1, "the new one is shown after reload {number}");
        }
        is_over.store(true, Relaxed);
        assert!(shaking.join().unwrap() > 10);
    });
}

#[test]
fn only_strong_versions_and_ciphers_are_spoken() {
    let upstream = EchoUpstream::start();
    let gateway = start("", &declarative(&upstream, &[]));
    for (arguments, is_spoken) in [
        (&["-tls1_3"][..], true),
        (&["-tls1_2"], true),
        (&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "AES128-SHA"], false),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], false),
    ] {
        assert_eq!(s_client(&gateway, arguments).1, is_spoken, "{arguments:?}");
    }
    drop(gateway);
    let gateway = start("ssl_cipher_suite = modern\n", &declarative(&upstream, &[]));
    assert!(s_client(&gateway, &["-tls1_3"]).1);
    assert!(!s_client(&gateway, &["-tls1_2"]).1);
    drop(gateway);
    let custom = "ssl_cipher_suite = custom\nssl_protocols = TLSv1.1 TLSv1.2\nssl_ciphers = \
        AES128-SHA:ECDHE-ECDSA-AES128-GCM-SHA256\n";
    let gateway = start(custom, &declarative(&upstream, &[]));
    for (arguments, is_spoken) in [
        (&["-tls1_3"][..], false),
        (&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], false),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], true),
    ] {
        assert_eq!(s_client(&gateway, arguments).1, is_spoken, "{arguments:?}");
    }
    gateway.wait_for_log("ssl_ciphers names 'AES128-SHA', which is not built");
}

#[test]
fn sessions_are_resumed_after_a_reload_too() {
    let upstream = EchoUpstream::start();
    let gateway = start("", &declarative(&upstream, &[]));
    let session = gateway.prefix().join("session");
    let session = session.to_str().unwrap();
    assert!(s_client(&gateway, &["-tls1_2", "-sess_out", session]).0.contains("New, TLSv1.2"));
    gateway.reload();
    let (said, _) = s_client(&gateway, &["-tls1_2", "-sess_in", session]);
    assert!(said.contains("Reused, TLSv1.2"), "{said}");
}

#[test]
fn sessions_are_resumed_without_tickets_and_until_their_time() {
    let upstream = EchoUpstream::start();
    for (conf, has_tickets) in [("ssl_session_tickets = off\n", false), ("ssl_session_tickets = on\n", true)]
    {
        let gateway = start(&format!("{conf}ssl_session_timeout = 5s\n"), &declarative(&upstream, &[]));
        let session = gateway.prefix().join("session");
        let session = session.to_str().unwrap();
        let began = Instant::now();
        let (said, _) = s_client(&gateway, &["-tls1_2", "-sess_out", session]);
        assert_eq!(said.contains("TLS session ticket:"), has_tickets, "{said}");
        let is_resumed =
            || s_client(&gateway, &["-tls1_2", "-sess_in", session]).0.contains("Reused, TLSv1.2");
        let resumed = is_resumed();
        // On a busy machine the time may be over.
        assert!(resumed || began.elapsed() > Duration::from_secs(4), "{conf}");
        eventually(Duration::from_secs(30), "the end of the session", || (!is_resumed()).then_some(()));
        assert!(began.elapsed() >= Duration::from_secs(5), "{conf}");
    }
}

#[test]
fn what_is_no_handshake_is_answered_or_ended_and_counted() {
    let upstream = EchoUpstream::start();
    let conf = "nginx_http_client_header_timeout = 1s\n";
    let gateway = start(conf, &declarative(&upstream, &[]));
    let refused = Request::get("/").send(gateway.proxy()).expect(400);
    assert!(refused.text().contains("The plain HTTP request was sent to HTTPS port"), "{}", refused.text());
    assert!(refused.closes());
    // One that says nothing, and one that stops in the middle.
    let mut silent = TcpStream::connect(gateway.proxy()).unwrap();
    let mut slow = TcpStream::connect(gateway.proxy()).unwrap();
    std::io::Write::write_all(&mut slow, &[22, 3, 1, 1, 0, 1]).unwrap();
    for stream in [&mut silent, &mut slow] {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    // They are counted when they have been closed.
    eventually(Duration::from_secs(10), "two late handshakes", || {
        let metrics = Request::get("/metrics").send(gateway.status()).expect(200).text();
        metrics.contains("polygate_tls_handshakes_total{end=\"late\"} 2").then_some(())
    });
}

#[test]
fn a_proxy_header_comes_before_the_handshake() {
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder()
        .conf("proxy_listen = {proxy} ssl proxy_protocol\ntrusted_ips = 0.0.0.0/0\nreal_ip_header = proxy_protocol\n")
        .declarative(&declarative(&upstream, &[]))
        .start();
    let (said, succeeded) = curl(&gateway, &Certificates::new(), "a.test", &["-k", "--haproxy-protocol"]);
    assert!(succeeded, "{said}");
    assert_eq!(upstream.last("/").header_bytes("X-Forwarded-Proto"), [b"https"]);
}

/// A gateway with a plugin in front of handshakes.
fn with_plugin(upstream: &EchoUpstream, name: &str, server: &str) -> Gateway {
    let mut file: Value = serde_json::from_str(&declarative(upstream, &[])).unwrap();
    file["plugins"] = json!([{ "name": name }]);
    let conf =
        format!("nginx_main_worker_processes = 1\nplugins = {name}\npluginserver_names = server\n{server}");
    start(&conf, &file.to_string())
}

/// The lines of a server called `server` with its program and plugins.
fn server(program: &str, arguments: &str, more: &str) -> String {
    let program = peer(program);
    let program = program.display();
    format!(
        "pluginserver_server_start_cmd = {program} -p {{prefix}} {arguments}\n\
         pluginserver_server_query_cmd = {program} {arguments} --dump-all-plugins\n{more}"
    )
}

/// The one with `py-certificate`.
pub fn python_server() -> String {
    let arguments = format!("--plugins-directory {}", fixture("python/certificate").display());
    let socket = "pluginserver_server_socket = {prefix}/python_pluginserver.sock\n";
    server("python/bin/kong-python-pluginserver", &arguments, socket)
}

#[track_caller]
pub fn handshakes(gateway: &Gateway, end: &str) -> u64 {
    let metrics = Request::get("/metrics").send(gateway.status()).expect(200).text();
    let name = format!("polygate_tls_handshakes_total{{end=\"{end}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).expect(&name)
}

const INTERNAL_ERROR: &str = "alert internal error";

#[test]
fn a_javascript_plugin_takes_part_in_handshakes() {
    let upstream = EchoUpstream::start();
    let plugins = fixture("js/certificate");
    let arguments = format!("--plugins-directory {}", plugins.display());
    let socket = "pluginserver_server_socket = {prefix}/js_pluginserver.sock\npluginserver_server_event_timeout = 3s\n";
    let program = server("js/node_modules/.bin/kong-js-pluginserver", &arguments, socket);
    let gateway = with_plugin(&upstream, "js-certificate", &program);
    let own = Certificates::new();
    own.sign("client.test");
    let (certificate, key) = (own.path("client.test.crt"), own.path("client.test.key"));
    let shown = ["-k", "-i", "--cert", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let line = own.text("client.test.crt").lines().nth(1).unwrap().to_owned();
    let (said, _) = curl(&gateway, &own, "ask.test", &shown);
    assert!(said.contains(&format!("x-client-certificate: {line}")), "{said}");
    gateway.wait_for_log("js saw ask.test over TLSv1.3 from 127.0.0.1");
    let (said, _) = curl(&gateway, &own, "other.test", &shown);
    assert!(said.contains("x-client-certificate: none"), "it is not asked: {said}");
    // Variables.
    let again = format!("https://ask.test:{}/", gateway.proxy().port());
    let closing = [&shown[..], &["-H", "Connection: close", &again]].concat();
    let (said, _) = curl(&gateway, &own, "ask.test", &closing);
    let [first, second] = [".", "r"].map(|reused| {
        format!(
            "x-ssl: TLSv1.3 TLS_AES_256_GCM_SHA384 ask.test {reused} FAILED:unable to verify the first certificate \
             CN=client.test CN=authority"
        )
    });
    assert!(said.contains(&first) && said.contains(&second), "{said}");
    // Sessions.
    let session = gateway.prefix().join("session");
    let session = session.to_str().unwrap();
    s_client(&gateway, &["-tls1_2", "-servername", "other.test", "-sess_out", session]);
    for (name, expected) in [("other.test", "Reused, TLSv1.2"), ("fresh.test", "New, TLSv1.2")] {
        let (said, _) = s_client(&gateway, &["-tls1_2", "-servername", name, "-sess_in", session]);
        assert!(said.contains(expected), "{name}: {said}");
    }
    // One that hangs keeps nobody else waiting, and ends with its deadline.
    let mut hanging = Command::new("openssl")
        .args(["s_client", "-connect", &gateway.proxy().to_string(), "-servername", "hang.test"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    gateway.wait_for_log("js saw hang.test");
    assert!(curl(&gateway, &own, "other.test", &["-k"]).1);
    assert_eq!(hanging.try_wait().unwrap(), None, "the other was served meanwhile");
    let mut said = String::new();
    hanging.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!hanging.wait().unwrap().success() && said.contains(INTERNAL_ERROR), "{said}");
    assert_eq!(handshakes(&gateway, "plugin"), 1);
    // What needs a request does not work without one.
    let (said, succeeded) = s_client(&gateway, &["-servername", "misuse.test"]);
    assert!(!succeeded && said.contains(INTERNAL_ERROR), "{said}");
    gateway.wait_for_log("function cannot be called in certificate phase");
}

#[test]
fn a_python_plugin_takes_part_in_handshakes() {
    let upstream = EchoUpstream::start();
    let gateway = with_plugin(&upstream, "py-certificate", &python_server());
    assert!(s_client(&gateway, &["-servername", "a.test"]).1);
    gateway.wait_for_log("py saw a.test");
    for name in ["fail.test", "exit.test"] {
        let (said, succeeded) = s_client(&gateway, &["-servername", name]);
        assert!(!succeeded && said.contains(INTERNAL_ERROR), "{name}: {said}");
    }
    assert_eq!((handshakes(&gateway, "plugin"), handshakes(&gateway, "done")), (2, 1));
}

#[test]
fn a_go_plugin_takes_part_in_handshakes() {
    let upstream = EchoUpstream::start();
    let program = peer("go/bin/certificate-go");
    let program = program.display();
    let lines = format!(
        "pluginserver_server_start_cmd = {program} -kong-prefix {{prefix}}\n\
         pluginserver_server_socket = {{prefix}}/certificate-go.socket\npluginserver_server_query_cmd = {program} -dump\n"
    );
    let gateway = with_plugin(&upstream, "certificate-go", &lines);
    assert!(s_client(&gateway, &["-servername", "a.test"]).1);
    gateway.wait_for_log("go saw .*a.test");
    let (said, succeeded) = s_client(&gateway, &["-servername", "fail.test"]);
    assert!(!succeeded && said.contains(INTERNAL_ERROR), "{said}");
}
