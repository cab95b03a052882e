//! From values to result messages.

use std::borrow::Cow;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use polygate_chain::pdk::Reply;
use polygate_chain::{Key, Value};
use polygate_plugin_proto::protobuf::message::{
    AuthenticatedCredential, Bool, Consumer, DictStats, EntityKey, Int, MemoryStats, Number, RawBody,
    RawBodyResult, Route, Service, SharedDicts, UriCapturesResult, WorkerStats,
};
use polygate_plugin_proto::protobuf::{
    write_bytes, write_bytes_head, write_frame, write_frame_of, write_message, write_struct, write_value,
};

use crate::wire::protobuf::shape::Returned;

/// The only field of `String` and of `ByteString`.
const CONTENT: u32 = 1;

/// Appends the frame that answers a call. Nil is a message of no bytes. proto3 text must be UTF-8, so bytes
/// that are not are replaced by U+FFFD.
pub fn write(out: &mut BytesMut, shape: Returned, reply: Reply<'_>) {
    let value = match (shape, reply) {
        (Returned::String, Reply::Bytes(text)) => return write_text(out, &String::from_utf8_lossy(text)),
        (Returned::ByteString, Reply::Bytes(bytes)) => return write_content(out, bytes),
        // Its content has to follow.
        (_, Reply::File(file)) => return write_bytes_head(out, RawBody::CONTENT, file.len() as u32),
        (_, Reply::Bytes(bytes)) => Cow::Owned(Value::str(bytes)),
        (_, Reply::Value(value)) => value,
    };
    match shape {
        // go-pdk dereferences the parts of this one without a look.
        Returned::MemoryStats => write_message(out, &memory_stats(&value)),
        _ if value.is_nil() => write_frame(out, &[]),
        Returned::Empty => write_frame(out, &[]),
        Returned::String => write_text(out, &text(&value)),
        Returned::Int => write_message(out, &Int { v: int(&value) }),
        Returned::Number => write_message(out, &Number { v: number(&value) }),
        Returned::Bool => write_message(out, &Bool { v: value.truth() }),
        Returned::Value => write_frame_of(out, |out| write_value(out, &value)),
        Returned::Struct => write_frame_of(out, |out| write_struct(out, &multi_map(value.into_owned()))),
        Returned::ByteString => write_content(out, &bytes(&value)),
        // An empty body is not the same as none.
        Returned::RawBody => write_frame_of(out, |out| write_bytes(out, RawBody::CONTENT, &bytes(&value))),
        Returned::UriCaptures => write_message(out, &uri_captures(&value)),
        Returned::Credential => write_message(out, &credential(&value)),
        Returned::Consumer => write_message(out, &consumer(&value)),
        Returned::Route => write_message(out, &route(&value)),
        Returned::Service => write_message(out, &service(&value)),
    }
}

/// Appends the one result that can tell a plugin of an error.
pub(super) fn write_body_error(out: &mut BytesMut, text: String) {
    write_message(out, &RawBodyResult { kind: Some(RawBody::Error(text)) });
}

/// Appends a body that the server reads itself.
pub(super) fn write_body_path(out: &mut BytesMut, path: &Path) {
    let path = path.to_string_lossy().into_owned();
    write_message(out, &RawBodyResult { kind: Some(RawBody::BodyFilepath(path)) });
}

fn write_text(out: &mut BytesMut, text: &str) {
    write_content(out, text.as_bytes());
}

/// Fields of no bytes are not sent in proto3.
fn write_content(out: &mut BytesMut, bytes: &[u8]) {
    match bytes {
        [] => write_frame(out, &[]),
        bytes => write_frame_of(out, |out| write_bytes(out, CONTENT, bytes)),
    }
}

/// `true` is what `?flag` has for a value; Go knows it as the empty text.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Str(bytes) => String::from_utf8_lossy(bytes),
        Value::Nil | Value::Bool(_) => Cow::Borrowed(""),
        other => Cow::Owned(other.to_json().to_string()),
    }
}

fn owned(value: &Value) -> String {
    text(value).into_owned()
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

/// Headers and arguments. Go skips what is neither text nor a list of texts, so an argument without a
/// value goes as an empty list, which keeps its key.
fn multi_map(value: Value) -> Vec<(Key, Value)> {
    let item = |value: Value| if value.as_bytes().is_some() { value } else { owned(&value).into() };
    let values = |value: Value| match value {
        Value::List(items) => Value::List(items.into_iter().map(item).collect()),
        Value::Bool(_) => Value::List(vec![]),
        Value::Nil => Value::Nil,
        other => item(other),
    };
    match value {
        Value::Map(members) => members.into_iter().map(|(key, value)| (key, values(value))).collect(),
        _ => vec![],
    }
}

fn members(value: &Value) -> &[(Key, Value)] {
    match value {
        Value::Map(members) => members,
        _ => &[],
    }
}

/// The numbered groups from 1 to the last that took part, those between that did not as empty ones; 0 is the whole
/// match and is not sent.
fn uri_captures(value: &Value) -> UriCapturesResult {
    let groups = members(value.get("unnamed"));
    let number = |key: &Key| if let Key::Int(number) = key { *number } else { 0 };
    let last = groups.iter().map(|(key, _)| number(key)).max().unwrap_or_default();
    let group = |wanted| groups.iter().find(|(key, _)| number(key) == wanted);
    let unnamed = (1..=last).map(|wanted| group(wanted).map_or_else(Bytes::new, |(_, text)| bytes(text)));
    let unnamed = unnamed.collect();
    let named = members(value.get("named"));
    UriCapturesResult {
        unnamed,
        named: named.iter().map(|(key, value)| (key.to_text(), bytes(value).to_vec())).collect(),
    }
}

fn credential(value: &Value) -> AuthenticatedCredential {
    AuthenticatedCredential { id: owned(value.get("id")), consumer_id: owned(value.get("consumer_id")) }
}

fn consumer(value: &Value) -> Consumer {
    Consumer {
        id: owned(value.get("id")),
        created_at: long(value.get("created_at")),
        username: owned(value.get("username")),
        custom_id: owned(value.get("custom_id")),
        tags: texts(value.get("tags")),
    }
}

fn route(value: &Value) -> Route {
    Route {
        id: owned(value.get("id")),
        created_at: long(value.get("created_at")),
        updated_at: long(value.get("updated_at")),
        name: owned(value.get("name")),
        protocols: texts(value.get("protocols")),
        methods: texts(value.get("methods")),
        hosts: texts(value.get("hosts")),
        paths: texts(value.get("paths")),
        headers: vec![],
        https_redirect_status_code: int(value.get("https_redirect_status_code")),
        regex_priority: int(value.get("regex_priority")),
        strip_path: value.get("strip_path").truth(),
        preserve_host: value.get("preserve_host").truth(),
        snis: texts(value.get("snis")),
        sources: texts(value.get("sources")),
        destinations: texts(value.get("destinations")),
        tags: texts(value.get("tags")),
        service: entity_key(value.get("service")),
    }
}

fn service(value: &Value) -> Service {
    Service {
        id: owned(value.get("id")),
        created_at: long(value.get("created_at")),
        updated_at: long(value.get("updated_at")),
        name: owned(value.get("name")),
        retries: int(value.get("retries")),
        protocol: owned(value.get("protocol")),
        host: owned(value.get("host")),
        port: int(value.get("port")),
        path: owned(value.get("path")),
        connect_timeout: int(value.get("connect_timeout")),
        write_timeout: int(value.get("write_timeout")),
        read_timeout: int(value.get("read_timeout")),
        tags: texts(value.get("tags")),
        client_certificate: entity_key(value.get("client_certificate")),
    }
}

fn entity_key(value: &Value) -> Option<EntityKey> {
    (!value.is_nil()).then(|| EntityKey { id: owned(value.get("id")) })
}

/// The texts of a list. `sources` and `destinations` of a route are objects, which the message has no
/// place for.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::List(items) => items.iter().filter(|it| it.as_bytes().is_some()).map(owned).collect(),
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
