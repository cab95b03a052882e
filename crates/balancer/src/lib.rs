//! Which peer a request goes to: algorithms, retries and passive health.
