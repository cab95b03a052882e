//! The plugin development kit: every function a plugin can call, one file per namespace.
//!
//! The functions are typed and take the [`Session`](crate::Session) or the [`Exchange`](crate::Exchange) first; plugins
//! of this process call them. `protocol/pdk.toml` describes them, and from it come [`Function`] and the shell that takes
//! a list of values, which [`dispatch`] opens to plugins of other processes.

mod args;
mod context;
mod dispatch;
mod effect;
mod error;
mod function;
mod reply;
mod shell;

pub mod client;
pub mod client_tls;
pub mod cluster;
pub mod ctx_shared;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
pub mod grpc;
pub mod headers;
pub mod ip;
pub mod log;
pub mod nginx;
pub mod node;
pub mod payload;
pub mod plugin;
pub mod query;
pub mod request;
pub mod response;
pub mod router;
pub mod service;
pub mod service_request;
pub mod service_response;
pub mod telemetry;
#[cfg(test)]
mod tests;
pub mod vault;

pub use args::Content;
pub use context::Context;
pub use dispatch::{call, dispatch};
pub use effect::Effect;
pub use error::PdkError;
pub use function::Function;
pub use reply::Reply;
