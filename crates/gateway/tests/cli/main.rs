//! The program as a script sees it: texts, streams, exit codes, files.

mod daemon;
mod lifecycle;
mod scratch;
mod texts;
