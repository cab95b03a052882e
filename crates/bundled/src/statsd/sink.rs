//! Values as datagrams, or over TCP.

use std::sync::Arc;

use bytes::Bytes;
use polygate_chain::services::{Remote, Services};

use crate::line_client::LineClient;
use crate::queue::Sink;

pub enum StatsdSink {
    Tcp(LineClient),
    Udp(Packets),
}

pub struct Packets {
    pub remote: Remote,
    /// Bytes that values may share; with 0 each is sent for itself.
    pub size: usize,
    pub services: Arc<dyn Services>,
}

impl Sink for StatsdSink {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        match self {
            Self::Tcp(client) => client.send(batch).await,
            Self::Udp(packets) => packets.send(batch).await,
        }
    }
}

impl Packets {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        let Remote { host, port, .. } = &self.remote;
        for packet in packets(batch.iter().flat_map(|entry| entry.split(|&byte| byte == b'\n')), self.size) {
            let sent = self.services.send_datagram(host, *port, &packet).await;
            sent.map_err(|error| format!("{host}:{port}: {error}"))?;
        }
        Ok(())
    }
}

/// As many lines together as fit.
fn packets<'a>(lines: impl Iterator<Item = &'a [u8]>, size: usize) -> Vec<Vec<u8>> {
    let mut packets: Vec<Vec<u8>> = Vec::new();
    for line in lines {
        match packets.last_mut().filter(|packet| packet.len() + 1 + line.len() <= size) {
            Some(packet) => {
                packet.push(b'\n');
                packet.extend_from_slice(line);
            }
            None => packets.push(line.to_owned()),
        }
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::packets;

    #[test]
    fn lines_share_a_packet_as_far_as_they_fit() {
        let lines = || ["aa:1|c", "b:1|c", "ccc:1|c"].into_iter().map(str::as_bytes);
        let packets = |size| packets(lines(), size).into_iter().map(|it| String::from_utf8(it).unwrap());
        assert!(packets(0).eq(["aa:1|c", "b:1|c", "ccc:1|c"]));
        assert!(packets(12).eq(["aa:1|c\nb:1|c", "ccc:1|c"]));
        assert!(packets(99).eq(["aa:1|c\nb:1|c\nccc:1|c"]));
    }
}
