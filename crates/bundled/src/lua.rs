//! Lua within the gateway: chunks of configurations, run by LuaJIT with the PDK under `kong` and a part of `ngx`.
//!
//! Each worker has a state of its own, made when it first runs a chunk; a request stays on its worker. A chunk runs in a
//! coroutine: where it has to wait (for the request's body) or has decided the request it yields, and the gateway goes
//! on from there. So neither needs a thread, and no `pcall` of a chunk catches an answer.
//!
//! What a chunk reaches is what its [`Sandbox`] says. What it takes is limited: [`MEMORY`] for a state, [`LONGEST`] without
//! a wait.

mod arg;
mod bindings;
mod compile;
mod error;
mod hook;
mod json;
mod library;
mod limits;
mod now;
mod said;
mod sandbox;
mod script;
mod source;
mod state;
mod tables;
mod turn;
mod value;
mod watch;

#[cfg(test)]
mod tests;

pub use arg::Arg;
pub use compile::check;
pub use hook::Hook;
pub use limits::{LONGEST, MEMORY};
pub use sandbox::{Sandbox, Trust};
pub use script::Script;
