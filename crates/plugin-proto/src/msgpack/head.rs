//! The first bytes of a MessagePack value: what it is, and how much follows.

use rmp::Marker;

use crate::msgpack::error::DecodeError;

/// What a marker announces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub kind: Kind,
    /// Bytes of the marker and of what belongs to it: a number, a length, the type of an extension.
    pub bytes: usize,
    /// Bytes of a text, a binary or an extension behind that.
    pub payload: u64,
    /// Values that follow inside: two for each member of a map.
    pub children: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str,
    Bin,
    Ext,
    Array,
    Map,
}

/// The head at the start of `input`; `None` when it is not all there.
pub(super) fn head(input: &[u8]) -> Result<Option<Head>, DecodeError> {
    let Some((&marker, rest)) = input.split_first() else { return Ok(None) };
    let scalar = |kind| Some(Head { kind, bytes: 1, payload: 0, children: 0 });
    let number = |width, kind: fn(u64) -> Kind| {
        big_endian(rest, width).map(|n| Head { kind: kind(n), bytes: 1 + width, payload: 0, children: 0 })
    };
    let fixed =
        |kind, extra: usize, payload: u64| Some(Head { kind, bytes: 1 + extra, payload, children: 0 });
    // A length of `width` bytes, and `extra` bytes behind it.
    let sized = |kind, width, extra| {
        big_endian(rest, width).map(|n| Head { kind, bytes: 1 + width + extra, payload: n, children: 0 })
    };
    let nested = |kind, width, each| {
        big_endian(rest, width).map(|n| Head { kind, bytes: 1 + width, payload: 0, children: each * n })
    };
    let short = |kind, children| Some(Head { kind, bytes: 1, payload: 0, children });
    Ok(match Marker::from_u8(marker) {
        Marker::Null => scalar(Kind::Nil),
        Marker::True => scalar(Kind::Bool(true)),
        Marker::False => scalar(Kind::Bool(false)),
        Marker::FixPos(n) => scalar(Kind::Int(n.into())),
        Marker::FixNeg(n) => scalar(Kind::Int(n.into())),
        Marker::U8 => number(1, unsigned),
        Marker::U16 => number(2, unsigned),
        Marker::U32 => number(4, unsigned),
        Marker::U64 => number(8, unsigned),
        Marker::I8 => number(1, |n| Kind::Int((n as i8).into())),
        Marker::I16 => number(2, |n| Kind::Int((n as i16).into())),
        Marker::I32 => number(4, |n| Kind::Int((n as i32).into())),
        Marker::I64 => number(8, |n| Kind::Int(n as i64)),
        Marker::F32 => number(4, |n| Kind::Float(f32::from_bits(n as u32).into())),
        Marker::F64 => number(8, |n| Kind::Float(f64::from_bits(n))),
        Marker::FixStr(n) => fixed(Kind::Str, 0, n.into()),
        Marker::Str8 => sized(Kind::Str, 1, 0),
        Marker::Str16 => sized(Kind::Str, 2, 0),
        Marker::Str32 => sized(Kind::Str, 4, 0),
        Marker::Bin8 => sized(Kind::Bin, 1, 0),
        Marker::Bin16 => sized(Kind::Bin, 2, 0),
        Marker::Bin32 => sized(Kind::Bin, 4, 0),
        Marker::FixExt1 => fixed(Kind::Ext, 1, 1),
        Marker::FixExt2 => fixed(Kind::Ext, 1, 2),
        Marker::FixExt4 => fixed(Kind::Ext, 1, 4),
        Marker::FixExt8 => fixed(Kind::Ext, 1, 8),
        Marker::FixExt16 => fixed(Kind::Ext, 1, 16),
        Marker::Ext8 => sized(Kind::Ext, 1, 1),
        Marker::Ext16 => sized(Kind::Ext, 2, 1),
        Marker::Ext32 => sized(Kind::Ext, 4, 1),
        Marker::FixArray(n) => short(Kind::Array, n.into()),
        Marker::Array16 => nested(Kind::Array, 2, 1),
        Marker::Array32 => nested(Kind::Array, 4, 1),
        Marker::FixMap(n) => short(Kind::Map, 2 * u64::from(n)),
        Marker::Map16 => nested(Kind::Map, 2, 2),
        Marker::Map32 => nested(Kind::Map, 4, 2),
        Marker::Reserved => return Err(DecodeError::Reserved),
    })
}

/// Numbers that `i64` does not hold lose digits.
fn unsigned(n: u64) -> Kind {
    i64::try_from(n).map_or(Kind::Float(n as f64), Kind::Int)
}

fn big_endian(input: &[u8], width: usize) -> Option<u64> {
    Some(input.get(..width)?.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
}
