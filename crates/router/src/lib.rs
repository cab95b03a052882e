//! Which route a request takes, and the upstream path that follows.
//!
//! [`Router`] holds the HTTP routes of one configuration and answers [`Router::select`] from an index,
//! so that the cost of a match hardly depends on the number of routes. [`StreamRouter`] does the same
//! for connections. Ranking is that of the `traditional_compatible` flavour: a 64-bit number per
//! route (see [`priority`]), then the larger id. [`upstream_path`] is what follows for the request.
//! Everything here is pure: no I/O, no clock, no shared state.

mod error;
#[cfg(test)]
mod fixture;
mod index;
mod literal;
mod path;
pub mod priority;
mod query;
mod router;
mod rule;
mod served;
mod stream;

pub use error::RouterError;
pub use path::upstream_path;
pub use query::{Headers, Query, split_host_port};
pub use router::{Captures, Match, Router};
pub use served::ServedRoute;
pub use stream::{StreamKind, StreamMatch, StreamQuery, StreamRouter};
