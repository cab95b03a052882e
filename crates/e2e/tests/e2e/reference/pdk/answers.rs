//! Answers of calls, made comparable: what changes from run to run gets a name.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

/// What answers times, ids, ports of clients and memory.
const VOLATILE: [&str; 16] = [
    "kong.client.get_forwarded_port",
    "kong.client.get_port",
    "kong.cluster.get_id",
    "kong.nginx.get_statistics",
    "kong.nginx.req_start_time",
    "kong.node.get_hostname",
    "kong.node.get_id",
    "kong.node.get_memory_stats",
    "kong.request.get_start_time",
    "Client.GetForwardedPort",
    "Client.GetPort",
    "Nginx.ReqStartTime",
    "Node.GetHostname",
    "Node.GetId",
    "Node.GetMemoryStats",
    "Request.GetStartTime",
];

/// The same among nginx's variables.
const VOLATILE_VARIABLES: [&str; 26] = [
    "bytes_sent",
    "connection",
    "connection_requests",
    "connection_time",
    "ctx_ref",
    "document_root",
    "hostname",
    "msec",
    "nginx_version",
    "pid",
    "pipe",
    "realip_remote_port",
    "realpath_root",
    "remote_port",
    "request_filename",
    "request_id",
    "request_length",
    "request_time",
    "tcpinfo_rtt",
    "time_iso8601",
    "time_local",
    "upstream_bytes_received",
    "upstream_bytes_sent",
    "upstream_connect_time",
    "upstream_header_time",
    "upstream_response_time",
];

/// Members of any map that hold a time.
const TIMES: [&str; 11] = [
    "balancer_latency",
    "balancer_latency_ns",
    "balancer_start",
    "balancer_start_ns",
    "created_at",
    "kong",
    "proxy",
    "receive",
    "request_latency",
    "started_at",
    "updated_at",
];

/// An answer as the recordings have it; `named` gives names to the ports, folders and ids of this run.
pub fn comparable(call: &Value, answer: &Map<String, Value>, named: &dyn Fn(&str) -> String) -> Value {
    let members = answer.iter().filter(|(name, _)| ["result", "error", "raised"].contains(&name.as_str()));
    if is_volatile(call) {
        return members.map(|(name, value)| (name.clone(), shape(value))).collect::<Map<_, _>>().into();
    }
    let mut answer: Map<_, _> = members.map(|(name, value)| (name.clone(), texts(value, named))).collect();
    let Some(result) = answer.remove("result") else { return empties(answer.into()) };
    if let Some(serialized) = serialized(&result) {
        let serialized = texts(&serialized, named);
        return json!({ "serialize": empties(without_connection(scrub("", serialized), "response")) });
    }
    let mut result = scrub("", result);
    if is_response_headers(call) {
        result = match result {
            Value::Array(results) => results.into_iter().map(|map| without(map, "connection")).collect(),
            map => without(map, "connection"),
        };
    }
    answer.insert("result".to_owned(), result);
    empties(answer.into())
}

fn is_volatile(call: &Value) -> bool {
    let name = call[0].as_str().unwrap_or_default();
    let argument = call[1].as_str().unwrap_or_default();
    let is = |suffixes: [&str; 2]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    VOLATILE.contains(&name)
        || is(["get_var", "GetVar"]) && VOLATILE_VARIABLES.contains(&argument)
        || is(["get_ctx", "GetCtxAny"]) && (argument.starts_with("KONG_") || argument == "ctx_ref")
}

fn is_response_headers(call: &Value) -> bool {
    let name = call[0].as_str().unwrap_or_default();
    name.ends_with("response.get_headers") || name.ends_with("Response.GetHeaders")
}

/// What a value is, without saying which.
fn shape(value: &Value) -> Value {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^-?\d+(\.\d+)?$").expect("a pattern"));
    match value {
        Value::Number(_) => "<num>".into(),
        Value::String(text) => if NUMBER.is_match(text) { "<num>" } else { "<str>" }.into(),
        Value::Object(members) if members.contains_key("$float") => "<float>".into(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), shape(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        other => other.clone(),
    }
}

fn texts(value: &Value, named: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => named(text).into(),
        Value::Number(number) => {
            named(&number.to_string()).parse().map_or_else(|_| value.clone(), Value::Number)
        }
        Value::Array(items) => items.iter().map(|item| texts(item, named)).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| (named(name), texts(value, named));
            members.iter().map(member).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// What `kong.log.serialize` wrote: a text, in Go in a list of results.
fn serialized(result: &Value) -> Option<Value> {
    let text = match result {
        Value::Array(results) if results.len() == 1 => results[0].as_str(),
        result => result.as_str(),
    }?;
    let is_log = text.starts_with("{\"") && (text.contains("latencies") || text.contains("client_ip"));
    is_log.then(|| serde_json::from_str(text).ok()).flatten()
}

/// Gives names to times, sizes and ports. `name` is the member that the value is.
fn scrub(name: &str, value: Value) -> Value {
    let latencies = name == "latencies";
    match value {
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| {
                let value = match name.as_str() {
                    _ if latencies => if value == json!(-1) { "-1" } else { "<ms>" }.into(),
                    "size" => "<n>".into(),
                    "remote_port" => "<port>".into(),
                    time if TIMES.contains(&time) && (value.is_number() || value.is_object()) => "<t>".into(),
                    _ => scrub(&name, value),
                };
                (name, value)
            };
            members.into_iter().map(member).collect::<Map<_, _>>().into()
        }
        _ if name.to_ascii_lowercase().ends_with("-latency") => "<ms>".into(),
        Value::Array(items) => items.into_iter().map(|item| scrub(name, item)).collect(),
        other => other,
    }
}

fn without_connection(mut log: Value, side: &str) -> Value {
    if let Some(headers) = log.get_mut(side).and_then(|side| side.get_mut("headers")) {
        *headers = without(headers.take(), "connection");
    }
    log
}

fn without(map: Value, name: &str) -> Value {
    match map {
        Value::Object(mut members) => {
            members.retain(|known, _| !known.eq_ignore_ascii_case(name));
            members.into()
        }
        other => other,
    }
}

/// An empty table of the reference has no kind: empty maps are written as empty lists.
fn empties(value: Value) -> Value {
    match value {
        Value::Object(members) if members.is_empty() => json!([]),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, empties(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(empties).collect(),
        other => other,
    }
}
