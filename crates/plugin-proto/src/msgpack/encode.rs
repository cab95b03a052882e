//! Writing MessagePack: the shortest form of each value.

use bytes::{BufMut, BytesMut};
use rmp::Marker;

use crate::msgpack::Value;

/// Appends a request. Its first two bytes are `94 00`, which Go servers insist on.
pub fn write_request(out: &mut BytesMut, id: u32, method: &str, params: &[Value]) {
    out.put_slice(&[0x94, 0x00]);
    write_uint(out, id.into());
    write_str(out, method.as_bytes());
    write_array_head(out, params.len());
    params.iter().for_each(|value| value.write(out));
}

/// Appends a request whose only parameter is a map, up to the content of the map's last member, a text or binary
/// of `length` bytes. The content has to follow.
pub fn write_request_head(
    out: &mut BytesMut,
    id: u32,
    method: &str,
    members: &[(&str, Value)],
    (last, is_text, length): (&str, bool, u32),
) {
    out.put_slice(&[0x94, 0x00]);
    write_uint(out, id.into());
    write_str(out, method.as_bytes());
    write_array_head(out, 1);
    write_map_head(out, members.len() + 1);
    for (name, value) in members {
        write_str(out, name.as_bytes());
        value.write(out);
    }
    write_str(out, last.as_bytes());
    if is_text { write_str_head(out, length as usize) } else { write_bin_head(out, length as usize) }
}

/// Appends a response: `Ok` is the result, `Err` any value but nil.
pub fn write_response(out: &mut BytesMut, id: u32, outcome: Result<&Value, &Value>) {
    out.put_slice(&[0x94, 0x01]);
    write_uint(out, id.into());
    outcome.err().unwrap_or(&Value::Nil).write(out);
    outcome.unwrap_or(&Value::Nil).write(out);
}

/// Appends a notification; `args` is not wrapped in an array.
pub fn write_notification(out: &mut BytesMut, label: &str, args: &Value) {
    out.put_slice(&[0x93, 0x02]);
    write_str(out, label.as_bytes());
    args.write(out);
}

impl Value {
    /// Appends the value.
    pub fn write(&self, out: &mut BytesMut) {
        match self {
            Value::Nil => put(out, Marker::Null),
            Value::Bool(true) => put(out, Marker::True),
            Value::Bool(false) => put(out, Marker::False),
            Value::Int(n) => match u64::try_from(*n) {
                Ok(n) => write_uint(out, n),
                Err(_) => write_negative(out, *n),
            },
            Value::UInt(n) => write_uint(out, *n),
            Value::Float(n) => {
                put(out, Marker::F64);
                out.put_f64(*n);
            }
            Value::Str(bytes) => write_str(out, bytes),
            Value::Bin(bytes) => {
                write_bin_head(out, bytes.len());
                out.put_slice(bytes);
            }
            Value::Array(items) => {
                write_array_head(out, items.len());
                items.iter().for_each(|value| value.write(out));
            }
            Value::Map(members) => {
                write_map_head(out, members.len());
                for (key, value) in members {
                    key.write(out);
                    value.write(out);
                }
            }
            Value::Ext(kind, bytes) => {
                write_length(out, bytes.len(), Some(Marker::Ext8), Marker::Ext16, Marker::Ext32);
                out.put_i8(*kind);
                out.put_slice(bytes);
            }
        }
    }
}

fn put(out: &mut BytesMut, marker: Marker) {
    out.put_u8(marker.to_u8());
}

/// Numbers from 0 up take the unsigned forms, as Kong writes them.
fn write_uint(out: &mut BytesMut, n: u64) {
    match n {
        0..0x80 => put(out, Marker::FixPos(n as u8)),
        0x80..0x100 => {
            put(out, Marker::U8);
            out.put_u8(n as u8);
        }
        0x100..0x1_0000 => {
            put(out, Marker::U16);
            out.put_u16(n as u16);
        }
        0x1_0000..0x1_0000_0000 => {
            put(out, Marker::U32);
            out.put_u32(n as u32);
        }
        _ => {
            put(out, Marker::U64);
            out.put_u64(n);
        }
    }
}

fn write_negative(out: &mut BytesMut, n: i64) {
    if n >= -32 {
        put(out, Marker::FixNeg(n as i8));
    } else if let Ok(n) = i8::try_from(n) {
        put(out, Marker::I8);
        out.put_i8(n);
    } else if let Ok(n) = i16::try_from(n) {
        put(out, Marker::I16);
        out.put_i16(n);
    } else if let Ok(n) = i32::try_from(n) {
        put(out, Marker::I32);
        out.put_i32(n);
    } else {
        put(out, Marker::I64);
        out.put_i64(n);
    }
}

fn write_str(out: &mut BytesMut, bytes: &[u8]) {
    write_str_head(out, bytes.len());
    out.put_slice(bytes);
}

fn write_str_head(out: &mut BytesMut, length: usize) {
    match length {
        n @ 0..32 => put(out, Marker::FixStr(n as u8)),
        n => write_length(out, n, Some(Marker::Str8), Marker::Str16, Marker::Str32),
    }
}

fn write_bin_head(out: &mut BytesMut, length: usize) {
    write_length(out, length, Some(Marker::Bin8), Marker::Bin16, Marker::Bin32);
}

fn write_map_head(out: &mut BytesMut, length: usize) {
    match length {
        n @ 0..16 => put(out, Marker::FixMap(n as u8)),
        n => write_length(out, n, None, Marker::Map16, Marker::Map32),
    }
}

fn write_array_head(out: &mut BytesMut, length: usize) {
    match length {
        n @ 0..16 => put(out, Marker::FixArray(n as u8)),
        n => write_length(out, n, None, Marker::Array16, Marker::Array32),
    }
}

/// Marker and length in the narrowest of up to three widths.
fn write_length(out: &mut BytesMut, length: usize, short: Option<Marker>, medium: Marker, long: Marker) {
    match (short, u8::try_from(length), u16::try_from(length)) {
        (Some(short), Ok(length), _) => {
            put(out, short);
            out.put_u8(length);
        }
        (_, _, Ok(length)) => {
            put(out, medium);
            out.put_u16(length);
        }
        _ => {
            put(out, long);
            let length = u32::try_from(length).expect("nothing of 4 GiB gets past the body limits");
            out.put_u32(length);
        }
    }
}
