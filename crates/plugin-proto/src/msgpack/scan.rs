//! Finds the end of a MessagePack value without building it, and can stop and go on anywhere.

use rmp::Marker;

use crate::msgpack::{DecodeError, Limits};

/// Where the scan of one value stands.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Bytes already accounted for; may point behind the end of the buffer.
    at: usize,
    /// How many values are still missing at each level of nesting.
    missing: Vec<u64>,
    values: usize,
    started: bool,
}

/// What a marker announces.
struct Head {
    /// Bytes of marker, length and payload.
    bytes: u64,
    /// Values that follow inside.
    children: u64,
}

impl Scanner {
    /// The length of the value at the start of `buffer` once it is all there. `buffer` must be the
    /// same bytes each time, with more at the end.
    pub(super) fn scan(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, DecodeError> {
        if !self.started {
            self.started = true;
            self.missing.push(1);
        }
        while let Some(level) = self.missing.last_mut() {
            if *level == 0 {
                self.missing.pop();
                continue;
            }
            let Some(head) = head(buffer.get(self.at..).unwrap_or_default())? else { return Ok(None) };
            *level -= 1;
            self.values += 1;
            self.check(&head, limits)?;
            self.at += head.bytes as usize;
            if head.children > 0 {
                self.missing.push(head.children);
            }
        }
        Ok((buffer.len() >= self.at).then_some(self.at))
    }

    /// Refuses as soon as a length is announced, not when its bytes have arrived.
    fn check(&self, head: &Head, limits: &Limits) -> Result<(), DecodeError> {
        if self.at as u64 + head.bytes + head.children > limits.bytes as u64 {
            return Err(DecodeError::TooLarge { limit: limits.bytes });
        }
        if self.values as u64 + head.children > limits.values as u64 {
            return Err(DecodeError::TooMany { limit: limits.values });
        }
        if self.missing.len() > limits.depth {
            return Err(DecodeError::TooDeep { limit: limits.depth });
        }
        Ok(())
    }
}

/// Reads marker and length; `None` when they are not all there.
fn head(input: &[u8]) -> Result<Option<Head>, DecodeError> {
    let Some((&marker, rest)) = input.split_first() else { return Ok(None) };
    let flat = |payload: u64| Ok(Some(Head { bytes: 1 + payload, children: 0 }));
    let nest = |children: u64| Ok(Some(Head { bytes: 1, children }));
    // A length field of `width` bytes, then `extra` bytes (the type of an extension) and the payload.
    let long = |width: usize, extra: u64| {
        Ok(big_endian(rest, width).map(|n| Head { bytes: 1 + width as u64 + extra + n, children: 0 }))
    };
    let long_nest = |width: usize, per_item: u64| {
        Ok(big_endian(rest, width).map(|n| Head { bytes: 1 + width as u64, children: n * per_item }))
    };
    match Marker::from_u8(marker) {
        Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => flat(0),
        Marker::U8 | Marker::I8 => flat(1),
        Marker::U16 | Marker::I16 => flat(2),
        Marker::U32 | Marker::I32 | Marker::F32 => flat(4),
        Marker::U64 | Marker::I64 | Marker::F64 => flat(8),
        Marker::FixStr(n) => flat(n.into()),
        Marker::FixExt1 => flat(2),
        Marker::FixExt2 => flat(3),
        Marker::FixExt4 => flat(5),
        Marker::FixExt8 => flat(9),
        Marker::FixExt16 => flat(17),
        Marker::Str8 | Marker::Bin8 => long(1, 0),
        Marker::Str16 | Marker::Bin16 => long(2, 0),
        Marker::Str32 | Marker::Bin32 => long(4, 0),
        Marker::Ext8 => long(1, 1),
        Marker::Ext16 => long(2, 1),
        Marker::Ext32 => long(4, 1),
        Marker::FixArray(n) => nest(n.into()),
        Marker::FixMap(n) => nest(2 * u64::from(n)),
        Marker::Array16 => long_nest(2, 1),
        Marker::Array32 => long_nest(4, 1),
        Marker::Map16 => long_nest(2, 2),
        Marker::Map32 => long_nest(4, 2),
        Marker::Reserved => Err(DecodeError::Reserved),
    }
}

fn big_endian(input: &[u8], width: usize) -> Option<u64> {
    Some(input.get(..width)?.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
}
