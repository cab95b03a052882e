//! The plugins that come with the gateway, one folder each: a schema, a handler, tests.
//!
//! They are written against `polygate-chain` alone and call the typed functions of its PDK. What a plugin must look like
//! to its users is that of the same name in the reference: fields, texts, headers, order.

mod acl;
mod auth;
mod basic_auth;
mod bot_detection;
mod cookies;
mod correlation_id;
mod cors;
mod counters;
mod custom_fields;
mod datadog;
mod duration;
mod encoding;
mod export;
mod file_log;
mod functions;
mod grpc_web;
mod hmac_auth;
mod http_client;
mod http_log;
mod ip_restriction;
mod jwt;
mod key_auth;
mod ldap_auth;
mod line_client;
mod logging;
mod loggly;
pub mod lua;
mod metrics;
mod oauth2;
pub mod opentelemetry;
mod plugin;
mod post_function;
mod pre_function;
pub mod prometheus;
mod proxy_cache;
mod queue;
mod rate_limiting;
mod record;
mod redirect;
mod redis;
mod reply;
mod request_size_limiting;
mod request_termination;
mod request_transformer;
mod response_ratelimiting;
mod response_transformer;
mod session;
mod severity;
mod shards;
mod shared;
mod statsd;
mod syslog;
mod tcp_log;
#[cfg(test)]
mod tests;
mod timestamp;
mod trace_context;
mod transform;
mod udp_log;
mod zipkin;

/// Decoders of what clients and servers send, for the fuzzers.
pub mod decoders {
    pub use crate::grpc_web::{Frames, from_text, to_text, write};
    pub use crate::ldap_auth::response;
}

pub use plugin::Bundled;
pub use shared::Shared;

/// All of them, by name.
pub static PLUGINS: &[Bundled] = &[
    acl::PLUGIN,
    basic_auth::PLUGIN,
    bot_detection::PLUGIN,
    correlation_id::PLUGIN,
    cors::PLUGIN,
    datadog::PLUGIN,
    file_log::PLUGIN,
    grpc_web::PLUGIN,
    hmac_auth::PLUGIN,
    http_log::PLUGIN,
    ip_restriction::PLUGIN,
    jwt::PLUGIN,
    key_auth::PLUGIN,
    ldap_auth::PLUGIN,
    loggly::PLUGIN,
    oauth2::PLUGIN,
    opentelemetry::PLUGIN,
    post_function::PLUGIN,
    pre_function::PLUGIN,
    prometheus::PLUGIN,
    proxy_cache::PLUGIN,
    rate_limiting::PLUGIN,
    redirect::PLUGIN,
    request_size_limiting::PLUGIN,
    request_termination::PLUGIN,
    request_transformer::PLUGIN,
    response_ratelimiting::PLUGIN,
    response_transformer::PLUGIN,
    session::PLUGIN,
    statsd::PLUGIN,
    syslog::PLUGIN,
    tcp_log::PLUGIN,
    udp_log::PLUGIN,
    zipkin::PLUGIN,
];
