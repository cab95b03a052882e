//! Clients that speak HTTP/2.

mod downgrades;
mod floods;
mod frames;
mod streams;
