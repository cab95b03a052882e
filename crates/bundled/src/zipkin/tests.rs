//! Sending, clocks and limits.
