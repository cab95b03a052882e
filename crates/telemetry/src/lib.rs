//! The error log, access logs, traces and metrics.
//!
//! Lines look as operators know them from nginx, `2026/11/23 09:00:00 [notice] 12#0: text`, so that
//! existing log pipelines keep working. A line of the error log that was logged is in the file; logs that have a
//! line with every request go through a [`LogWriter`], which a crash may cost the last moment.

#[cfg(feature = "count-allocations")]
pub mod allocations;
pub mod clock;
pub mod file;
pub mod log;
pub mod metrics;
pub mod trace;
pub mod writer;

pub use file::LogFile;
pub use log::Level;
pub use writer::{LogBuffer, LogWriter};
