//! A listener of datagrams, which knows the address that each was sent to.
//!
//! A client takes answers only from the address that it asked. A socket that listens on all of them would send from the
//! one that the system chooses.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

pub struct Datagrams {
    socket: UdpSocket,
    local: SocketAddr,
    /// It listens on all addresses.
    is_on_all: bool,
}

/// Who says something to a listener, and at which of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ends {
    pub client: SocketAddr,
    pub local: SocketAddr,
}

impl Datagrams {
    /// `socket` is bound and non-blocking.
    pub fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let is_on_all = local.ip().is_unspecified();
        match local {
            _ if !is_on_all => {}
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
        Ok(Self { socket: UdpSocket::from_std(socket)?, local, is_on_all })
    }

    /// Where it listens.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// The length of a datagram that has come, and whose it is.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<(usize, Ends)> {
        self.socket.try_io(Interest::READABLE, || self.receive(buffer))
    }

    /// Answers, if the system takes it at once.
    pub fn try_send(&self, answer: &[u8], to: Ends) -> io::Result<usize> {
        self.socket.try_io(Interest::WRITABLE, || self.answer(answer, to))
    }

    pub async fn send(&self, answer: &[u8], to: Ends) -> io::Result<usize> {
        self.socket.async_io(Interest::WRITABLE, || self.answer(answer, to)).await
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Ends)> {
        let (mut parts, mut room) =
            ([IoSliceMut::new(buffer)], self.is_on_all.then(|| cmsg_space!(in6_pktinfo)));
        let socket = self.socket.as_raw_fd();
        let message = recvmsg::<SockaddrStorage>(socket, &mut parts, room.as_deref_mut(), MsgFlags::empty())?;
        let client = message.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
        let asked = message.cmsgs()?.find_map(asked).unwrap_or(self.local.ip());
        Ok((message.bytes, Ends { client, local: SocketAddr::new(asked, self.local.port()) }))
    }

    fn answer(&self, answer: &[u8], to: Ends) -> io::Result<usize> {
        let (v4, v6);
        let from = match to.local.ip() {
            _ if !self.is_on_all => None,
            IpAddr::V4(ip) => {
                let ip = in_addr { s_addr: u32::from(ip).to_be() };
                v4 = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: ip, ipi_addr: ip };
                Some(ControlMessage::Ipv4PacketInfo(&v4))
            }
            IpAddr::V6(ip) => {
                v6 = in6_pktinfo { ipi6_addr: in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: 0 };
                Some(ControlMessage::Ipv6PacketInfo(&v6))
            }
        };
        let (socket, client) = (self.socket.as_raw_fd(), SockaddrStorage::from(to.client));
        Ok(sendmsg(socket, &[IoSlice::new(answer)], from.as_slice(), MsgFlags::empty(), Some(&client))?)
    }
}

fn address(of: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = of.as_sockaddr_in().map(|it| SocketAddr::V4((*it).into()));
    v4.or_else(|| Some(SocketAddr::V6((*of.as_sockaddr_in6()?).into())))
}

/// The address that a datagram was sent to.
fn asked(message: ControlMessageOwned) -> Option<IpAddr> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(u32::from_be(info.ipi_addr.s_addr).to_be_bytes().into())
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(info.ipi6_addr.s6_addr.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::{ListenOptions, bind_udp};

    #[tokio::test]
    async fn answers_come_from_where_the_client_asked() {
        let dual = ListenOptions { ipv6only: Some(false), ..ListenOptions::default() };
        for (listen, asked, options) in [
            ("127.0.0.1:0", "127.0.0.1", ListenOptions::default()),
            ("0.0.0.0:0", "127.0.0.2", ListenOptions::default()),
            ("[::]:0", "::1", ListenOptions::default()),
            ("[::]:0", "127.0.0.3", dual),
        ] {
            let listener = Datagrams::new(bind_udp(listen.parse().unwrap(), &options).unwrap()).unwrap();
            let asked: IpAddr = asked.parse().unwrap();
            let any = if asked.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let client = UdpSocket::bind(any).await.unwrap();
            // From elsewhere it takes nothing.
            client.connect(SocketAddr::new(asked, listener.local().port())).await.unwrap();
            client.send(b"ask").await.unwrap();
            listener.readable().await.unwrap();
            let mut buffer = [0; 10];
            let (length, ends) = listener.try_recv(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], ends.local.ip().to_canonical()), (&b"ask"[..], asked));
            assert_eq!(listener.try_send(b"one", ends).unwrap(), 3);
            assert_eq!(listener.send(b"another", ends).await.unwrap(), 7);
            assert_eq!(client.recv(&mut buffer).await.unwrap(), 3);
            assert_eq!(client.recv(&mut buffer).await.unwrap(), 7);
        }
    }
}
