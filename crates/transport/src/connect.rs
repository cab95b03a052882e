//! TLS with a peer.

use std::net::SocketAddr;
use std::sync::Arc;

use polygate_tls::{cause, server_name};
use tokio_rustls::TlsConnector;

use crate::encrypted::Encrypted;
use crate::stream::Stream;

/// Whom the peer has to be, and who it is spoken to by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tls {
    /// The name that it is asked for, or an address.
    pub name: String,
    pub client: Arc<polygate_tls::Client>,
}

/// Shakes hands with the peer at `address`. The error says what was wrong with it.
pub async fn encrypt(
    stream: Box<dyn Stream>,
    tls: &Tls,
    address: SocketAddr,
) -> Result<Box<dyn Stream>, String> {
    let name = server_name(&tls.name, address.ip());
    match TlsConnector::from(tls.client.config.clone()).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(Encrypted::new(stream))),
        Err(error) => Err(cause(&error).unwrap_or_else(|| format!("the TLS handshake broke off: {error}"))),
    }
}
