//! Streams of datagrams.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;

use polygate_testkit::DnsServer;
use polygate_testkit::dns::Record;
use serde_json::json;

use super::{PATIENCE, free, lines, metric, start};

/// An upstream that says everything back.
fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            socket.send_to(&buffer[..length], peer).unwrap();
        }
    });
    address
}

fn client(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(to).unwrap();
    socket
}

fn heard(client: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 65_536];
    let length = client.recv(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

fn file(service: serde_json::Value, port: u16) -> String {
    let mut service = service;
    service["routes"] = json!([{"name": "r", "protocols": ["udp"], "destinations": [{ "port": port }]}]);
    json!({"_format_version": "3.0", "services": [service]}).to_string()
}

#[test]
fn a_thousand_clients_are_each_answered() {
    let ([udp], upstream) = (free(), echo());
    let service = json!({"name": "s", "url": format!("udp://{upstream}"), "read_timeout": 1000});
    let gateway = start("", &[(udp, "udp reuseport")], &file(service, udp.port()));
    let clients: Vec<_> = (0..1000).map(|_| client(udp)).collect();
    for round in 0..3 {
        // No more at a time than the sockets of this test hold.
        for some in clients.chunks(50) {
            for (number, client) in some.iter().enumerate() {
                client.send(format!("{round} of {number}").as_bytes()).unwrap();
            }
            for (number, client) in some.iter().enumerate() {
                assert_eq!(heard(client), format!("{round} of {number}").as_bytes());
            }
        }
    }
    let largest = vec![7; 60_000];
    clients[0].send(&largest).unwrap();
    assert!(heard(&clients[0]) == largest);
    // They end when both sides are silent.
    let lines = lines(&gateway, 1000);
    assert!(lines.iter().all(|line| line.contains("] UDP 200 ")), "{}", lines[0]);
    assert_eq!(metric(&gateway, "polygate_stream_open{transport=\"UDP\"}"), 0);
}

#[test]
fn a_listener_on_all_addresses_answers_from_the_one_that_was_asked() {
    let ([mut udp], [one, other]) = (free(), [echo(), echo()]);
    udp.set_ip([0, 0, 0, 0].into());
    let service = |name: &str, to: SocketAddr, address: &str| {
        let route = json!({"protocols": ["udp"], "destinations": [{"ip": address}]});
        json!({"name": name, "url": format!("udp://{to}"), "routes": [route]})
    };
    let services = [service("one", one, "127.0.0.2"), service("other", other, "127.0.0.3")];
    let file = json!({"_format_version": "3.0", "services": services}).to_string();
    let _gateway = start("", &[(udp, "udp")], &file);
    for address in ["127.0.0.2", "127.0.0.3"] {
        // Connected, so that it takes nothing from elsewhere.
        let client = client(SocketAddr::new(address.parse().unwrap(), udp.port()));
        client.send(address.as_bytes()).unwrap();
        assert_eq!(heard(&client), address.as_bytes());
    }
}

#[test]
fn names_are_asked_for_through_the_gateway() {
    let ([udp], dns) = (free(), DnsServer::start());
    dns.set("a.test", 60, &[Record::A(Ipv4Addr::new(192, 0, 2, 1))]);
    let service = json!({"name": "s", "url": format!("udp://{}", dns.address())});
    let _gateway = start("", &[(udp, "udp")], &file(service, udp.port()));
    let client = client(udp);
    // RFC 1035, section 4.1: one question, for an A record.
    let header = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    client.send(&[&header[..], b"\x01a\x04test\0", &[0, 1, 0, 1]].concat()).unwrap();
    let answer = heard(&client);
    assert_eq!((&answer[..2], &answer[answer.len() - 4..]), (&header[..2], &[192, 0, 2, 1][..]));
}

#[test]
fn a_peer_that_refuses_is_left_for_another() {
    let ([udp, gone], upstream) = (free(), echo());
    let file = json!({"_format_version": "3.0",
        "upstreams": [{"name": "u", "targets": [{"target": upstream.to_string()}, {"target": gone.to_string()}]}],
        "services": [{"name": "s", "protocol": "udp", "host": "u", "port": 1,
            "routes": [{"name": "r", "protocols": ["udp"], "destinations": [{"port": udp.port()}]}]}]});
    let gateway = start("nginx_main_worker_processes = 1\n", &[(udp, "udp")], &file.to_string());
    for _ in 0..4 {
        let client = client(udp);
        client.send(b"x").unwrap();
        assert_eq!(heard(&client), b"x");
    }
    gateway.wait_for_log(&format!("upstream {gone}: it takes no datagrams"));
}
