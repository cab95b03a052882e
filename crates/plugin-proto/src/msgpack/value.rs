//! A MessagePack value, and its decoder.

use bytes::{Buf, Bytes};
use rmp::Marker;
use serde_json::{Map, Number, Value as Json};

/// What MessagePack can say. `Str` holds any bytes: Go servers write byte slices with the string
/// family, so nothing may insist on UTF-8.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    #[default]
    Nil,
    Bool(bool),
    Int(i64),
    /// Only numbers above `i64::MAX`.
    UInt(u64),
    Float(f64),
    Str(Bytes),
    Bin(Bytes),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// Type and payload; -1 is a timestamp.
    Ext(i8, Bytes),
}

impl Value {
    pub fn str(text: &str) -> Self {
        Self::Str(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// A map with text keys.
    pub fn map<const N: usize>(members: [(&'static str, Value); N]) -> Self {
        let key = |name: &'static str| Self::Str(Bytes::from_static(name.as_bytes()));
        Self::Map(members.into_iter().map(|(name, value)| (key(name), value)).collect())
    }

    /// The bytes of a string or a binary.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Str(bytes) | Self::Bin(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The integer, also when it came as a float without a fraction.
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Self::Int(n) => Some(n),
            Self::Float(n) if n.fract() == 0.0 && n.abs() < 9.2e18 => Some(n as i64),
            _ => None,
        }
    }

    /// The member of a map, `None` when it is absent or nil.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let Self::Map(members) = self else { return None };
        let (_, value) = members.iter().find(|(key, _)| key.as_bytes().is_some_and(|key| key == name))?;
        (*value != Self::Nil).then_some(value)
    }

    /// Moves the member out of a map, `None` when it is absent or nil.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let Self::Map(members) = self else { return None };
        let (_, value) = members.iter_mut().find(|(key, _)| key.as_bytes().is_some_and(|key| key == name))?;
        (*value != Self::Nil).then(|| std::mem::take(value))
    }

    /// JSON; bytes that are not UTF-8 are replaced by U+FFFD, numbers that JSON lacks become null.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Nil => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Int(n) => Json::from(*n),
            Self::UInt(n) => Json::from(*n),
            Self::Float(n) => Number::from_f64(*n).map_or(Json::Null, Json::Number),
            Self::Str(bytes) | Self::Bin(bytes) | Self::Ext(_, bytes) => {
                Json::String(String::from_utf8_lossy(bytes).into_owned())
            }
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(members) => {
                Json::Object(members.iter().map(|(k, v)| (k.to_key(), v.to_json())).collect::<Map<_, _>>())
            }
        }
    }

    /// The name of a member. A list or map stands for itself only: written out, each level would
    /// escape the one inside it again, and a hundred bytes from the wire would take all memory.
    fn to_key(&self) -> String {
        match self {
            Self::Array(_) => "[...]".to_owned(),
            Self::Map(_) => "{...}".to_owned(),
            scalar => match scalar.to_json() {
                Json::String(text) => text,
                other => other.to_string(),
            },
        }
    }

    /// The value as text, cut short: for error messages.
    pub fn preview(&self) -> String {
        let text = match self {
            Self::Str(bytes) | Self::Bin(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => other.to_json().to_string(),
        };
        match text.char_indices().nth(200) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

/// The value at the start of `input`, which must hold it completely: the scanner saw to that.
pub(super) fn take(input: &mut Bytes) -> Value {
    match Marker::from_u8(input.get_u8()) {
        Marker::Null | Marker::Reserved => Value::Nil,
        Marker::True => Value::Bool(true),
        Marker::False => Value::Bool(false),
        Marker::FixPos(n) => Value::Int(n.into()),
        Marker::FixNeg(n) => Value::Int(n.into()),
        Marker::U8 => Value::Int(input.get_u8().into()),
        Marker::U16 => Value::Int(input.get_u16().into()),
        Marker::U32 => Value::Int(input.get_u32().into()),
        Marker::U64 => unsigned(input.get_u64()),
        Marker::I8 => Value::Int(input.get_i8().into()),
        Marker::I16 => Value::Int(input.get_i16().into()),
        Marker::I32 => Value::Int(input.get_i32().into()),
        Marker::I64 => Value::Int(input.get_i64()),
        Marker::F32 => Value::Float(input.get_f32().into()),
        Marker::F64 => Value::Float(input.get_f64()),
        Marker::FixStr(n) => Value::Str(input.split_to(n.into())),
        Marker::Str8 => sized(input, 1, Value::Str),
        Marker::Str16 => sized(input, 2, Value::Str),
        Marker::Str32 => sized(input, 4, Value::Str),
        Marker::Bin8 => sized(input, 1, Value::Bin),
        Marker::Bin16 => sized(input, 2, Value::Bin),
        Marker::Bin32 => sized(input, 4, Value::Bin),
        Marker::FixArray(n) => array(input, n.into()),
        Marker::Array16 => length(input, 2, array),
        Marker::Array32 => length(input, 4, array),
        Marker::FixMap(n) => map(input, n.into()),
        Marker::Map16 => length(input, 2, map),
        Marker::Map32 => length(input, 4, map),
        Marker::FixExt1 => ext(input, 1),
        Marker::FixExt2 => ext(input, 2),
        Marker::FixExt4 => ext(input, 4),
        Marker::FixExt8 => ext(input, 8),
        Marker::FixExt16 => ext(input, 16),
        Marker::Ext8 => length(input, 1, ext),
        Marker::Ext16 => length(input, 2, ext),
        Marker::Ext32 => length(input, 4, ext),
    }
}

fn unsigned(n: u64) -> Value {
    i64::try_from(n).map_or(Value::UInt(n), Value::Int)
}

fn length(input: &mut Bytes, width: usize, make: fn(&mut Bytes, usize) -> Value) -> Value {
    let length = input.get_uint(width) as usize;
    make(input, length)
}

fn sized(input: &mut Bytes, width: usize, make: fn(Bytes) -> Value) -> Value {
    let length = input.get_uint(width) as usize;
    make(input.split_to(length))
}

fn array(input: &mut Bytes, count: usize) -> Value {
    Value::Array((0..count).map(|_| take(input)).collect())
}

fn map(input: &mut Bytes, count: usize) -> Value {
    Value::Map((0..count).map(|_| (take(input), take(input))).collect())
}

fn ext(input: &mut Bytes, length: usize) -> Value {
    let kind = input.get_i8();
    Value::Ext(kind, input.split_to(length))
}
