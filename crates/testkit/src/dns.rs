//! A DNS server that answers what a test says: A and SRV records over UDP (RFC 1035, section 4; RFC 2782).

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// One record's data.
#[derive(Clone, Debug)]
pub enum Record {
    A(Ipv4Addr),
    Srv { priority: u16, weight: u16, port: u16, target: &'static str },
}

/// A running server; it lives as long as the test process.
pub struct DnsServer {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// What is not here does not exist.
    names: HashMap<String, Name>,
    is_failing: bool,
    /// How often each name was asked for.
    asked: HashMap<String, usize>,
}

struct Name {
    /// In seconds.
    ttl: u32,
    records: Vec<Record>,
}

/// Response codes.
const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;

impl DnsServer {
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
        let address = socket.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Mutex::new(Shared::default()));
        let answering = Arc::clone(&shared);
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = lock(&answering).answer(&buffer[..length]) {
                    // A client that has gone is not told.
                    drop(socket.send_to(&answer, peer));
                }
            }
        });
        Self { address, shared }
    }

    /// For `dns_resolver`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces what a lower-case name has; `ttl` is in seconds.
    pub fn set(&self, name: &str, ttl: u32, records: &[Record]) {
        lock(&self.shared).names.insert(name.to_owned(), Name { ttl, records: records.to_vec() });
    }

    /// The name does not exist any more.
    pub fn remove(&self, name: &str) {
        lock(&self.shared).names.remove(name);
    }

    /// Whether every question is answered by a failure of the server.
    pub fn fail(&self, is_failing: bool) {
        lock(&self.shared).is_failing = is_failing;
    }

    /// How often a name was asked for, whatever the type.
    pub fn asked(&self, name: &str) -> usize {
        lock(&self.shared).asked.get(name).copied().unwrap_or(0)
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().expect("no holder panics")
}

impl Shared {
    /// `None` for what is no question.
    fn answer(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = question_name(query)?;
        let question = query.get(12..end + 4)?;
        let kind = u16::from_be_bytes([query[end], query[end + 1]]);
        *self.asked.entry(name.clone()).or_default() += 1;
        let (code, ttl, records) = match self.names.get(&name) {
            _ if self.is_failing => (SERVER_FAILURE, 0, &[][..]),
            Some(name) => (0, name.ttl, &*name.records),
            None => (NAME_ERROR, 0, &[][..]),
        };
        let answers: Vec<_> = records.iter().filter(|record| record.kind() == kind).collect();
        // An authoritative answer to one question; nothing in the other sections.
        let mut message = vec![query[0], query[1], 0x84, code, 0, 1, 0, answers.len() as u8, 0, 0, 0, 0];
        message.extend_from_slice(question);
        for record in answers {
            let data = record.data();
            // The name is that of the question, at the message's offset 12.
            message.extend_from_slice(&[0xc0, 12]);
            message.extend_from_slice(&question[question.len() - 4..]);
            message.extend_from_slice(&ttl.to_be_bytes());
            message.extend_from_slice(&(data.len() as u16).to_be_bytes());
            message.extend_from_slice(&data);
        }
        Some(message)
    }
}

impl Record {
    fn kind(&self) -> u16 {
        match self {
            Self::A(_) => 1,
            Self::Srv { .. } => 33,
        }
    }

    fn data(&self) -> Vec<u8> {
        match self {
            Self::A(ip) => ip.octets().to_vec(),
            Self::Srv { priority, weight, port, target } => {
                let mut data: Vec<u8> =
                    [priority, weight, port].iter().flat_map(|it| it.to_be_bytes()).collect();
                for label in target.split('.') {
                    data.push(label.len() as u8);
                    data.extend_from_slice(label.as_bytes());
                }
                data.push(0);
                data
            }
        }
    }
}

/// The name of the first question, in lower case, and where it ends.
fn question_name(query: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
}
