//! Reaching the service: choosing a peer, connecting, sending, trying again.

mod answer;
mod attempt;
mod connect;
mod connection;
mod exchanged;
mod hash;
mod head;
mod http2;
mod pool;
mod target;
mod tries;
mod upload;

pub use answer::AnswerBody;
pub use connection::Connection;
pub use exchanged::Exchanged;
pub use http2::Http2Connection;
pub use pool::Pool;
pub use tries::{Reply, pick, send};
