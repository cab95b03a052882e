//! Reaching the service: choosing a peer, connecting, sending, trying again.

mod connect;
mod connection;
mod exchanged;
mod hash;
mod head;
mod peers;
mod pool;
mod target;
mod tries;
mod upload;

pub use connection::AnswerBody;
pub use exchanged::Exchanged;
pub use pool::Pool;
pub use tries::{Reply, pick, send};
