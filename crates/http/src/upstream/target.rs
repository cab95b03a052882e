//! What is connected to.

use std::net::SocketAddr;
use std::sync::Arc;

use polygate_transport::connect::Tls;

/// What makes two connections exchangeable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub address: SocketAddr,
    /// HTTP/2 is spoken, from the first byte on.
    pub http2: bool,
    /// Boxed, as most have none.
    pub tls: Option<Box<Tls>>,
}

/// How peers are spoken to.
#[derive(Clone)]
pub struct Protocol {
    pub http2: bool,
    /// Within TLS, and as whom.
    pub tls: Option<Arc<polygate_tls::Client>>,
}
