//! Writing MessagePack: the shortest form of each value.

use bytes::{BufMut, BytesMut};
use polygate_value::{Key, Value};
use rmp::Marker;

/// Appends a request up to its only parameter, which has to follow. Its first two bytes are `94 00`,
/// which Go servers insist on.
pub fn request(out: &mut BytesMut, id: u32, method: &str) {
    out.put_slice(&[0x94, 0x00]);
    unsigned(out, id.into());
    text(out, method.as_bytes());
    array(out, 1);
}

/// Appends a response: `Ok` is the result, `Err` any value but nil.
pub fn response(out: &mut BytesMut, id: u32, outcome: Result<&Value, &Value>) {
    out.put_slice(&[0x94, 0x01]);
    unsigned(out, id.into());
    value(out, outcome.err().unwrap_or(&Value::Nil));
    value(out, outcome.unwrap_or(&Value::Nil));
}

/// Appends a notification; `args` is not wrapped in an array.
pub fn notification(out: &mut BytesMut, label: &str, args: &Value) {
    out.put_slice(&[0x93, 0x02]);
    text(out, label.as_bytes());
    value(out, args);
}

/// Appends a value as it is. Strings that are not UTF-8 are binary, as no decoder but Go's takes them for text.
pub fn value(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Nil => nil(out),
        Value::Bool(flag) => bool(out, *flag),
        Value::Int(n) => int(out, *n),
        Value::Float(n) => float(out, *n),
        Value::Str(bytes) if str::from_utf8(bytes).is_ok() => text(out, bytes),
        Value::Str(bytes) => binary(out, bytes),
        Value::List(items) => {
            array(out, items.len());
            items.iter().for_each(|item| self::value(out, item));
        }
        Value::Map(members) => {
            map(out, members.len());
            for (key, value) in members {
                match key {
                    Key::Int(n) => int(out, *n),
                    Key::Str(bytes) => text(out, bytes),
                }
                self::value(out, value);
            }
        }
    }
}

pub fn nil(out: &mut BytesMut) {
    put(out, Marker::Null);
}

pub fn bool(out: &mut BytesMut, flag: bool) {
    put(out, if flag { Marker::True } else { Marker::False });
}

pub fn int(out: &mut BytesMut, n: i64) {
    match u64::try_from(n) {
        Ok(n) => unsigned(out, n),
        Err(_) => negative(out, n),
    }
}

/// An integer when it is one: Go puts no float into an integer.
pub fn float(out: &mut BytesMut, n: f64) {
    match Value::number(n) {
        Value::Int(n) => int(out, n),
        _ => {
            put(out, Marker::F64);
            out.put_f64(n);
        }
    }
}

pub fn text(out: &mut BytesMut, bytes: &[u8]) {
    text_head(out, bytes.len());
    out.put_slice(bytes);
}

pub fn binary(out: &mut BytesMut, bytes: &[u8]) {
    binary_head(out, bytes.len());
    out.put_slice(bytes);
}

/// Appends what is in front of the bytes of a text.
pub fn text_head(out: &mut BytesMut, length: usize) {
    match length {
        n @ 0..32 => put(out, Marker::FixStr(n as u8)),
        n => write_length(out, n, Some(Marker::Str8), Marker::Str16, Marker::Str32),
    }
}

/// Appends what is in front of the bytes of a binary.
pub fn binary_head(out: &mut BytesMut, length: usize) {
    write_length(out, length, Some(Marker::Bin8), Marker::Bin16, Marker::Bin32);
}

/// Appends what is in front of the keys and values of a map.
pub fn map(out: &mut BytesMut, members: usize) {
    match members {
        n @ 0..16 => put(out, Marker::FixMap(n as u8)),
        n => write_length(out, n, None, Marker::Map16, Marker::Map32),
    }
}

/// Appends what is in front of the items of an array.
pub fn array(out: &mut BytesMut, items: usize) {
    match items {
        n @ 0..16 => put(out, Marker::FixArray(n as u8)),
        n => write_length(out, n, None, Marker::Array16, Marker::Array32),
    }
}

fn put(out: &mut BytesMut, marker: Marker) {
    out.put_u8(marker.to_u8());
}

/// Numbers from 0 up take the unsigned forms, as Kong writes them.
fn unsigned(out: &mut BytesMut, n: u64) {
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

fn negative(out: &mut BytesMut, n: i64) {
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
