//! What the fuzzers run: one function per kind of input that polygate does not trust.
//!
//! Each function takes any bytes and panics when a property does not hold: what was decoded can be
//! encoded and decoded again, pieces give what the whole gives, limits hold, and nothing that a plugin
//! does leaves a request in a state that cannot be sent. `fuzz_targets/` makes a fuzzer of each
//! function; `tests/` replays the corpus, and some mutations of it, in every test run.

mod chunked;
mod client_certificate;
mod client_hello;
mod dump;
mod grpc_web;
mod kong_conf;
mod kong_yml;
mod ldap_response;
mod msgpack;
mod mutations;
mod protobuf;
mod proxy_header;
mod request_head;
mod response_head;
mod target;

use std::process::ExitCode;

pub use chunked::chunked;
pub use client_certificate::client_certificate;
pub use client_hello::client_hello;
pub use dump::dump;
pub use grpc_web::grpc_web;
pub use kong_conf::kong_conf;
pub use kong_yml::kong_yml;
pub use ldap_response::ldap_response;
pub use msgpack::msgpack;
pub use mutations::mutations;
pub use protobuf::protobuf;
pub use proxy_header::proxy_header;
pub use request_head::request_head;
pub use response_head::response_head;
pub use target::target;

/// Panics when a property does not hold for the input.
pub type Target = fn(&[u8]);

/// All targets, by the names of their binaries and corpora.
pub const TARGETS: [(&str, Target); 15] = [
    ("msgpack", msgpack),
    ("protobuf", protobuf),
    ("dump", dump),
    ("kong_conf", kong_conf),
    ("kong_yml", kong_yml),
    ("mutations", mutations),
    ("request_head", request_head),
    ("response_head", response_head),
    ("chunked", chunked),
    ("target", target),
    ("proxy_header", proxy_header),
    ("client_certificate", client_certificate),
    ("client_hello", client_hello),
    ("grpc_web", grpc_web),
    ("ldap_response", ldap_response),
];

/// The body of a fuzzer's file. Built by cargo-fuzz it is a fuzzer; built as usual it runs the target
/// once for each file that it is given, which takes no nightly toolchain.
#[macro_export]
macro_rules! binary {
    ($target:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $target(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::replay($target)
        }
    };
}

/// Runs `target` for each file on the command line.
pub fn replay(target: Target) -> ExitCode {
    for path in std::env::args_os().skip(1) {
        match std::fs::read(&path) {
            Ok(input) => target(&input),
            Err(error) => {
                eprintln!("cannot read {}: {error}", path.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
