//! The frames of a connection, seen from outside of the library that speaks HTTP/2: it does not tell what it refuses, nor
//! how much work it is made to do.

/// What a client begins with (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Of a frame's head (RFC 9113, section 4.1).
const HEAD: usize = 9;
/// Where the code of a reset lies behind it (RFC 9113, section 6.4).
const CODE: usize = 4;

/// Types of frames (RFC 9113, section 6).
pub const DATA: u8 = 0;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;

/// One frame as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    /// Bytes behind its head.
    pub length: u32,
    /// The first four of them, of a reset.
    pub code: u32,
}

/// Finds the frames in a stream of bytes.
#[derive(Debug, Default)]
pub struct Scanner {
    head: [u8; HEAD + CODE],
    /// Bytes of `head` that are there.
    filled: usize,
    /// Bytes of the frame under way that do not matter.
    skip: u64,
}

impl Scanner {
    /// One that leaves out the first bytes, which are no frame.
    pub fn behind(bytes: usize) -> Self {
        Self { skip: bytes as u64, ..Self::default() }
    }

    pub fn scan(&mut self, mut bytes: &[u8], mut found: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len() as u64);
            self.skip -= skipped;
            bytes = &bytes[skipped as usize..];
            let taken = bytes.len().min(self.wanted() - self.filled);
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled >= HEAD && self.filled == self.wanted() {
                let length = self.length();
                found(Frame { kind: self.head[3], flags: self.head[4], length, code: self.code() });
                self.skip = u64::from(length) - (self.filled - HEAD) as u64;
                self.filled = 0;
            }
        }
    }

    /// How much of the frame has to be there.
    fn wanted(&self) -> usize {
        let has_code = self.filled >= HEAD && self.head[3] == RST_STREAM && self.length() as usize >= CODE;
        if has_code { HEAD + CODE } else { HEAD }
    }

    fn length(&self) -> u32 {
        u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]])
    }

    fn code(&self) -> u32 {
        let [.., a, b, c, d] = self.head;
        if self.filled > HEAD { u32::from_be_bytes([a, b, c, d]) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A settings frame, a ping, a reset with code 8, an empty DATA frame with END_STREAM, one with three bytes.
    const FRAMES: &[u8] = &[
        0, 0, 0, 4, 0, 0, 0, 0, 0, //
        0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, //
        0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8, //
        0, 0, 0, 0, 1, 0, 0, 0, 3, //
        0, 0, 3, 0, 0, 0, 0, 0, 5, 9, 9, 9,
    ];

    fn frame(kind: u8, flags: u8, length: u32, code: u32) -> Frame {
        Frame { kind, flags, length, code }
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let all = [
            frame(SETTINGS, 0, 0, 0),
            frame(PING, 0, 8, 0),
            frame(RST_STREAM, 0, 4, 8),
            frame(DATA, 1, 0, 0),
            frame(DATA, 0, 3, 0),
        ];
        for size in 1..=FRAMES.len() {
            let mut scanner = Scanner::behind(3);
            let mut found = Vec::new();
            for piece in [b"PRI", FRAMES].concat().chunks(size) {
                scanner.scan(piece, |frame| found.push(frame));
            }
            assert_eq!(found, all, "in pieces of {size}");
        }
    }

    #[test]
    fn a_reset_that_is_too_short_is_one_without_a_code() {
        let mut found = Vec::new();
        Scanner::default().scan(&[0, 0, 2, RST_STREAM, 0, 0, 0, 0, 1, 7, 7], |frame| found.push(frame));
        assert_eq!(found, [frame(RST_STREAM, 0, 2, 0)]);
    }
}
