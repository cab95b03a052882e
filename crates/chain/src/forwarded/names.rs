//! The headers that tell of the way, and what the gateway calls itself in them.

pub const FOR: &str = "X-Forwarded-For";
pub const PROTO: &str = "X-Forwarded-Proto";
pub const HOST: &str = "X-Forwarded-Host";
pub const PORT: &str = "X-Forwarded-Port";
pub const PATH: &str = "X-Forwarded-Path";
pub const PREFIX: &str = "X-Forwarded-Prefix";
pub const REAL_IP: &str = "X-Real-IP";
pub const VIA: &str = "Via";

/// By which name the gateway tells others of itself.
pub const SERVER_TOKEN: &str = "kong/3.10.0";

/// [`VIA`] of a message that came over HTTP/1.1.
pub const OWN_VIA: &str = "1.1 kong/3.10.0";

/// What a request without any host is for.
pub const SERVER_NAME: &str = "kong";
