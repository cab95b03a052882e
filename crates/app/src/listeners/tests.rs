use std::iter;
use std::net::TcpStream;

use polygate_config::conf::{self, Sources};

use super::*;

/// The entries that `proxy_listen` would have.
fn entries(text: &str) -> Vec<Listen> {
    let overrides = [("database", "off"), ("proxy_listen", text)];
    let overrides = overrides.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    conf::load(Sources { overrides, ..Sources::default() }).unwrap().0.proxy_listen
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn open(entry: &str, count: usize, previous: &Listeners) -> Result<Listeners, Error> {
    let listeners = Listeners::reserve(&entries(entry), &[], count, previous)?;
    listeners.listen()?;
    Ok(listeners)
}

/// How many sockets each of `count` workers would have.
fn shares(listeners: &Listeners, count: usize) -> Vec<usize> {
    listeners.deal(count).unwrap().iter().map(Vec::len).collect()
}

#[test]
fn every_worker_has_its_socket() {
    for flags in ["", " reuseport", " bind"] {
        let listeners = open(&format!("{}{flags}", free()), 3, &Listeners::default()).unwrap();
        assert_eq!(shares(&listeners, 3), [1, 1, 1], "{flags}");
    }
}

/// So that a reload that is refused for another address opens none.
#[test]
fn what_is_reserved_is_closed() {
    let address = free().to_string();
    let reserved = Listeners::reserve(&entries(&address), &[], 2, &Listeners::default()).unwrap();
    assert_eq!(TcpStream::connect(&address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    reserved.listen().unwrap();
    TcpStream::connect(&address).unwrap();
}

#[test]
fn an_address_in_use_is_refused_even_if_it_could_be_shared() {
    let address = free().to_string();
    let none = Listeners::default();
    let _first = open(&address, 1, &none).unwrap();
    let refused = open(&address, 1, &none).err().unwrap().to_string();
    assert!(
        refused.starts_with(&format!("could not listen on {address}: Address already in use")),
        "{refused}"
    );
}

#[test]
fn sockets_are_kept_and_dealt_to_fewer_and_to_more() {
    let address = free().to_string();
    let three = open(&address, 3, &Listeners::default()).unwrap();
    let clients: Vec<_> = (0..20).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let one = open(&address, 1, &three).unwrap();
    drop(three);
    assert_eq!(shares(&one, 1), [3]);
    assert_eq!(shares(&one, 2), [2, 1]);
    let waiting =
        one.connections[0].sockets.iter().map(|socket| iter::from_fn(|| socket.accept().ok()).count());
    assert_eq!(waiting.sum::<usize>(), clients.len(), "connections that came before");
    assert_eq!(shares(&open(&address, 5, &one).unwrap(), 5), [1; 5]);
}

/// Connections that the kernel gave to one of them would be lost with it.
#[test]
fn new_sockets_get_no_connections_when_another_address_is_in_use() {
    let (address, taken) = (free().to_string(), TcpListener::bind("127.0.0.1:0").unwrap());
    let one = open(&address, 1, &Listeners::default()).unwrap();
    let refused = open(&format!("{address}, {}", taken.local_addr().unwrap()), 8, &one);
    assert!(refused.is_err());
    let _clients: Vec<_> = (0..20).map(|_| TcpStream::connect(&address).unwrap()).collect();
    assert_eq!(iter::from_fn(|| one.connections[0].sockets[0].accept().ok()).count(), 20);
}
