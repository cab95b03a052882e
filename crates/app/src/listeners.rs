//! The sockets that clients connect to.
//!
//! A reload hands the sockets of an address that stays to whoever accepts on it next, and never closes one: the kernel
//! has given connections to each of them, which wait there until somebody accepts them and are reset when nobody can
//! any more. So the sockets of an address only become more. Where there are more than workers, some have several. And new
//! ones get no connections before all addresses are known to be free.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

use polygate_config::settings::Listen;
use polygate_http::ListenerFlags;
use polygate_net::listen::{ListenOptions, listen, reserve};

use crate::{Error, translate};

/// A socket that one worker accepts on.
pub struct Listener {
    pub socket: TcpListener,
    pub flags: ListenerFlags,
}

/// The sockets of one property's entries.
#[derive(Default)]
pub struct Listeners(Vec<Address>);

struct Address {
    address: SocketAddr,
    options: ListenOptions,
    flags: ListenerFlags,
    sockets: Vec<Arc<TcpListener>>,
}

impl Listeners {
    /// Listens on every address with `count` sockets at least, beginning with those that `previous` has of it.
    pub fn open(entries: &[Listen], count: usize, previous: &Self) -> Result<Self, Error> {
        let http2 = translate::http2(entries);
        let mut all = Vec::new();
        for entry in entries {
            let fail = |cause| Error::Listen { address: entry.to_string(), cause };
            let flags = ListenerFlags { proxy_protocol: entry.proxy_protocol, tls: entry.ssl, http2 };
            let options = translate::listen(entry);
            for address in (entry.host.as_str(), entry.port).to_socket_addrs().map_err(fail)? {
                let before = previous.sockets(address, &options);
                let sockets = sockets(address, &options, count, before).map_err(fail)?;
                all.push(Address { address, options, flags, sockets });
            }
        }
        let all = Self(all);
        all.listen()?;
        Ok(all)
    }

    fn listen(&self) -> Result<(), Error> {
        for Address { address, options, sockets, .. } in &self.0 {
            let fail = |cause| Error::Listen { address: address.to_string(), cause };
            sockets.iter().try_for_each(|socket| listen(socket, options)).map_err(fail)?;
        }
        Ok(())
    }

    /// Those of an address; whether one has IPv4 too cannot change while it is bound.
    fn sockets(&self, address: SocketAddr, options: &ListenOptions) -> &[Arc<TcpListener>] {
        let is_same = |it: &&Address| it.address == address && it.options.ipv6only == options.ipv6only;
        self.0.iter().find(is_same).map_or(&[], |it| &it.sockets)
    }

    /// A share of the sockets for each of `count` workers.
    pub fn deal(&self, count: usize) -> Result<Vec<Vec<Listener>>, Error> {
        let mut shares: Vec<Vec<Listener>> = (0..count).map(|_| Vec::new()).collect();
        for Address { address, flags, sockets, .. } in &self.0 {
            for (number, socket) in sockets.iter().enumerate() {
                let fail = |cause| Error::Listen { address: address.to_string(), cause };
                let socket = socket.try_clone().map_err(fail)?;
                shares[number % count].push(Listener { socket, flags: *flags });
            }
        }
        Ok(shares)
    }
}

/// As many sockets on one address as there are workers, so that the kernel spreads the connections. New ones do not
/// listen yet.
fn sockets(
    address: SocketAddr,
    options: &ListenOptions,
    count: usize,
    before: &[Arc<TcpListener>],
) -> io::Result<Vec<Arc<TcpListener>>> {
    // Without `reuseport` the address must be free: another gateway on it would share it silently.
    if !options.reuseport && before.is_empty() {
        drop(reserve(address, options)?);
    }
    let shared = ListenOptions { reuseport: true, ..*options };
    let more = (before.len()..count).map(|_| reserve(address, &shared).map(Arc::new));
    before.iter().map(|socket| Ok(socket.clone())).chain(more).collect()
}

#[cfg(test)]
mod tests;
