//! A request's state, the phases, the PDK and the traits plugins are written against.
//!
//! Everything a plugin can see or change is a method of [`Exchange`], written once: built-in
//! plugins call the methods, plugin servers reach them by name through [`pdk::dispatch`]. The crate
//! opens no sockets; the edge crates (`http`, `plugin-host`) do that and meet here.

pub mod answer;
pub mod body;
pub mod client_certificate;
pub mod credentials;
pub mod environment;
pub mod error_page;
pub mod exchange;
mod facts;
pub mod forwarded;
mod kept;
pub mod pdk;
pub mod phase;
pub mod plan;
pub mod plugin;
pub mod serialize;
pub mod services;
pub mod session;
pub mod timings;

pub use answer::{Answer, Source};
pub use body::{BodyError, BodySource, HeldBody, RequestBody, SpoolSettings, SpooledFile};
pub use environment::{Environment, Limits, Node, Statistics, TrustedIps};
pub use exchange::{Exchange, Head};
pub use kept::Kept;
pub use phase::{Phase, Phases};
pub use plan::{Collected, Plan};
pub use plugin::{BodyFilter, Failure, Handler, LocalFuture, Plugin};
pub use polygate_value::{Key, Value};
pub use session::{Connection, Session, Tls};
