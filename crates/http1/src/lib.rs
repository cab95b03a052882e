//! HTTP/1.1 on bytes: heads, framing, trailers.
pub mod headers;
pub use headers::{Headers, is_name, is_value, items};
