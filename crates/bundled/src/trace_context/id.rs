//! Ids of traces and spans.

use std::fmt::{self, Display, Formatter};

/// Of a trace: 16 bytes, or 8 that stand for 16 with zeros before them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TraceId {
    pub number: u128,
    /// How many bytes the caller wrote; `None` when the trace begins here. Formats that know both sizes keep it.
    size: Option<usize>,
}

/// As 16 or 32 lower-case hex digits.
pub struct Digits {
    number: u128,
    bytes: usize,
}

impl TraceId {
    /// One that the caller wrote.
    pub fn given(number: u128, bytes: usize) -> Self {
        Self { number, size: Some(bytes) }
    }

    /// Exactly `bytes` as hex digits of either case.
    pub fn from_hex(text: &str, bytes: usize) -> Option<Self> {
        (text.len() == 2 * bytes).then(|| hex(text))?.map(|number| Self::given(number, bytes))
    }

    /// A new one of `bytes` random bytes (8 or 16).
    pub fn random(bytes: usize) -> Self {
        let number = if bytes == 8 { fastrand::u64(1..).into() } else { fastrand::u128(1..) };
        Self { number, size: None }
    }

    /// For a format that knows these sizes: the caller's if it is one of them, else the first.
    pub fn digits(self, sizes: &[usize]) -> Digits {
        let own = self.size.filter(|size| sizes.contains(size));
        Digits { number: self.number, bytes: own.unwrap_or(sizes[0]) }
    }

    pub fn bytes(self) -> [u8; 16] {
        self.number.to_be_bytes()
    }
}

impl Display for Digits {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.bytes {
            8 => write!(formatter, "{:016x}", self.number as u64),
            _ => write!(formatter, "{:032x}", self.number),
        }
    }
}

/// Never 0, which stands for none.
pub fn new_span_id() -> u64 {
    fastrand::u64(1..)
}

/// Hex digits of either case, at most 32.
pub fn hex(text: &str) -> Option<u128> {
    let are_digits = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    are_digits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// Exactly 16 hex digits of either case.
pub fn span_from_hex(text: &str) -> Option<u64> {
    (text.len() == 16).then(|| hex(text))?.map(|number| number as u64)
}

/// Decimal digits, however many; the lowest 128 bits count, as in the reference.
pub fn decimal(text: &str) -> Option<u128> {
    let are_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let add = |number: u128, digit: u8| number.wrapping_mul(10).wrapping_add((digit - b'0').into());
    are_digits.then(|| text.bytes().fold(0, add))
}
