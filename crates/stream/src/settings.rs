//! What kong.conf says about streams.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// For the client's hello and the rest of its handshake.
    pub preread_timeout: Duration,
    /// Whether upstreams are told of the client in a header of the PROXY protocol, version 1.
    pub proxy_protocol: bool,
}

impl Default for StreamSettings {
    /// Those of nginx.
    fn default() -> Self {
        Self { preread_timeout: Duration::from_secs(30), proxy_protocol: false }
    }
}

/// What a listener expects of its connections.
#[derive(Debug, Clone, Copy)]
pub struct ListenerFlags {
    pub proxy_protocol: bool,
    /// Clients speak TLS, which the route has end here or not.
    pub tls: bool,
}
