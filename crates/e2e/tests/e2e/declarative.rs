//! Declarative files in few words: one service in front of the upstream, a route for each test. Written as JSON, which
//! is YAML too.

use serde_json::{Value, json};

/// A file with one service and the given routes.
pub fn file(upstream: &str, routes: &[Value]) -> String {
    let service = json!({ "name": "echo", "url": upstream, "routes": routes });
    json!({ "_format_version": "3.0", "services": [service] }).to_string()
}

/// A file with one service, a route for every path, and global plugins.
pub fn global(upstream: &str, plugins: &[Value]) -> String {
    let routes = [json!({ "name": "all", "paths": ["/"] })];
    let service = json!({ "name": "echo", "url": upstream, "routes": routes });
    json!({ "_format_version": "3.0", "services": [service], "plugins": plugins }).to_string()
}

/// A route for `/<name>`, which is taken off the path, with its plugins.
pub fn route(name: &str, plugins: &[Value]) -> Value {
    json!({ "name": name, "paths": [format!("/{name}")], "plugins": plugins })
}

pub fn plugin(name: &str, config: Value) -> Value {
    json!({ "name": name, "config": config })
}
