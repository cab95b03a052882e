//! The error log, access logs and metric names.
