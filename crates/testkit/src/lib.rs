//! What the end-to-end tests are built from: a running gateway, an echo upstream, a raw HTTP/1.1 client, the places
//! of the published plugin servers, a scripted plugin server, a scripted DNS server, and a server of Redis.
//!
//! Everything here blocks and panics with a sentence: a test reads as the list of what it does, and a failure names
//! what was expected, what came and, for a gateway, the end of its error log.

pub mod client;
pub mod dns;
pub mod echo;
pub mod eventually;
pub mod fake_server;
pub mod gateway;
pub mod load;
pub mod peers;
pub mod redis;

pub use client::{Connection, HeaderLine, Request, Response};
pub use dns::DnsServer;
pub use echo::{EchoUpstream, Received, Reply};
pub use eventually::eventually;
pub use fake_server::FakeServer;
pub use gateway::{Gateway, GatewayBuilder};
pub use load::Load;
pub use redis::RedisServer;
