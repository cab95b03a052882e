//! Which peer a request goes to: algorithms, retries and health.
//!
//! A [`Balancer`] serves one upstream entity. It is told the addresses of its targets and what became of
//! requests and probes, and answers [`Balancer::pick`]. It resolves nothing and connects to nothing; the
//! clock and the seed of its randomness are passed in. All workers share it, so that what one learns of
//! a peer's health holds for all.

mod balancer;
#[cfg(test)]
mod fixture;
mod hash_key;
mod health;
mod peer;
mod probe;
mod schedule;
mod selector;
mod table;

pub use balancer::{Balancer, NoPeer, Pick, UnresolvedTarget};
pub use hash_key::{HashKey, HashSource, hash_key};
pub use health::{Outcome, Verdict};
pub use probe::{Due, Probe};
pub use table::{AddressHealth, TargetAddress, TargetHealth, TargetState};
