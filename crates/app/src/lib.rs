//! Wires configuration, plugin servers and listeners together; owns workers, reload and shutdown.
