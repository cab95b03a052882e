//! The sockets that clients connect to.
//!
//! A reload hands the sockets of an address that stays to whoever accepts on it next, and never closes one: the kernel
//! has given connections to each of them, which wait there until somebody accepts them and are reset when nobody can
//! any more. So the sockets of an address only become more. Where there are more than workers, some have several. And new
//! ones get no connections before all addresses are known to be free.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::sync::Arc;

use polygate_config::settings::Listen;
use polygate_net::listen::{ListenOptions, bind_udp, listen, reserve};

use crate::{Error, translate};

/// A socket that one worker serves.
pub enum Listener {
    Requests(TcpListener, polygate_http::ListenerFlags),
    Streams(TcpListener, polygate_stream::ListenerFlags),
    Datagrams(UdpSocket),
}

/// The sockets of all addresses.
#[derive(Default)]
pub struct Listeners {
    connections: Vec<Address<TcpListener, Purpose>>,
    datagrams: Vec<Address<UdpSocket, ()>>,
}

/// What connections of an address carry.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Requests(polygate_http::ListenerFlags),
    Streams(polygate_stream::ListenerFlags),
}

struct Address<S, P> {
    address: SocketAddr,
    options: ListenOptions,
    purpose: P,
    sockets: Vec<Arc<S>>,
}

/// Something that is bound to an address.
trait Socket: Sized {
    /// Takes an address without getting anything of what comes there yet, where the system allows it.
    fn reserve(address: SocketAddr, options: &ListenOptions) -> io::Result<Self>;

    fn listen(&self, options: &ListenOptions) -> io::Result<()>;

    /// Another descriptor of the same socket.
    fn again(&self) -> io::Result<Self>;
}

impl Socket for TcpListener {
    fn reserve(address: SocketAddr, options: &ListenOptions) -> io::Result<Self> {
        reserve(address, options)
    }

    fn listen(&self, options: &ListenOptions) -> io::Result<()> {
        listen(self, options)
    }

    fn again(&self) -> io::Result<Self> {
        self.try_clone()
    }
}

impl Socket for UdpSocket {
    fn reserve(address: SocketAddr, options: &ListenOptions) -> io::Result<Self> {
        bind_udp(address, options)
    }

    fn listen(&self, _: &ListenOptions) -> io::Result<()> {
        Ok(())
    }

    fn again(&self) -> io::Result<Self> {
        self.try_clone()
    }
}

impl Listeners {
    /// Takes every address with `count` sockets at least, beginning with those that `previous` has of it. New ones get no
    /// connections before [`Listeners::listen`].
    pub fn reserve(
        requests: &[Listen],
        streams: &[Listen],
        count: usize,
        previous: &Self,
    ) -> Result<Self, Error> {
        let http2 = translate::http2(requests);
        let requests = requests.iter().map(|it| {
            let flags =
                polygate_http::ListenerFlags { proxy_protocol: it.proxy_protocol, tls: it.ssl, http2 };
            (it, Purpose::Requests(flags))
        });
        let (datagrams, connections): (Vec<_>, Vec<_>) = streams.iter().partition(|it| it.udp);
        let connections = connections.into_iter().map(|it| {
            let flags = polygate_stream::ListenerFlags { proxy_protocol: it.proxy_protocol, tls: it.ssl };
            (it, Purpose::Streams(flags))
        });
        let datagrams = datagrams.into_iter().map(|it| (it, ()));
        Ok(Self {
            connections: addresses(requests.chain(connections), count, &previous.connections)?,
            datagrams: addresses(datagrams, count, &previous.datagrams)?,
        })
    }

    pub fn listen(&self) -> Result<(), Error> {
        self.connections.iter().try_for_each(Address::listen)
    }

    /// A share of the sockets for each of `count` workers.
    pub fn deal(&self, count: usize) -> Result<Vec<Vec<Listener>>, Error> {
        let mut shares: Vec<Vec<Listener>> = (0..count).map(|_| Vec::new()).collect();
        for address in &self.connections {
            address.deal(&mut shares, |socket, purpose| match purpose {
                Purpose::Requests(flags) => Listener::Requests(socket, flags),
                Purpose::Streams(flags) => Listener::Streams(socket, flags),
            })?;
        }
        for address in &self.datagrams {
            address.deal(&mut shares, |socket, ()| Listener::Datagrams(socket))?;
        }
        Ok(shares)
    }
}

fn addresses<'e, S: Socket, P: Copy>(
    entries: impl Iterator<Item = (&'e Listen, P)>,
    count: usize,
    previous: &[Address<S, P>],
) -> Result<Vec<Address<S, P>>, Error> {
    let mut all = Vec::new();
    for (entry, purpose) in entries {
        let fail = |cause| Error::Listen { address: entry.to_string(), cause };
        let options = translate::listen(entry);
        for address in (entry.host.as_str(), entry.port).to_socket_addrs().map_err(fail)? {
            // Whether one has IPv4 too cannot change while it is bound.
            let is_same =
                |it: &&Address<S, P>| it.address == address && it.options.ipv6only == options.ipv6only;
            let before = previous.iter().find(is_same).map_or(&[][..], |it| &it.sockets);
            let sockets = sockets(address, &options, count, before).map_err(fail)?;
            all.push(Address { address, options, purpose, sockets });
        }
    }
    Ok(all)
}

/// As many sockets on one address as there are workers, so that the kernel spreads what comes. New ones do not listen
/// yet.
fn sockets<S: Socket>(
    address: SocketAddr,
    options: &ListenOptions,
    count: usize,
    before: &[Arc<S>],
) -> io::Result<Vec<Arc<S>>> {
    // Without `reuseport` the address must be free: another gateway on it would share it silently.
    if !options.reuseport && before.is_empty() {
        drop(S::reserve(address, options)?);
    }
    let shared = ListenOptions { reuseport: true, ..*options };
    let more = (before.len()..count).map(|_| S::reserve(address, &shared).map(Arc::new));
    before.iter().map(|socket| Ok(socket.clone())).chain(more).collect()
}

impl<S: Socket, P: Copy> Address<S, P> {
    fn fail(&self, cause: io::Error) -> Error {
        Error::Listen { address: self.address.to_string(), cause }
    }

    fn listen(&self) -> Result<(), Error> {
        self.sockets
            .iter()
            .try_for_each(|socket| socket.listen(&self.options))
            .map_err(|cause| self.fail(cause))
    }

    fn deal<T>(&self, shares: &mut [Vec<T>], make: impl Fn(S, P) -> T) -> Result<(), Error> {
        let count = shares.len();
        for (number, socket) in self.sockets.iter().enumerate() {
            let socket = socket.again().map_err(|cause| self.fail(cause))?;
            shares[number % count].push(make(socket, self.purpose));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
