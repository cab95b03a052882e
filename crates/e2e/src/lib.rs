//! End-to-end tests with real plugins on the published SDKs; everything is in `tests/`.
