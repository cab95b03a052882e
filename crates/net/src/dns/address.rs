//! What a name is resolved to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// One address of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub addr: SocketAddr,
    /// The weight of an SRV record, at least 1; other records have none.
    pub weight: Option<u16>,
    /// The host that an SRV record names.
    pub srv_target: Option<Arc<str>>,
    /// When to resolve again, from now; none for what never changes.
    pub ttl: Option<Duration>,
}

/// Why a name has no address. The texts are those of the reference, since they reach logs and clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// There is no such name.
    #[error("dns server error: 3 name error")]
    NameError,
    /// The name has no records of the types asked for.
    #[error("dns client error: 101 empty record received")]
    Empty,
    #[error("{0}")]
    Other(String),
}
