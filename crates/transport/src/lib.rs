//! Connections on both sides of the gateway, whatever is spoken on them.
//!
//! `accept` takes clients' connections in; `handshake` makes one an encrypted one, with the certificate phase in the middle;
//! `stream` is what all connections have in common. `peers` says where an upstream is, `connect` goes there, `copy` carries
//! bytes both ways. `thread` is what a worker thread keeps for all of it. What is done with connections is for the crates
//! above.

pub mod accept;
pub mod connect;
pub mod copy;
mod current;
mod encrypted;
pub mod handshake;
mod ids;
mod log_phases;
mod metrics;
pub mod peers;
mod rewound;
mod scratch;
mod stream;
mod thread;
mod under_way;

pub use current::Current;
pub use ids::Ids;
pub use log_phases::{LogPhases, Snapshot};
pub use metrics::{HandshakeEnd, METRICS, Metrics};
pub use rewound::Rewound;
pub use scratch::Scratch;
pub use stream::{HungUp, Stream};
pub use thread::Thread;
