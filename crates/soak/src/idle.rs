//! Idle connections: there are more of them than of anything else, so that each must cost next to nothing.

mod cost;
mod http2;
mod plain;
mod tls;

pub use http2::run as http2;
pub use plain::run as plain;
pub use tls::run as tls;
