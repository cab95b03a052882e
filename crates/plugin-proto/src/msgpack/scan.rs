//! Finds the end of a MessagePack value without building it, and can stop and go on anywhere.

use crate::msgpack::error::DecodeError;
use crate::msgpack::head::{Head, head};

/// What a peer may send in one frame.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a whole frame.
    pub bytes: usize,
    /// Nested arrays and maps.
    pub depth: usize,
    /// Values in all; a value in memory is much larger than the byte a nil takes on the wire.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 256 << 20, depth: 128, values: 1 << 20 }
    }
}

/// Where the scan of one value stands.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Bytes already accounted for; may point behind the end of the buffer.
    at: usize,
    /// How many values are still missing at each level of nesting; empty before the first byte.
    missing: Vec<u64>,
    values: usize,
}

impl Scanner {
    /// The length of the value at the start of `buffer` once it is all there, after which the next scan
    /// begins anew. Until then `buffer` must be the same bytes each time, with more at the end.
    pub(super) fn scan(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, DecodeError> {
        if self.values == 0 && self.missing.is_empty() {
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
            self.at += head.bytes + head.payload as usize;
            if head.children > 0 {
                self.missing.push(head.children);
            }
        }
        if buffer.len() < self.at {
            return Ok(None);
        }
        self.values = 0;
        Ok(Some(std::mem::take(&mut self.at)))
    }

    /// Refuses as soon as a length is announced, not when its bytes have arrived.
    fn check(&self, head: &Head, limits: &Limits) -> Result<(), DecodeError> {
        if (self.at + head.bytes) as u64 + head.payload + head.children > limits.bytes as u64 {
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
