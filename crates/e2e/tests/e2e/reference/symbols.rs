//! The ports in the recorded cases: symbols of five digits, as the real ports are, so that lengths stay the same.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// The gateway.
pub const GATEWAY: u16 = 29000;
pub const UPSTREAMS: [u16; 4] = [29100, 29101, 29102, 29104];
/// Nothing listens there.
pub const CLOSED: u16 = 29103;
/// The upstreams among which a balancer chooses, where a case does not care which.
const ALIKE: [u16; 3] = [29100, 29101, 29102];

/// The real ports of one replay, which lie outside the symbols.
pub struct Symbols(Vec<(u16, u16)>);

impl Symbols {
    pub fn choose(symbols: &[u16]) -> Self {
        Self(symbols.iter().map(|symbol| (*symbol, free_port())).collect())
    }

    pub fn address(&self, symbol: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port(symbol)).into()
    }

    pub fn port(&self, symbol: u16) -> u16 {
        let real = self.0.iter().find(|(known, _)| *known == symbol).map(|(_, real)| *real);
        real.expect("a symbol of the list")
    }

    /// A recorded text with real ports.
    pub fn realise(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (symbol, real)| text.replace(&digits(*symbol), &digits(*real)))
    }

    /// A text from the wire with symbols.
    pub fn symbolise(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (symbol, real)| text.replace(&digits(*real), &digits(*symbol)))
    }
}

/// Makes upstreams that are alike one.
pub fn merge(text: &str) -> String {
    ALIKE.iter().fold(text.to_owned(), |text, symbol| text.replace(&digits(*symbol), &digits(ALIKE[0])))
}

fn digits(port: u16) -> String {
    port.to_string()
}

/// A port that is free now and below those that the kernel gives to outgoing connections: no client of a test that
/// runs at the same time can take it before it is listened on.
fn free_port() -> u16 {
    const RANGE: std::ops::Range<u16> = 12000..28000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = process::id() * 61;
    loop {
        let offset = start + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = RANGE.start + (offset % u32::from(RANGE.end - RANGE.start)) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
