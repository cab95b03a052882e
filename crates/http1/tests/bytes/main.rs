//! Bytes, and what must come out of them.
//!
//! `requests/`, `responses/` and `bodies/` are tables of text, a file per subject: see [`rows`] for how to read them.
//! [`every_byte`] has a row for each value of a byte in each place where it matters, [`properties`] what holds for
//! whatever comes.

mod every_byte;
mod outcome;
mod parser;
mod properties;
mod random;
mod rows;
mod tables;
