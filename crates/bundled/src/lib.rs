//! The plugins that come with the gateway, one folder each: a schema, a handler, tests.
//!
//! They are written against `polygate-chain` alone and call the typed functions of its PDK. What a plugin must look like
//! to its users is that of the same name in the reference: fields, texts, headers, order.

mod auth;
mod key_auth;
mod plugin;
mod shared;

pub use plugin::Bundled;
pub use shared::Shared;

/// All of them, by name.
pub static PLUGINS: &[Bundled] = &[key_auth::PLUGIN];
