//! The program as a script sees it: texts, streams, exit codes, files.

mod daemon;
mod lifecycle;
mod plugins;
mod scratch;
mod texts;
