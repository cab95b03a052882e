//! The messages that a login needs (RFC 4511), in the Basic Encoding Rules.

use x509_parser::asn1_rs::{Any, Class, Error, FromBer, Tag};
use x509_parser::nom::Err;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// Of applications.
const BIND_REQUEST: u8 = 0x60;
const EXTENDED_REQUEST: u8 = 0x77;
const BIND_RESPONSE: u32 = 1;
const EXTENDED_RESPONSE: u32 = 24;
/// The first of a choice.
const FIRST: u8 = 0x80;

const VERSION: u8 = 3;
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// What the server says to a request.
#[derive(Debug, PartialEq)]
pub struct Response {
    /// That of the request; 0 when the server is about to close the connection.
    pub id: u32,
    pub code: u32,
    /// For people.
    pub diagnostics: String,
}

/// A simple bind (section 4.2).
pub fn bind(id: u8, name: &str, password: &[u8]) -> Vec<u8> {
    let content =
        [element(INTEGER, &[VERSION]), element(OCTET_STRING, name.as_bytes()), element(FIRST, password)];
    request(id, element(BIND_REQUEST, &content.concat()))
}

/// Section 4.14.
pub fn start_tls(id: u8) -> Vec<u8> {
    request(id, element(EXTENDED_REQUEST, &element(FIRST, START_TLS)))
}

/// `id` is below 128.
fn request(id: u8, operation: Vec<u8>) -> Vec<u8> {
    element(SEQUENCE, &[element(INTEGER, &[id]), operation].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => bytes.push(length),
        _ => {
            // In four bytes, which are as good as fewer.
            bytes.push(0x84);
            bytes.extend((content.len() as u32).to_be_bytes());
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// A response; `None` while more has to come. An error is for the log.
pub fn response(bytes: &[u8]) -> Result<Option<Response>, String> {
    if bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
        return Err("this is not LDAP".to_owned());
    }
    let message = match Any::from_ber(bytes) {
        Ok((_, message)) => message,
        Err(Err::Incomplete(_) | Err::Error(Error::Incomplete(_)) | Err::Failure(Error::Incomplete(_))) => {
            return Ok(None);
        }
        Err(error) => return Err(error.to_string()),
    };
    parse(&message).map(Some).map_err(|error| error.to_string())
}

fn parse(message: &Any<'_>) -> Result<Response, Err<Error>> {
    let (rest, id) = u32::from_ber(message.data)?;
    let (_, operation) = Any::from_ber(rest)?;
    operation.class().assert_eq(Class::Application)?;
    if ![BIND_RESPONSE, EXTENDED_RESPONSE].contains(&operation.tag().0) {
        return Err(Err::Error(Error::InvalidTag));
    }
    let (rest, code) = Any::from_ber(operation.data)?;
    code.tag().assert_eq(Tag::Enumerated)?;
    let (rest, _name) = Any::from_ber(rest)?;
    let (_, diagnostics) = Any::from_ber(rest)?;
    Ok(Response {
        id,
        code: code.data.iter().fold(0, |code, byte| code << 8 | u32::from(*byte)),
        diagnostics: String::from_utf8_lossy(diagnostics.data).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenLDAP's server answers.
    const REFUSED: &[u8] = b"\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x31\x04\x00\x04\x00";

    #[test]
    fn requests() {
        let expected = b"\x30\x19\x02\x01\x02\x60\x14\x02\x01\x03\x04\x0auid=a,dc=b\x80\x03pw!";
        assert_eq!(bind(2, "uid=a,dc=b", b"pw!"), expected);
        let expected = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
        assert_eq!(start_tls(1), expected);
        let long = bind(2, "uid=a", &[b'x'; 300]);
        assert_eq!(long[..6], [0x30, 0x84, 0, 0, 1, 0x45]);
        let (rest, message) = Any::from_ber(&long).unwrap();
        assert_eq!((rest, message.data.len()), (&b""[..], 0x145));
    }

    #[test]
    fn responses() {
        let refused = Response { id: 2, code: 49, diagnostics: String::new() };
        assert_eq!(response(REFUSED), Ok(Some(refused)));
        for length in 0..REFUSED.len() {
            assert_eq!(response(&REFUSED[..length]), Ok(None), "the first {length} bytes");
        }
        let long =
            b"\x30\x84\x00\x00\x00\x11\x02\x01\x02\x61\x84\x00\x00\x00\x08\x0a\x01\x00\x04\x00\x04\x01!";
        assert_eq!(
            response(long).unwrap().unwrap(),
            Response { id: 2, code: 0, diagnostics: "!".to_owned() }
        );
        for (what, bytes) in [
            ("no sequence", &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]),
            ("another operation", b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00"),
            ("no code", b"\x30\x0c\x02\x01\x02\x61\x07\x04\x01\x00\x04\x00\x04\x00"),
            ("an end within", b"\x30\x05\x02\x01\x02\x61\x07"),
            ("an id that is none", b"\x30\x0c\x04\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00"),
        ] {
            assert!(response(bytes).is_err(), "{what}");
        }
    }

    #[test]
    fn no_response_is_too_strange() {
        for at in 0..REFUSED.len() {
            for byte in 0..=u8::MAX {
                let mut strange = REFUSED.to_vec();
                strange[at] = byte;
                // Whatever it says of it, it says something.
                let _ = response(&strange);
            }
        }
    }
}
