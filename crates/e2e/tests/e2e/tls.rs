//! TLS towards services, with real certificates and a server of another make.

mod abuse;
pub mod certificates;
mod clients;
mod probes;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;

use polygate_testkit::{EchoUpstream, Gateway, Request};
use serde_json::{Value, json};

use self::certificates::Certificates;
pub use self::clients::{curl, run};
use crate::child::Server;

const CA: &str = "5c0e1c12-8f7c-4f3f-9ad3-000000000001";
const CLIENT: &str = "5c0e1c12-8f7c-4f3f-9ad3-000000000002";

/// The server of `upstream.py`.
pub fn start_upstream(certificates: &Certificates, name: &str) -> Server {
    let pair = ["crt", "key"].map(|ending| certificates.path(&format!("{name}.{ending}")));
    let mut command = Command::new("python3");
    command.args(["-c", include_str!("tls/upstream.py")]).args(pair).arg(certificates.path("ca.crt"));
    Server::start(&mut command)
}

/// One service at `address`, with more members, behind one route.
fn declarative(certificates: &Certificates, address: SocketAddr, members: Value) -> String {
    let mut service = json!({"name": "s", "protocol": "https", "host": "127.0.0.1", "port": address.port(),
        "retries": 0, "routes": [{"name": "r", "paths": ["/"], "preserve_host": true}]});
    service.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({
        "_format_version": "3.0",
        "ca_certificates": [{"id": CA, "cert": certificates.text("ca.crt")}],
        "certificates": [{"id": CLIENT, "cert": certificates.text("client.test.crt"),
            "key": certificates.text("client.test.key")}],
        "services": [service],
    })
    .to_string()
}

fn certificates() -> Certificates {
    let certificates = Certificates::new();
    certificates.sign("service.test").sign("client.test");
    certificates
}

fn ask(gateway: &Gateway, target: &str) -> Value {
    Request::get(target).header("Host", "service.test").send(gateway.proxy()).expect(200).json()
}

#[test]
fn services_are_reached_within_tls() {
    let certificates = certificates();
    let upstream = start_upstream(&certificates, "service.test");
    let file = |members| declarative(&certificates, upstream.address, members);
    let conf = "nginx_main_worker_processes = 1\n";
    let gateway = Gateway::builder().conf(conf).declarative(&file(json!({}))).start();
    let first = ask(&gateway, "/");
    assert_eq!(first["sni"], "service.test");
    assert_eq!((&first["client"], &first["reused"]), (&Value::Null, &json!(false)));
    assert_eq!(ask(&gateway, "/last")["port"], first["port"], "the connection is kept");
    let second = ask(&gateway, "/");
    assert_ne!(second["port"], first["port"]);
    assert_eq!(second["reused"], true, "the session is resumed");
    assert_eq!(ask(&gateway, "/until-close")["host"], "service.test", "an end without a word is one");

    let verified = json!({"tls_verify": true, "ca_certificates": [CA], "client_certificate": {"id": CLIENT}});
    gateway.write_declarative(&file(verified));
    gateway.reload();
    let third = ask(&gateway, "/");
    assert_eq!(third["client"], "client.test");
    assert_ne!(third["port"], second["port"], "nobody else's connection is used");
}

#[test]
fn a_service_that_is_not_believed_is_a_502_that_names_the_cause() {
    let certificates = certificates();
    let upstream = start_upstream(&certificates, "service.test");
    let verified = json!({"tls_verify": true, "ca_certificates": [CA]});
    let gateway =
        Gateway::builder().declarative(&declarative(&certificates, upstream.address, verified)).start();
    ask(&gateway, "/");
    let refused = |host: &str, cause: &str| {
        Request::get("/").header("Host", host).send(gateway.proxy()).expect(502);
        gateway.wait_for_log(&format!(r"upstream 127\.0\.0\.1:\d+: {cause}"));
    };
    refused("other.test", "its certificate is for another name");
    gateway.write_declarative(&declarative(&certificates, upstream.address, json!({"tls_verify": true})));
    gateway.reload();
    refused("service.test", "its certificate is of an authority that is not trusted");
    // One that waits for a line of HTTP.
    let plain = EchoUpstream::start();
    gateway.write_declarative(&declarative(&certificates, plain.address(), json!({"connect_timeout": 200})));
    gateway.reload();
    Request::get("/").header("Host", "service.test").send(gateway.proxy()).expect(504);
    gateway.wait_for_log("no connection within 200 ms");
    let plain = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = plain.local_addr().unwrap();
    thread::spawn(move || plain.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    gateway.write_declarative(&declarative(&certificates, address, json!({})));
    gateway.reload();
    refused("service.test", "it does not speak TLS");
}

#[test]
fn properties_say_what_services_do_not() {
    let certificates = certificates();
    let upstream = start_upstream(&certificates, "service.test");
    let folder = certificates.folder().display();
    let gateway = Gateway::builder()
        .conf(&format!(
            "nginx_proxy_proxy_ssl_verify = on\nnginx_proxy_proxy_ssl_trusted_certificate = {folder}/ca.crt\nclient_ssl = on\n\
             client_ssl_cert = {folder}/client.test.crt\nclient_ssl_cert_key = {folder}/client.test.key\n"
        ))
        .declarative(&declarative(&certificates, upstream.address, json!({})))
        .start();
    assert_eq!(ask(&gateway, "/")["client"], "client.test");
    Request::get("/").header("Host", "other.test").send(gateway.proxy()).expect(502);
}

#[test]
fn a_plugin_has_a_service_verified() {
    let certificates = certificates();
    let upstream = start_upstream(&certificates, "service.test");
    let file = declarative(&certificates, upstream.address, json!({ "ca_certificates": [CA] }));
    let mut file: Value = serde_json::from_str(&file).unwrap();
    file["plugins"] = json!([{ "name": "py-certificate" }]);
    let conf = format!("plugins = py-certificate\npluginserver_names = server\n{}", clients::python_server());
    let gateway = Gateway::builder().conf(&conf).declarative(&file.to_string()).start();
    let status = |host: &str, is_verified: bool| {
        let request = Request::get("/").header("Host", host);
        let request = if is_verified { request.header("X-Verify", "yes") } else { request };
        request.send(gateway.proxy()).status
    };
    assert_eq!(status("other.test", false), 200);
    assert_eq!(status("other.test", true), 502);
    assert_eq!(status("service.test", true), 200);
}
