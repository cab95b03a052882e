//! Streams: TCP, TLS and datagrams through plugins to services, with real clients and real ends.

mod datagrams;
mod metrics;
mod plugins;
mod ways;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use polygate_testkit::gateway::free_address;
use polygate_testkit::{Gateway, Request, eventually};

const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway with stream listeners on `addresses`, each with its flags.
fn start(conf: &str, listeners: &[(SocketAddr, &str)], declarative: &str) -> Gateway {
    let entries: Vec<_> = listeners.iter().map(|(address, flags)| format!("{address} {flags}")).collect();
    let listen = format!("stream_listen = {}\n", entries.join(", "));
    Gateway::builder().conf(&format!("{listen}{conf}")).declarative(declarative).start()
}

/// Addresses that nobody listens on, all different.
fn free<const COUNT: usize>() -> [SocketAddr; COUNT] {
    std::array::from_fn(|_| free_address())
}

/// An upstream that says everything back, and `.` when the other side has said all.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut back = stream.try_clone().unwrap();
                // A client may break off.
                if std::io::copy(&mut stream, &mut back).is_ok() {
                    let _ = back.write_all(b".");
                }
            });
        }
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Says everything, and answers all that comes back.
fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    rest(&mut stream)
}

/// All that comes until the end, or until the other side breaks off.
fn rest(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    if let Err(error) = stream.read_to_end(&mut heard) {
        println!("broken off: {error}");
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// The value of a line of `/metrics`; 0 if there is none.
fn metric(gateway: &Gateway, name: &str) -> u64 {
    let metrics = Request::get("/metrics").send(gateway.status()).expect(200).text();
    let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    metrics.lines().find_map(value).unwrap_or(0)
}

/// The lines of the access log that are those of streams, once there are so many.
fn lines(gateway: &Gateway, count: usize) -> Vec<String> {
    eventually(PATIENCE, "lines of streams", || {
        let lines = gateway.access_log();
        let lines: Vec<_> =
            lines.into_iter().filter(|it| it.contains("] TCP ") || it.contains("] UDP ")).collect();
        (lines.len() >= count).then_some(lines)
    })
}
