//! Clients that do not want a connection, but to be in the way.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use polygate_testkit::{EchoUpstream, Gateway, eventually};

use super::certificates::Certificates;
use super::clients::{curl, declarative, handshakes, run, start};

const PATIENCE: Duration = Duration::from_secs(15);

/// Whoever connects there reaches `to`, which gets what he sends byte by byte, with pauses.
fn dripping(to: SocketAddr, pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let gateway = TcpStream::connect(to).unwrap();
        gateway.set_nodelay(true).unwrap();
        let (mut answers, mut back) = (gateway.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut answers, &mut back);
            let _ = back.shutdown(Shutdown::Both);
        });
        for byte in BufReader::new(client).bytes().map_while(Result::ok) {
            thread::sleep(pause);
            if (&gateway).write_all(&[byte]).is_err() {
                break;
            }
        }
        let _ = gateway.shutdown(Shutdown::Write);
    });
    address
}

fn connect(to: SocketAddr) -> (String, bool) {
    run(Command::new("openssl").args(["s_client", "-connect", &to.to_string()]))
}

#[track_caller]
fn wait_for_end(gateway: &Gateway, end: &str, count: u64) {
    eventually(PATIENCE, end, || (handshakes(gateway, end) == count).then_some(()));
}

#[test]
fn a_hello_may_come_in_pieces_but_not_for_ever() {
    let gateway = start("nginx_http_client_header_timeout = 3s\n", &declarative(&EchoUpstream::start(), &[]));
    let (said, succeeded) = connect(dripping(gateway.proxy(), Duration::ZERO));
    assert!(succeeded && said.contains("localhost"), "{said}");
    // A hello has more than two hundred bytes.
    let (said, succeeded) = connect(dripping(gateway.proxy(), Duration::from_millis(50)));
    assert!(!succeeded, "{said}");
    wait_for_end(&gateway, "late", 1);
    gateway.wait_for_log("no TLS handshake within 3000 ms");
}

#[test]
fn what_begins_like_a_handshake_and_is_none_ends_at_once() {
    let gateway = start("", &declarative(&EchoUpstream::start(), &[]));
    let endless = [&[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[0; 70_000]].concat();
    let pieces: [&[u8]; 5] = [
        b"\x16GET / HTTP/1.1\r\n\r\n",
        &[22, 3, 1, 0xff, 0xff, 1, 0, 0, 0],
        &[22, 3, 1, 0, 4, 1, 0, 0, 0],
        &[22, 3, 1, 0, 4, 2, 0, 0, 0],
        &endless,
    ];
    for (number, sent) in pieces.into_iter().enumerate() {
        let mut stream = TcpStream::connect(gateway.proxy()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be gone before all is sent.
        let _ = stream.write_all(sent);
        let mut answer = Vec::new();
        // An alert, an end or a reset, but no time-out.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{number}");
        }
        wait_for_end(&gateway, "failed", number as u64 + 1);
    }
    gateway.wait_for_log("the TLS handshake failed: ");
}

#[test]
fn who_says_nothing_or_half_a_hello_is_in_nobodys_way() {
    let gateway = start("", &declarative(&EchoUpstream::start(), &[]));
    let begin: [&[u8]; 2] = [&[], &[22, 3, 1, 1, 0, 1]];
    let connections: Vec<_> = (0..400)
        .map(|number| {
            let mut stream = TcpStream::connect(gateway.proxy()).unwrap();
            stream.write_all(begin[number % 2]).unwrap();
            stream
        })
        .collect();
    let (said, succeeded) = curl(&gateway, &Certificates::new(), "a.test", &["-k"]);
    assert!(succeeded, "{said}");
    // Those who leave are counted if they had begun.
    drop(connections);
    wait_for_end(&gateway, "failed", 200);
}

#[test]
fn nobody_shakes_hands_twice() {
    let gateway = start("", &declarative(&EchoUpstream::start(), &[]));
    let mut client = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-connect", &gateway.proxy().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It asks for another handshake.
    client.stdin.take().unwrap().write_all(b"R\n").unwrap();
    let output = client.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no renegotiation"), "{said}");
    assert!(curl(&gateway, &Certificates::new(), "a.test", &["-k"]).1);
}
