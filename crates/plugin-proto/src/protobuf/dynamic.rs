//! `google.protobuf.Value`, `Struct` and `ListValue`: values of any kind.
//!
//! Numbers are always doubles on the wire; those without a fraction become integers again. A member
//! that is null does not exist. Text must be UTF-8: what is not is replaced by U+FFFD on the way out.

use bytes::{Buf, BufMut};
use polygate_value::{Key, Value};
use prost::encoding::{
    self, DecodeContext, WireType, encode_key, encode_varint, encoded_len_varint, key_len, message,
    skip_field,
};
use prost::{DecodeError, Message};

/// `google.protobuf.Value`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dynamic(pub Value);

/// `google.protobuf.Struct`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Struct(pub Vec<(Key, Value)>);

/// `google.protobuf.ListValue`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListValue(pub Vec<Value>);

/// An entry of the map that a `Struct` is.
#[derive(Clone, PartialEq, Message)]
struct Member {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Dynamic>,
}

// Fields of `Value`.
const NULL: u32 = 1;
const NUMBER: u32 = 2;
const TEXT: u32 = 3;
const BOOL: u32 = 4;
const STRUCT: u32 = 5;
const LIST: u32 = 6;

/// The only field of the two others, and the two of a member.
const ITEMS: u32 = 1;
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// Appends the fields of a `google.protobuf.Value`.
pub fn write_value(out: &mut impl BufMut, value: &Value) {
    match value {
        Value::Nil => encoding::int32::encode(NULL, &0, out),
        Value::Int(n) => encoding::double::encode(NUMBER, &(*n as f64), out),
        Value::Float(n) => encoding::double::encode(NUMBER, n, out),
        Value::Bool(flag) => encoding::bool::encode(BOOL, flag, out),
        Value::Str(bytes) => write_bytes(out, TEXT, String::from_utf8_lossy(bytes).as_bytes()),
        Value::Map(members) => {
            write_head(out, STRUCT, struct_length(members));
            write_struct(out, members);
        }
        Value::List(items) => {
            write_head(out, LIST, list_length(items));
            write_list(out, items);
        }
    }
}

/// Appends the fields of a `google.protobuf.Struct`.
pub fn write_struct(out: &mut impl BufMut, members: &[(Key, Value)]) {
    for (key, value) in present(members) {
        let key = key.to_text();
        write_head(out, ITEMS, member_length(&key, value));
        write_bytes(out, KEY, key.as_bytes());
        write_head(out, VALUE, value_length(value));
        write_value(out, value);
    }
}

fn write_list(out: &mut impl BufMut, items: &[Value]) {
    for item in items {
        write_head(out, ITEMS, value_length(item));
        write_value(out, item);
    }
}

/// Appends a field of text or bytes.
pub fn write_bytes(out: &mut impl BufMut, field: u32, bytes: &[u8]) {
    write_head(out, field, bytes.len());
    out.put_slice(bytes);
}

fn write_head(out: &mut impl BufMut, field: u32, length: usize) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

fn value_length(value: &Value) -> usize {
    match value {
        Value::Nil => encoding::int32::encoded_len(NULL, &0),
        Value::Int(_) | Value::Float(_) => encoding::double::encoded_len(NUMBER, &0.0),
        Value::Bool(flag) => encoding::bool::encoded_len(BOOL, flag),
        Value::Str(bytes) => delimited(TEXT, String::from_utf8_lossy(bytes).len()),
        Value::Map(members) => delimited(STRUCT, struct_length(members)),
        Value::List(items) => delimited(LIST, list_length(items)),
    }
}

fn struct_length(members: &[(Key, Value)]) -> usize {
    let length = |(key, value): &(Key, Value)| delimited(ITEMS, member_length(&key.to_text(), value));
    present(members).map(length).sum()
}

fn member_length(key: &str, value: &Value) -> usize {
    delimited(KEY, key.len()) + delimited(VALUE, value_length(value))
}

fn list_length(items: &[Value]) -> usize {
    items.iter().map(|item| delimited(ITEMS, value_length(item))).sum()
}

fn present(members: &[(Key, Value)]) -> impl Iterator<Item = &(Key, Value)> {
    members.iter().filter(|(_, value)| !value.is_nil())
}

fn delimited(field: u32, length: usize) -> usize {
    key_len(field) + encoded_len_varint(length as u64) + length
}

impl Message for Dynamic {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        write_value(buf, &self.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.0 = match tag {
            NULL => {
                encoding::int32::merge(wire_type, &mut 0, buf, ctx)?;
                Value::Nil
            }
            NUMBER => {
                let mut number = 0.0;
                encoding::double::merge(wire_type, &mut number, buf, ctx)?;
                Value::number(number)
            }
            TEXT => {
                let mut text = String::new();
                encoding::string::merge(wire_type, &mut text, buf, ctx)?;
                text.into()
            }
            BOOL => {
                let mut flag = false;
                encoding::bool::merge(wire_type, &mut flag, buf, ctx)?;
                flag.into()
            }
            STRUCT => {
                let mut members = Struct::default();
                message::merge(wire_type, &mut members, buf, ctx)?;
                Value::table(members.0)
            }
            LIST => {
                let mut items = ListValue::default();
                message::merge(wire_type, &mut items, buf, ctx)?;
                Value::list(items.0)
            }
            _ => return skip_field(wire_type, tag, buf, ctx),
        };
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        value_length(&self.0)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Message for Struct {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        write_struct(buf, &self.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag != ITEMS {
            return skip_field(wire_type, tag, buf, ctx);
        }
        let mut member = Member::default();
        message::merge(wire_type, &mut member, buf, ctx)?;
        self.0.push((Key::Str(member.key.into()), member.value.unwrap_or_default().0));
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        struct_length(&self.0)
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Message for ListValue {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        write_list(buf, &self.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag != ITEMS {
            return skip_field(wire_type, tag, buf, ctx);
        }
        let mut item = Dynamic::default();
        message::merge(wire_type, &mut item, buf, ctx)?;
        self.0.push(item.0);
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        list_length(&self.0)
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}
