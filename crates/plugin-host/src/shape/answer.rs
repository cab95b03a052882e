//! From values to result messages.

use std::path::Path;

use bytes::Bytes;
use polygate_chain::{Key, Value};
use polygate_plugin_proto::protobuf::message::{
    AuthenticatedCredential, Bool, ByteString, Consumer, DictStats, EntityKey, Int, Kind, ListValue,
    MemoryStats, Number, RawBody, RawBodyResult, Route, Service, SharedDicts, Struct, Text,
    UriCapturesResult, Value as Wire, WorkerStats,
};
use prost::Message;

use crate::shape::Returned;

/// The frame that answers a call with `value`.
pub fn answer(shape: Returned, value: Value) -> Vec<u8> {
    // go-pdk dereferences the parts of this one without a look.
    if shape == Returned::MemoryStats {
        return memory_stats(&value).encode_to_vec();
    }
    if value.is_nil() {
        return Vec::new();
    }
    match shape {
        Returned::Empty | Returned::MemoryStats => Vec::new(),
        Returned::String => Text { v: text(&value) }.encode_to_vec(),
        Returned::Int => Int { v: int(&value) }.encode_to_vec(),
        Returned::Number => Number { v: number(&value) }.encode_to_vec(),
        Returned::Bool => Bool { v: truth(&value) }.encode_to_vec(),
        Returned::Value => wire(&value).encode_to_vec(),
        Returned::Struct => multi_map(&value).encode_to_vec(),
        Returned::ByteString => ByteString { v: bytes(&value) }.encode_to_vec(),
        Returned::RawBody => RawBodyResult { kind: Some(RawBody::Content(bytes(&value))) }.encode_to_vec(),
        Returned::UriCaptures => uri_captures(&value).encode_to_vec(),
        Returned::Credential => credential(&value).encode_to_vec(),
        Returned::Consumer => consumer(&value).encode_to_vec(),
        Returned::Route => route(&value).encode_to_vec(),
        Returned::Service => service(&value).encode_to_vec(),
    }
}

/// The one result that can tell a plugin of an error.
pub fn raw_body_error(text: String) -> Vec<u8> {
    RawBodyResult { kind: Some(RawBody::Error(text)) }.encode_to_vec()
}

/// A body that the server reads itself.
pub fn raw_body_path(path: &Path) -> Vec<u8> {
    let path = path.to_string_lossy().into_owned();
    RawBodyResult { kind: Some(RawBody::BodyFilepath(path)) }.encode_to_vec()
}

/// `true` is what `?flag` has for a value; Go knows it as the empty text.
fn text(value: &Value) -> String {
    match value {
        Value::Str(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Nil | Value::Bool(_) => String::new(),
        other => other.to_json().to_string(),
    }
}

fn bytes(value: &Value) -> Bytes {
    value.as_bytes().cloned().unwrap_or_default()
}

fn int(value: &Value) -> i32 {
    long(value).clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

fn long(value: &Value) -> i64 {
    match value {
        Value::Float(n) => *n as i64,
        other => other.as_int().unwrap_or_default(),
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Int(n) => *n as f64,
        Value::Float(n) => *n,
        _ => 0.0,
    }
}

/// As Lua sees it.
fn truth(value: &Value) -> bool {
    !matches!(value, Value::Nil | Value::Bool(false))
}

fn wire(value: &Value) -> Wire {
    Wire::from(match value {
        Value::Nil => Kind::Null(0),
        Value::Bool(b) => Kind::Bool(*b),
        Value::Int(n) => Kind::Number(*n as f64),
        Value::Float(n) => Kind::Number(*n),
        Value::Str(_) => Kind::Text(text(value)),
        Value::List(items) => Kind::List(ListValue { values: items.iter().map(wire).collect() }),
        Value::Map(members) => {
            let fields = members.iter().map(|(key, value)| (key.to_text(), wire(value))).collect();
            Kind::Struct(Struct { fields })
        }
    })
}

/// Headers and arguments. Go skips what is neither text nor a list of texts, so an argument without a
/// value goes as an empty list, which keeps its key.
fn multi_map(value: &Value) -> Struct {
    let item = |value: &Value| Wire::from(Kind::Text(text(value)));
    let values = |value: &Value| match value {
        Value::List(items) => Kind::List(ListValue { values: items.iter().map(item).collect() }),
        Value::Bool(_) | Value::Nil => Kind::List(ListValue::default()),
        other => Kind::Text(text(other)),
    };
    let fields = members(value).iter().map(|(key, value)| (key.to_text(), values(value).into())).collect();
    Struct { fields }
}

fn members(value: &Value) -> &[(Key, Value)] {
    match value {
        Value::Map(members) => members,
        _ => &[],
    }
}

/// The numbered groups from 1 on; 0 is the whole match and is not sent.
fn uri_captures(value: &Value) -> UriCapturesResult {
    let unnamed = match value.get("unnamed") {
        Value::List(items) => items.iter().skip(1).map(bytes).collect(),
        map => {
            let mut groups: Vec<_> = members(map)
                .iter()
                .filter_map(|(key, value)| match key {
                    Key::Int(index) if *index > 0 => Some((*index, bytes(value))),
                    _ => None,
                })
                .collect();
            groups.sort_by_key(|(index, _)| *index);
            groups.into_iter().map(|(_, group)| group).collect()
        }
    };
    let named = members(value.get("named"));
    UriCapturesResult {
        unnamed,
        named: named.iter().map(|(key, value)| (key.to_text(), bytes(value).to_vec())).collect(),
    }
}

fn credential(value: &Value) -> AuthenticatedCredential {
    AuthenticatedCredential { id: text(value.get("id")), consumer_id: text(value.get("consumer_id")) }
}

fn consumer(value: &Value) -> Consumer {
    Consumer {
        id: text(value.get("id")),
        created_at: long(value.get("created_at")),
        username: text(value.get("username")),
        custom_id: text(value.get("custom_id")),
        tags: texts(value.get("tags")),
    }
}

fn route(value: &Value) -> Route {
    Route {
        id: text(value.get("id")),
        created_at: long(value.get("created_at")),
        updated_at: long(value.get("updated_at")),
        name: text(value.get("name")),
        protocols: texts(value.get("protocols")),
        methods: texts(value.get("methods")),
        hosts: texts(value.get("hosts")),
        paths: texts(value.get("paths")),
        headers: vec![],
        https_redirect_status_code: int(value.get("https_redirect_status_code")),
        regex_priority: int(value.get("regex_priority")),
        strip_path: truth(value.get("strip_path")),
        preserve_host: truth(value.get("preserve_host")),
        snis: texts(value.get("snis")),
        sources: texts(value.get("sources")),
        destinations: texts(value.get("destinations")),
        tags: texts(value.get("tags")),
        service: entity_key(value.get("service")),
    }
}

fn service(value: &Value) -> Service {
    Service {
        id: text(value.get("id")),
        created_at: long(value.get("created_at")),
        updated_at: long(value.get("updated_at")),
        name: text(value.get("name")),
        retries: int(value.get("retries")),
        protocol: text(value.get("protocol")),
        host: text(value.get("host")),
        port: int(value.get("port")),
        path: text(value.get("path")),
        connect_timeout: int(value.get("connect_timeout")),
        write_timeout: int(value.get("write_timeout")),
        read_timeout: int(value.get("read_timeout")),
        tags: texts(value.get("tags")),
        client_certificate: entity_key(value.get("client_certificate")),
    }
}

fn entity_key(value: &Value) -> Option<EntityKey> {
    (!value.is_nil()).then(|| EntityKey { id: text(value.get("id")) })
}

/// The texts of a list. `sources` and `destinations` of a route are objects, which the message has no
/// place for.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::List(items) => items.iter().filter(|it| it.as_bytes().is_some()).map(text).collect(),
        _ => vec![],
    }
}

fn memory_stats(value: &Value) -> MemoryStats {
    let dictionaries = value.get("lua_shared_dicts");
    let dictionary = |name| {
        let stats: &Value = dictionaries.get(name);
        Some(DictStats {
            allocated_slabs: long(stats.get("allocated_slabs")),
            capacity: long(stats.get("capacity")),
        })
    };
    let worker = |stats: &Value| WorkerStats {
        http_allocated_gc: long(stats.get("http_allocated_gc")),
        pid: long(stats.get("pid")),
    };
    MemoryStats {
        lua_shared_dicts: Some(SharedDicts {
            kong: dictionary("kong"),
            kong_db_cache: dictionary("kong_db_cache"),
        }),
        workers_lua_vms: match value.get("workers_lua_vms") {
            Value::List(workers) => workers.iter().map(worker).collect(),
            _ => vec![],
        },
    }
}
