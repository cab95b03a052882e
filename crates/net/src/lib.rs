//! Listeners and name resolution.
