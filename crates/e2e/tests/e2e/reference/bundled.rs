//! What the reference's bundled plugins answered to about 700 raw requests, and what they sent to servers of logs and metrics;
//! and what it said of about 150 configurations of them.
//!
//! tests/reference/bundled has a file for each plugin: groups with a declarative configuration, and in each of them cases that
//! are independent of each other. A case is a list of steps: a request with what is expected of its answer and of the
//! upstream, a pause, or messages that a sink is to get. `{{NAME}}` stands for a port, a folder, a value captured before, or,
//! in what is expected, for what differs from run to run ([`normal`]). tests/reference/bundled-config has files for
//! `config parse`.
//!
//! `known` and `open` mark cases that differ, as in the other files ([`super`]).

mod ask;
mod compare;
mod hmac;
mod normal;
mod otlp;
mod parse;
mod recorded;
mod run;
mod server;
mod sinks;

use std::collections::BTreeSet;
use std::fs;

macro_rules! plugins {
    ($($test:ident: $name:literal;)+) => {
        $(#[test]
        fn $test() {
            run::file($name);
        })+

        const REPLAYED: &[&str] = &[$($name),+];
    };
}

plugins! {
    acl: "acl";
    basic_auth: "basic-auth";
    bot_detection: "bot-detection";
    correlation_id: "correlation-id";
    cors: "cors";
    datadog: "datadog";
    file_log: "file-log";
    hmac_auth: "hmac-auth";
    http_log: "http-log";
    several_plugins: "interplay";
    ip_restriction: "ip-restriction";
    jwt: "jwt";
    key_auth: "key-auth";
    loggly: "loggly";
    oauth2: "oauth2";
    opentelemetry: "opentelemetry";
    post_function: "post-function";
    pre_function: "pre-function";
    prometheus: "prometheus";
    proxy_cache: "proxy-cache";
    rate_limiting: "rate-limiting";
    redirect: "redirect";
    request_size_limiting: "request-size-limiting";
    request_termination: "request-termination";
    request_transformer: "request-transformer";
    response_ratelimiting: "response-ratelimiting";
    response_transformer: "response-transformer";
    session: "session";
    statsd: "statsd";
    tcp_log: "tcp-log";
    udp_log: "udp-log";
    zipkin: "zipkin";
}

#[test]
fn configurations() {
    parse::all();
}

#[test]
fn every_file_of_a_plugin_is_replayed() {
    let folder = fs::read_dir(recorded::folder("bundled")).expect("the recorded cases");
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let recorded: BTreeSet<String> = names.collect();
    let replayed: BTreeSet<String> = REPLAYED.iter().map(|name| format!("{name}.json")).collect();
    assert_eq!(recorded, replayed);
}
