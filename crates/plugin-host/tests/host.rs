//! The plugin host against scripted servers: every order of messages that a server can come up with,
//! and what becomes of the request.

#[path = "host/harness.rs"]
mod harness;
#[path = "host/lifecycle.rs"]
mod lifecycle;
#[path = "host/msgpack.rs"]
mod msgpack;
#[path = "host/processes.rs"]
mod processes;
#[path = "host/protobuf.rs"]
mod protobuf;
#[path = "host/replicas.rs"]
mod replicas;
