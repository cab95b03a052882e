//! Bytes, and what must come out of them.
//!
//! `requests/`, `responses/` and `bodies/` are tables of text, a file per subject: see [`rows`] for how to read them.

mod outcome;
mod rows;
mod tables;
