//! The step that finds out whom a TLS client looks for, before anybody answers it.

use std::time::Duration;

use polygate_net::client_hello::{Peeked, peek};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::failure::Failure;

/// Reads a client's hello into `read`, which may have the beginning of it. Answers the server name in it.
pub async fn server_name(
    client: &mut TcpStream,
    read: &mut Vec<u8>,
    patience: Duration,
) -> Result<Option<String>, Failure> {
    let whole = async {
        loop {
            match peek(read)? {
                Peeked::Hello { server_name } => return Ok(server_name),
                Peeked::NotTls => return Err(Failure::NotTls),
                Peeked::Partial => {}
            }
            if client.read_buf(read).await.map_err(Failure::ClientBroke)? == 0 {
                return Err(Failure::ClientLeft);
            }
        }
    };
    timeout(patience, whole).await.map_err(|_| Failure::HelloLate(patience))?
}
