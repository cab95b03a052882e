//! Listening sockets.
//!
//! Each worker binds a listener of its own to the same address; with `reuseport` the kernel spreads the
//! connections over them. `deferred` (TCP_DEFER_ACCEPT) is not offered: it saves a wake-up only, and
//! neither `socket2` nor `rustix` sets it, so that it would need an unsafe call of our own.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// What the flags of a `*_listen` entry say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListenOptions {
    pub reuseport: bool,
    /// Connections waiting to be accepted; `None` is 511, the usual choice of servers.
    pub backlog: Option<u32>,
    /// For IPv6 addresses; `None` is on, so that an IPv4 listener can have the same port.
    pub ipv6only: Option<bool>,
    /// Of accepted connections; `None` leaves the system's setting.
    pub keepalive: Option<Keepalive>,
}

/// TCP keepalive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keepalive {
    Off,
    /// What is left out keeps the system's value.
    On {
        idle: Option<Duration>,
        interval: Option<Duration>,
        /// Probes without an answer before the connection is given up.
        count: Option<u32>,
    },
}

const DEFAULT_BACKLOG: u32 = 511;

impl ListenOptions {
    fn backlog(&self) -> i32 {
        i32::try_from(self.backlog.unwrap_or(DEFAULT_BACKLOG)).unwrap_or(i32::MAX)
    }
}

/// Opens a non-blocking TCP listener. Port 0 lets the system choose; ask the listener for the result.
pub fn bind(address: SocketAddr, options: &ListenOptions) -> io::Result<TcpListener> {
    let reserved = reserve(address, options)?;
    listen(&reserved, options)?;
    Ok(reserved)
}

/// Takes an address for a listener that gets no connections before [`listen`].
pub fn reserve(address: SocketAddr, options: &ListenOptions) -> io::Result<TcpListener> {
    Ok(socket(address, Type::STREAM, Protocol::TCP, options)?.into())
}

/// Listens on what was reserved, or changes the options of a listener that can change while it listens: `backlog` and
/// `keepalive`. What the latter leaves open stays as it was.
pub fn listen(reserved: &TcpListener, options: &ListenOptions) -> io::Result<()> {
    let socket = SockRef::from(reserved);
    // Accepted sockets inherit both. Whoever serves them writes whole messages.
    socket.set_tcp_nodelay(true)?;
    set_keepalive(&socket, options.keepalive.unwrap_or(Keepalive::Off))?;
    socket.listen(options.backlog())
}

/// Opens a non-blocking UDP socket; of `options`, `backlog` and `keepalive` mean nothing to it.
pub fn bind_udp(address: SocketAddr, options: &ListenOptions) -> io::Result<UdpSocket> {
    Ok(socket(address, Type::DGRAM, Protocol::UDP, options)?.into())
}

fn socket(
    address: SocketAddr,
    kind: Type,
    protocol: Protocol,
    options: &ListenOptions,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if kind == Type::STREAM {
        // A restart must not wait for connections of the last run to leave TIME_WAIT.
        socket.set_reuse_address(true)?;
    }
    socket.set_reuse_port(options.reuseport)?;
    if address.is_ipv6() {
        socket.set_only_v6(options.ipv6only.unwrap_or(true))?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn set_keepalive(socket: &SockRef<'_>, keepalive: Keepalive) -> io::Result<()> {
    let Keepalive::On { idle, interval, count } = keepalive else { return socket.set_keepalive(false) };
    let mut settings = TcpKeepalive::new();
    if let Some(idle) = idle {
        settings = settings.with_time(idle);
    }
    if let Some(interval) = interval {
        settings = settings.with_interval(interval);
    }
    if let Some(count) = count {
        settings = settings.with_retries(count);
    }
    socket.set_tcp_keepalive(&settings)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn local() -> SocketAddr {
        ([127, 0, 0, 1], 0).into()
    }

    #[test]
    fn the_system_chooses_a_port_and_the_listener_does_not_block() {
        let listener = bind(local(), &ListenOptions::default()).unwrap();
        assert_ne!(listener.local_addr().unwrap().port(), 0);
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn reuseport_lets_workers_share_an_address() {
        let options = ListenOptions { reuseport: true, ..ListenOptions::default() };
        let first = bind(local(), &options).unwrap();
        let address = first.local_addr().unwrap();
        bind(address, &options).unwrap();
        let alone = bind(address, &ListenOptions::default()).unwrap_err();
        assert_eq!(alone.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn accepted_connections_inherit_keepalive_and_write_at_once() {
        let idle = Some(Duration::from_secs(77));
        let keepalive = Some(Keepalive::On { idle, interval: None, count: Some(3) });
        let listener = bind(local(), &ListenOptions { keepalive, ..ListenOptions::default() }).unwrap();
        listener.set_nonblocking(false).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let accepted = SockRef::from(&accepted);
        assert!(accepted.tcp_nodelay().unwrap());
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_secs(77));
        assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 3);
    }

    #[test]
    fn a_reserved_address_gets_no_connections_until_it_is_listened_on() {
        let options = ListenOptions::default();
        let reserved = reserve(local(), &options).unwrap();
        let address = reserved.local_addr().unwrap();
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        listen(&reserved, &options).unwrap();
        TcpStream::connect(address).unwrap();
    }

    #[test]
    fn a_listener_changes_its_keepalive() {
        let on = Keepalive::On { idle: None, interval: None, count: None };
        let listener = bind(local(), &ListenOptions { keepalive: Some(on), ..Default::default() }).unwrap();
        listener.set_nonblocking(false).unwrap();
        let is_on = || {
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            SockRef::from(&listener.accept().unwrap().0).keepalive().unwrap()
        };
        assert!(is_on());
        listen(&listener, &ListenOptions { keepalive: Some(Keepalive::Off), ..Default::default() }).unwrap();
        assert!(!is_on());
    }

    /// The kernel takes one connection more than `backlog` says, and lets others wait outside.
    #[test]
    fn the_backlog_bounds_the_connections_that_wait() {
        let listener = bind(local(), &ListenOptions { backlog: Some(2), ..Default::default() }).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
        let waiting: Vec<_> = (0..3).map(|_| connect().unwrap()).collect();
        assert!(connect().is_err());
        listen(&listener, &ListenOptions { backlog: Some(8), ..Default::default() }).unwrap();
        connect().unwrap();
        drop(waiting);
    }

    #[test]
    fn ipv6only_decides_whether_ipv4_comes_in_too() {
        let any = ([0; 8], 0).into();
        for (ipv6only, takes_ipv4) in [(None, false), (Some(true), false), (Some(false), true)] {
            let listener = bind(any, &ListenOptions { ipv6only, ..Default::default() }).unwrap();
            let port = listener.local_addr().unwrap().port();
            TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, port)).unwrap();
            assert_eq!(TcpStream::connect(("127.0.0.1", port)).is_ok(), takes_ipv4, "{ipv6only:?}");
        }
    }

    #[test]
    fn datagram_sockets_share_an_address_too() {
        let options = ListenOptions { reuseport: true, ..ListenOptions::default() };
        let first = bind_udp(local(), &options).unwrap();
        bind_udp(first.local_addr().unwrap(), &options).unwrap();
    }
}
