//! PDK values to and from MessagePack, with each SDK's peculiarities.

use bytes::Bytes;
use polygate_chain::pdk::Function;
use polygate_chain::{Key, SpooledFile, Value};
use polygate_plugin_proto::msgpack::Value as Wire;

use crate::generation::Flavor;
use crate::settings::BodyMode;

/// An argument of a PDK call. Strings may come as text or as binary, numbers in any form.
pub(crate) fn from_msgpack(wire: Wire) -> Value {
    match wire {
        Wire::Nil => Value::Nil,
        Wire::Bool(b) => Value::Bool(b),
        Wire::Int(n) => Value::Int(n),
        Wire::UInt(n) => Value::Float(n as f64),
        Wire::Float(n) => Value::number(n),
        Wire::Str(bytes) | Wire::Bin(bytes) => Value::Str(bytes),
        // A JavaScript Date and the like: no PDK function takes one.
        Wire::Ext(_, bytes) => Value::Str(bytes),
        Wire::Array(items) => Value::list(items.into_iter().map(from_msgpack)),
        Wire::Map(members) => {
            Value::table(members.into_iter().map(|(name, value)| (key(name), from_msgpack(value))))
        }
    }
}

fn key(wire: Wire) -> Key {
    match (wire.as_int(), wire) {
        (Some(n), _) => Key::Int(n),
        (None, Wire::Str(bytes) | Wire::Bin(bytes)) => Key::Str(bytes),
        (None, other) => Key::from(other.preview().as_str()),
    }
}

/// The `Data` of an answer; `None` means that it is left out.
pub(crate) fn to_msgpack(
    function: Function,
    step_method: &str,
    value: Value,
    flavor: Flavor,
    body: BodyMode,
) -> Option<Wire> {
    if value.is_nil() {
        return None;
    }
    Some(match (step_method, value) {
        ("plugin.StepMultiMap", value) => multi_map(value, flavor),
        ("plugin.StepRoute", value) if flavor == Flavor::Go => pack(without_headers(value), flavor),
        // Go knows strings only: an argument without a value is empty.
        (_, Value::Bool(true)) if flavor == Flavor::Go && function == Function::RequestGetQueryArg => {
            Wire::str("")
        }
        (_, Value::Str(bytes)) if is_raw_body(function) => raw_body(bytes, flavor, body),
        (_, value) => pack(value, flavor),
    })
}

fn pack(value: Value, flavor: Flavor) -> Wire {
    match value {
        Value::Nil => Wire::Nil,
        Value::Bool(b) => Wire::Bool(b),
        Value::Int(n) => Wire::Int(n),
        Value::Float(n) => match Value::number(n) {
            Value::Int(n) => Wire::Int(n),
            _ => Wire::Float(n),
        },
        Value::Str(bytes) => text(bytes, flavor),
        Value::List(items) => Wire::Array(items.into_iter().map(|item| pack(item, flavor)).collect()),
        Value::Map(members) => {
            let pack = |(name, value)| (pack_key(name, flavor), pack(value, flavor));
            Wire::Map(members.into_iter().map(pack).collect())
        }
    }
}

fn pack_key(key: Key, flavor: Flavor) -> Wire {
    match key {
        Key::Int(n) => Wire::Int(n),
        Key::Str(bytes) => text(bytes, flavor),
    }
}

/// Bytes that are not UTF-8 make Python drop the connection, and JavaScript garble them, unless they
/// are binary. Go takes them either way.
fn text(bytes: Bytes, flavor: Flavor) -> Wire {
    if flavor == Flavor::Go || std::str::from_utf8(&bytes).is_ok() {
        Wire::Str(bytes)
    } else {
        Wire::Bin(bytes)
    }
}

fn raw_body(bytes: Bytes, flavor: Flavor, mode: BodyMode) -> Wire {
    let as_text = match mode {
        BodyMode::Bytes => false,
        BodyMode::Text => true,
        BodyMode::Auto => flavor == Flavor::JavaScript,
    };
    if as_text { text(bytes, flavor) } else { Wire::Bin(bytes) }
}

/// Whether all of a file is UTF-8; a character may lie across two pieces.
pub(crate) fn is_text(file: &SpooledFile) -> bool {
    let mut piece = vec![0; 64 * 1024];
    let (mut offset, mut kept) = (0, 0);
    loop {
        let Ok(count) = file.read_at(&mut piece[kept..], offset) else { return false };
        let filled = kept + count;
        let valid = match str::from_utf8(&piece[..filled]) {
            Ok(_) => filled,
            Err(error) if error.error_len().is_none() && count > 0 => error.valid_up_to(),
            Err(_) => return false,
        };
        if count == 0 {
            return true;
        }
        piece.copy_within(valid..filled, 0);
        (offset, kept) = (offset + count as u64, filled - valid);
    }
}

fn is_raw_body(function: Function) -> bool {
    matches!(
        function.name(),
        "kong.request.get_raw_body" | "kong.service.response.get_raw_body" | "kong.response.get_raw_body"
    )
}

/// Every value becomes a list of texts: Go closes the connection on anything else. An empty map stays
/// a map, since Go waits for ever on an empty array.
fn multi_map(value: Value, flavor: Flavor) -> Wire {
    let item = |value: Value| match value {
        Value::Bool(_) if flavor == Flavor::Go => Wire::Str(Bytes::new()),
        value => pack(value, flavor),
    };
    let values = |value: Value| match value {
        Value::List(items) => items.into_iter().map(item).collect(),
        // An argument without a value.
        Value::Bool(_) | Value::Nil => vec![],
        single => vec![pack(single, flavor)],
    };
    let Value::Map(members) = value else { return Wire::Map(vec![]) };
    Wire::Map(
        members
            .into_iter()
            .map(|(name, value)| (pack_key(name, flavor), Wire::Array(values(value))))
            .collect(),
    )
}

/// Go expects a list where the entity has a map, and closes the connection.
fn without_headers(value: Value) -> Value {
    match value {
        Value::Map(mut members) => {
            members.retain(|(name, _)| *name != Key::from("headers"));
            Value::Map(members)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
