//! Clients that speak HTTP/2.

pub mod client;
mod downgrades;
mod floods;
pub mod frames;
mod streams;
