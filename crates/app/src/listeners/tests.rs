use std::net::TcpStream;

use super::*;

fn free() -> SocketAddr {
    bind(([127, 0, 0, 1], 0).into(), &ListenOptions::default()).unwrap().local_addr().unwrap()
}

fn open_new(address: SocketAddr, count: usize) -> io::Result<Vec<Arc<TcpListener>>> {
    open(address, &ListenOptions::default(), count, &[])
}

#[test]
fn every_worker_has_its_socket() {
    assert_eq!(open_new(free(), 3).unwrap().len(), 3);
}

#[test]
fn an_address_in_use_is_refused_even_if_it_could_be_shared() {
    let address = free();
    let _first = open_new(address, 1).unwrap();
    assert_eq!(open_new(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
}

/// A connection that waits in the kernel is accepted by whoever comes next, however many they are.
#[test]
fn sockets_are_kept_and_dealt_to_fewer_and_to_more() {
    let address = free();
    let shares = |listeners: &Listeners, count| {
        let shares = listeners.deal(count).unwrap();
        shares.iter().map(Vec::len).collect::<Vec<_>>()
    };
    let listeners = |count, previous: &Listeners| {
        let before = previous.sockets(address, None);
        let sockets = open(address, &ListenOptions::default(), count, before).unwrap();
        let flags = ListenerFlags { proxy_protocol: false, tls: false };
        Listeners(vec![Address { address, ipv6only: None, flags, sockets }])
    };
    let three = listeners(3, &Listeners::default());
    assert_eq!(shares(&three, 3), [1, 1, 1]);
    let clients: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    let one = listeners(1, &three);
    drop(three);
    assert_eq!(shares(&one, 1), [3]);
    assert_eq!(shares(&one, 2), [2, 1]);
    let waiting = one.0[0].sockets.iter().map(|socket| std::iter::from_fn(|| socket.accept().ok()).count());
    assert_eq!(waiting.sum::<usize>(), clients.len());
    assert_eq!(shares(&listeners(5, &one), 5), [1; 5]);
}
