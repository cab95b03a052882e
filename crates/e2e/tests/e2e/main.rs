//! The gateway as its users see it: the `polygate` program, the published plugin servers, plugins in every language.
//!
//! `make peers` installs what they need. Most tests share one gateway with all servers (`fleet`); a test that needs a
//! configuration of its own starts its own gateway. Names start with the case they check: JS, PY and GO are the
//! published SDKs' examples, K is Kong's own suite, S is what the documentation says.

mod bad;
mod bodies;
mod bundled;
mod child;
mod credentials;
mod declarative;
mod dns;
mod faults;
mod fleet;
mod go;
mod grpc;
mod headers;
mod health;
mod hostile;
mod http2;
mod http_faults;
mod javascript;
mod killed;
mod kong;
mod listeners;
mod lua;
mod metrics;
mod pdk;
mod pid1;
mod program;
mod python;
mod reference;
mod reload;
mod robustness;
mod scripts;
mod seed;
mod servers;
mod status;
mod streams;
mod tls;
mod tracing;
mod validation;
mod vaults;
mod websocket;
