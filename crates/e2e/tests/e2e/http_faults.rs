//! Faults of the HTTP path by kind, through the real program with raw sockets on both sides.
//!
//! Each kind was found from outside, with tables of raw requests and answers and with public bug reports of gateways.
//!
//! | kind | what is right | tests |
//! |---|---|---|
//! | H1, H10 | escapes are decoded once and malformed ones refused; all bytes but controls pass | `targets` |
//! | H2, H7 | a body arrives whole or not at all, and does not wait in memory | `uploads` |
//! | H3 | only what an upstream did counts against it | `health` |
//! | H4, H22 | a connection is kept when both messages have ended, and no longer than it may be idle | `pool` |
//! | H5, H6, H19 | each clock measures the time between two steps of its own side | `clocks` |
//! | H8 | tries are for what did not reach an upstream or may be done twice | `retries`, `pool` |
//! | H9, H23, H24 | clients that leave, listen on, or say nothing | `clients` |
//! | H11 | limits count bytes, exactly | `limits` |
//! | H12 | one valid Host; the target's authority wins | `hosts` |
//! | H13, H14, H15, H20 | message framing in both directions, interim answers, names of header lines | `framing` |
//! | H21, H25 | traces of refused heads, the small print of HTTP | `heads`, `targets` |

mod clients;
mod clocks;
mod framing;
mod heads;
mod health;
mod hosts;
mod limits;
mod pool;
mod retries;
mod site;
mod targets;
mod uploads;
mod upstream;
