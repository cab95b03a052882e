//! The plugins that come with the gateway, one folder each: a schema, a handler, tests.
//!
//! They are written against `polygate-chain` alone and call the typed functions of its PDK. What a plugin must look like
//! to its users is that of the same name in the reference: fields, texts, headers, order.

mod acl;
mod auth;
mod basic_auth;
mod bot_detection;
mod correlation_id;
mod cors;
mod counters;
mod encoding;
mod functions;
mod hmac_auth;
mod ip_restriction;
mod jwt;
mod key_auth;
pub mod lua;
mod plugin;
mod post_function;
mod pre_function;
mod rate_limiting;
mod redirect;
mod redis;
mod reply;
mod request_size_limiting;
mod request_termination;
mod response_ratelimiting;
mod shared;
#[cfg(test)]
mod tests;

pub use plugin::Bundled;
pub use shared::Shared;

/// All of them, by name.
pub static PLUGINS: &[Bundled] = &[
    acl::PLUGIN,
    basic_auth::PLUGIN,
    bot_detection::PLUGIN,
    correlation_id::PLUGIN,
    cors::PLUGIN,
    hmac_auth::PLUGIN,
    ip_restriction::PLUGIN,
    jwt::PLUGIN,
    key_auth::PLUGIN,
    post_function::PLUGIN,
    pre_function::PLUGIN,
    rate_limiting::PLUGIN,
    redirect::PLUGIN,
    request_size_limiting::PLUGIN,
    request_termination::PLUGIN,
    response_ratelimiting::PLUGIN,
];
