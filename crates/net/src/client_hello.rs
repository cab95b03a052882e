//! The first words of a TLS client, read without answering them (RFC 8446, sections 4.1.2 and 5.1).
//!
//! Only the server name is looked for. Whether the hello is good otherwise is for whoever answers it to say, which may be
//! another server than this one: so versions and extensions that are not known here pass.

/// Most bytes of a hello with its record headers: as many as nginx holds of a connection before it is routed, and more
/// than clients send.
pub const MOST: usize = 16 * 1024;

/// The bytes that a connection begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peeked {
    /// They may become a hello.
    Partial,
    /// Something else is spoken.
    NotTls,
    Hello {
        /// In lower case; `None` when the client names none, as for an address.
        server_name: Option<String>,
    },
}

/// Why there is no hello in what began like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    #[error("its handshake record is malformed")]
    Record,
    #[error("its hello is malformed")]
    Hello,
    #[error("its hello is longer than {MOST} bytes")]
    TooLong,
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
/// Most bytes of one record's content.
const RECORD: usize = 16 * 1024;

/// Reads what there is of a hello, which may be spread over several records.
pub fn peek(bytes: &[u8]) -> Result<Peeked, HelloError> {
    match read(&bytes[..bytes.len().min(MOST)])? {
        Peeked::Partial if bytes.len() >= MOST => Err(HelloError::TooLong),
        peeked => Ok(peeked),
    }
}

fn read(bytes: &[u8]) -> Result<Peeked, HelloError> {
    match bytes {
        [] => return Ok(Peeked::Partial),
        [HANDSHAKE] | [HANDSHAKE, 3, ..] => {}
        _ => return Ok(Peeked::NotTls),
    }
    let mut message = Vec::new();
    let mut rest = Cursor(bytes);
    loop {
        if let Some(hello) = whole(&message)? {
            let server_name = server_name(Cursor(hello)).ok_or(HelloError::Hello)?;
            return Ok(Peeked::Hello { server_name });
        }
        // A record's type, version and length.
        let Some(header) = rest.take(5) else { return Ok(Peeked::Partial) };
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if header[0] != HANDSHAKE || length == 0 || length > RECORD {
            return Err(HelloError::Record);
        }
        let Some(content) = rest.take(length) else { return Ok(Peeked::Partial) };
        message.extend_from_slice(content);
    }
}

/// The content of the handshake message that begins with these bytes, once it is there.
fn whole(message: &[u8]) -> Result<Option<&[u8]>, HelloError> {
    if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(HelloError::Record);
    }
    let [_, high, middle, low, content @ ..] = message else { return Ok(None) };
    let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
    if length > MOST {
        return Err(HelloError::TooLong);
    }
    Ok(content.get(..length))
}

/// `None` for what is no hello.
fn server_name(mut hello: Cursor<'_>) -> Option<Option<String>> {
    // Version and random; session; suites; compression.
    hello.take(2 + 32)?;
    hello.part8()?;
    hello.part16()?;
    hello.part8()?;
    if hello.0.is_empty() {
        // Older clients have no extensions.
        return Some(None);
    }
    let mut extensions = hello.part16()?;
    while !extensions.0.is_empty() {
        let kind = extensions.number()?;
        let mut extension = extensions.part16()?;
        if kind == SERVER_NAME {
            let mut names = extension.part16()?;
            let [kind] = names.take(1)? else { return None };
            let name = names.part16()?.0;
            let is_name = *kind == HOST_NAME && !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
            // Graphic ASCII is text.
            return is_name.then(|| Some(String::from_utf8_lossy(name).to_ascii_lowercase()));
        }
    }
    Some(None)
}

/// What is left to read.
struct Cursor<'b>(&'b [u8]);

impl<'b> Cursor<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A part with a byte of length before it.
    fn part8(&mut self) -> Option<Self> {
        let [length] = self.take(1)? else { return None };
        self.take(usize::from(*length)).map(Self)
    }

    /// A part with two bytes of length before it.
    fn part16(&mut self) -> Option<Self> {
        let length = self.number()?;
        self.take(usize::from(length)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part16(content: &[u8]) -> Vec<u8> {
        [&(content.len() as u16).to_be_bytes(), content].concat()
    }

    fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &part16(content)].concat()
    }

    fn name(name: &[u8]) -> Vec<u8> {
        extension(0, &part16(&[&[0][..], &part16(name)].concat()))
    }

    /// The message of a hello; `extensions` with their length.
    fn hello(extensions: &[u8]) -> Vec<u8> {
        let content = [&[3, 3][..], &[7; 32], &[0], &part16(&[0x13, 1]), &[1, 0], extensions].concat();
        [&[CLIENT_HELLO], &(content.len() as u32).to_be_bytes()[1..], &content].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        message.chunks(size).flat_map(|piece| [&[HANDSHAKE, 3, 1][..], &part16(piece)].concat()).collect()
    }

    fn found(name: Option<&str>) -> Result<Peeked, HelloError> {
        Ok(Peeked::Hello { server_name: name.map(str::to_owned) })
    }

    #[test]
    fn names_are_found_wherever_records_and_reads_end() {
        let other = extension(0x7a7a, b"anything");
        let with = |extensions: &[&[u8]]| hello(&part16(&extensions.concat()));
        for (message, expected) in [
            (with(&[&name(b"A.Test")]), Some("a.test")),
            (with(&[&other, &name(b"b.test"), &other]), Some("b.test")),
            (with(&[&other]), None),
            (hello(&[]), None),
        ] {
            for size in [1, 7, 1000] {
                let bytes = records(&message, size);
                for end in 0..bytes.len() {
                    assert_eq!(peek(&bytes[..end]), Ok(Peeked::Partial), "{end} bytes, records of {size}");
                }
                assert_eq!(peek(&bytes), found(expected));
                assert_eq!(peek(&[&bytes[..], b"more"].concat()), found(expected));
            }
        }
    }

    #[test]
    fn other_protocols_are_told_apart_at_once() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\0\0\0\x08\x04\xd2\x16\x2f", &[HANDSHAKE, 2]] {
            assert_eq!(peek(bytes), Ok(Peeked::NotTls), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_malformed_has_no_name() {
        let with = |extensions: &[u8]| records(&hello(&part16(extensions)), 1000);
        let mut no_hello = records(&hello(&[]), 1000);
        no_hello[5] = 2;
        let mut long = records(&hello(&[]), 1000);
        long[6] = 1;
        let endless = records(&[&[CLIENT_HELLO, 0, 0x3f, 0xff], &[0; MOST][..]].concat(), 1);
        for (bytes, error) in [
            (vec![HANDSHAKE, 3, 1, 0, 0], HelloError::Record),
            (vec![HANDSHAKE, 3, 1, 0x40, 1], HelloError::Record),
            ([&records(&[CLIENT_HELLO], 1)[..], &[23, 3, 3, 0, 1, 0]].concat(), HelloError::Record),
            (no_hello, HelloError::Record),
            (long, HelloError::TooLong),
            (endless[..MOST].to_vec(), HelloError::TooLong),
            (with(&extension(0, b"")), HelloError::Hello),
            (with(&extension(0, &part16(&[0, 0, 9, b'a']))), HelloError::Hello),
            (with(&name(b"")), HelloError::Hello),
            (with(&name(b"a b")), HelloError::Hello),
            (with(&[0, 9]), HelloError::Hello),
        ] {
            assert_eq!(peek(&bytes), Err(error), "{bytes:?}");
        }
    }
}
