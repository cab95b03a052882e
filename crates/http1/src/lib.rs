//! HTTP/1.1 on bytes: heads, framing, trailers, in both roles.
//!
//! Bytes in, messages out, and the other way round; no sockets, no clock, no waiting. [`RequestParser`] and
//! [`ResponseParser`] take a head line by line as it arrives, [`Decoder`] finds the content of a body, [`write`] puts
//! messages on the wire. What makes a message invalid is one table, [`RULES`]. What a gateway does with a message is
//! not here.

mod body;
mod framing;
mod head;
mod headers;
mod host;
mod request;
mod response;
mod rules;
pub mod scan;
pub mod write;

pub use body::{Decoder, Progress};
pub use framing::Framing;
pub use head::Limits;
pub use headers::{Headers, is_name, is_value, items};
pub use host::is_authority;
pub use request::{Refused, RequestHead, RequestParser};
pub use response::{ResponseHead, ResponseParser};
pub use rules::{Fault, RULES, Rule};
