//! A gateway in front of raw upstreams, and what tests say to it.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use polygate_testkit::peers::peer;
use polygate_testkit::{Connection, Gateway, Response, eventually};
use serde_json::{Value, json};

use crate::http_faults::upstream::Upstream;
use crate::program::{GO, PY};
use crate::servers;

/// What takes longer does not come at all, on a busy machine either.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A gateway's configuration: one service with one route for every path.
pub struct Setup {
    conf: String,
    service: Value,
    upstreams: Value,
}

impl Setup {
    pub fn of(upstream: &Upstream) -> Self {
        Self::at(&upstream.address().to_string())
    }

    /// A service of a balancer's targets, which are addresses with weights.
    pub fn pool(targets: &[(SocketAddr, u32)], health: Value) -> Self {
        let target = |(address, weight): &(SocketAddr, u32)| json!({ "target": address.to_string(), "weight": weight });
        let targets: Vec<_> = targets.iter().map(target).collect();
        let mut setup = Self::at("pool.example");
        setup.upstreams = json!([{ "name": "pool.example", "targets": targets, "healthchecks": health }]);
        setup
    }

    /// A service at a name or address with its port.
    pub fn at(authority: &str) -> Self {
        let routes = json!([
            { "name": "all", "paths": ["/"], "strip_path": false },
            { "name": "unbuffered", "paths": ["/unbuffered"], "strip_path": false, "request_buffering": false },
        ]);
        let service = json!({ "name": "one", "url": format!("http://{authority}"), "routes": routes });
        Self { conf: String::new(), service, upstreams: json!([]) }
    }

    /// Lines of kong.conf.
    pub fn conf(mut self, lines: &str) -> Self {
        self.conf.push_str(lines);
        self.conf.push('\n');
        self
    }

    /// Members of the service.
    pub fn service(mut self, members: Value) -> Self {
        let Value::Object(members) = members else { panic!("members are an object") };
        self.service.as_object_mut().expect("a service is an object").extend(members);
        self
    }

    /// With a Go plugin that does what the programs of requests say.
    pub fn go(self) -> Self {
        let server = servers::go(GO, &peer("go/bin/pdk-go"));
        self.plugin(GO, &server)
    }

    /// With a Python plugin that does what the programs of requests say.
    pub fn python(self) -> Self {
        self.plugin(PY, &servers::python(PY, "plugins", ""))
    }

    fn plugin(self, name: &str, server: &str) -> Self {
        self.conf(&format!("plugins = {name}\npluginserver_names = {name}\n{server}"))
            .service(json!({ "plugins": [{ "name": name, "config": {} }] }))
    }

    #[track_caller]
    pub fn start(&self) -> Gateway {
        let file =
            json!({ "_format_version": "3.0", "services": [self.service], "upstreams": self.upstreams });
        // One worker: it has all the connections to upstreams.
        let conf = format!("nginx_worker_processes = 1\n{}", self.conf);
        Gateway::builder().conf(&conf).declarative(&file.to_string()).start()
    }
}

#[track_caller]
pub fn connect(gateway: &Gateway) -> Connection {
    let connection = Connection::open(gateway.proxy()).expect("the gateway listens");
    connection.patience(PATIENCE).expect("a connected socket");
    connection
}

/// Sends bytes on a connection of their own and reads one answer.
#[track_caller]
pub fn ask(gateway: &Gateway, bytes: impl AsRef<[u8]>) -> Response {
    let mut connection = connect(gateway);
    ask_on(&mut connection, bytes)
}

/// Sends bytes and reads one answer.
#[track_caller]
pub fn ask_on(connection: &mut Connection, bytes: impl AsRef<[u8]>) -> Response {
    let bytes = bytes.as_ref();
    // Who refuses early does not read to the end, and its answer is worth more than the write error.
    drop(connection.write(bytes));
    answer(connection, if bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" })
        .unwrap_or_else(|error| panic!("no answer to {}: {error}", shown(bytes)))
}

pub fn answer(connection: &mut Connection, method: &str) -> std::io::Result<Response> {
    connection.read_response(method)
}

/// A request without a body and with further header lines, each with its line end.
pub fn get(target: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: example.com\r\n{lines}\r\n")
}

/// A request with a body of `length` bytes, all of them.
pub fn upload(method: &str, target: &str, length: usize) -> Vec<u8> {
    let mut bytes = upload_head(method, target, length).into_bytes();
    bytes.resize(bytes.len() + length, b'a');
    bytes
}

pub fn upload_head(method: &str, target: &str, length: usize) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: example.com\r\nContent-Length: {length}\r\n\r\n")
}

pub fn chunked_head(target: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n")
}

/// An ordinary request passes: nothing of what was done before is in its way.
#[track_caller]
pub fn expect_served(gateway: &Gateway) {
    let answer = ask(gateway, get("/next", ""));
    assert_eq!(answer.status, 200, "the next client's request: {}", answer.text());
}

/// An address that refuses connections.
pub fn refusing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
    listener.local_addr().expect("a bound listener has an address")
}

/// Waits for a line in the access log that holds all these texts.
#[track_caller]
pub fn wait_for_access(gateway: &Gateway, texts: &[&str]) -> String {
    let find = || gateway.access_log().into_iter().find(|line| texts.iter().all(|text| line.contains(text)));
    eventually(PATIENCE, &format!("{texts:?} in the access log {:?}", gateway.access_log()), find)
}

/// The value of a metric, whose labels are part of the name; 0 when there is none.
#[track_caller]
pub fn metric(gateway: &Gateway, name: &str) -> f64 {
    let scrape = polygate_testkit::Request::get("/metrics").send(gateway.status()).expect(200).text();
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    scrape.lines().find_map(value).unwrap_or(0.0)
}

/// Does something `times` times with pauses in between.
pub fn slowly(times: usize, pause: Duration, mut step: impl FnMut()) {
    for _ in 0..times {
        step();
        thread::sleep(pause);
    }
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}
