//! Connections on both sides of the gateway, whatever is spoken on them.
//!
//! `handshake` makes a client's connection an encrypted one, with the certificate phase in the middle; `stream` is what all
//! connections have in common. `peers` says where an upstream is, `connect` goes there. `thread` is what a worker thread
//! keeps for all of it. Who accepts connections, and what is done with them, is for the crates above.

pub mod connect;
mod encrypted;
pub mod handshake;
mod ids;
mod log_phases;
mod metrics;
pub mod peers;
pub mod proxy_header;
mod rewound;
mod stream;
mod thread;
mod under_way;

pub use ids::Ids;
pub use log_phases::{LogPhases, Snapshot};
pub use metrics::{HandshakeEnd, METRICS, Metrics};
pub use rewound::Rewound;
pub use stream::{HungUp, Stream};
pub use thread::Thread;
