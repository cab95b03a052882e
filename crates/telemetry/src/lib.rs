//! The error log, access logs, traces and metrics.
//!
//! Lines look as operators know them from nginx, `2026/11/23 09:00:00 [notice] 12#0: text`, so that
//! existing log pipelines keep working. Writing is line-buffered by the kernel only: a line that was
//! logged is in the file.

#[cfg(feature = "count-allocations")]
pub mod allocations;
pub mod clock;
pub mod file;
pub mod log;
pub mod metrics;
pub mod trace;

pub use file::LogFile;
pub use log::Level;
