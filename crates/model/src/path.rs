//! Request paths: what is refused, the normal form that routes are matched against, and what goes upstream.
//!
//! The one home of the rules: the schema asks routes to be written in the normal form, requests are brought into it, and
//! the upstream gets it too, not the client's bytes: what was matched is what is served. What [`check`] refuses has no
//! normal form.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// RFC 3986 reserved characters and `%`: their triplets carry meaning and stay encoded.
fn is_reserved(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'*'
            | b'\''
            | b'('
            | b')'
            | b';'
            | b':'
            | b'@'
            | b'&'
            | b'='
            | b'+'
            | b'$'
            | b','
            | b'/'
            | b'?'
            | b'%'
            | b'#'
            | b'['
            | b']'
    )
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    #[error("the path holds a percent sign without two hex digits")]
    Triplet,
    #[error("the path holds an encoded NUL")]
    Nul,
    #[error("the path climbs above the root")]
    AboveRoot,
}

/// Whether the path of a request target, without the query, can be served at all. The answer to one that cannot is 400.
///
/// The rules are nginx's: triplets are two hex digits and no NUL (RFC 3986, section 2.1), and `..` must not climb above
/// the root. It counts segments in the path with all triplets decoded once, `%2F` too, and runs of slashes merged.
pub fn check<P: AsRef<[u8]> + ?Sized>(raw: &P) -> Result<(), PathFault> {
    let mut depth = 0_usize;
    for segment in decode_all(raw.as_ref())?.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => depth = depth.checked_sub(1).ok_or(PathFault::AboveRoot)?,
            _ => depth += 1,
        }
    }
    Ok(())
}

fn decode_all(raw: &[u8]) -> Result<Cow<'_, [u8]>, PathFault> {
    if !raw.contains(&b'%') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match first {
            b'%' => {
                let value = triplet(tail).ok_or(PathFault::Triplet)?;
                rest = &tail[2..];
                if value == 0 {
                    return Err(PathFault::Nul);
                }
                value
            }
            byte => byte,
        });
    }
    Ok(Cow::Owned(bytes))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_triplet(out: &mut String, byte: u8) {
    out.push('%');
    out.push(HEX[usize::from(byte >> 4)].into());
    out.push(HEX[usize::from(byte & 15)].into());
}

/// The path of a request target, without the query, in the form that routes are matched against.
///
/// Percent-triplets are decoded except those of reserved characters, which stay with upper-case hex;
/// then runs of `/` are merged and dot segments removed (RFC 3986, 5.2.4). Bytes that are no UTF-8 are
/// left as triplets, which is also how the upstream gets them. A `%` that begins no triplet becomes `%25`:
/// with what is decoded behind it, it could make a triplet that was not there (RFC 3986, 2.4).
pub fn normalize<P: AsRef<[u8]> + ?Sized>(raw: &P) -> Cow<'_, str> {
    let raw = raw.as_ref();
    let decoded = match std::str::from_utf8(raw) {
        Ok(text) if !raw.contains(&b'%') => Cow::Borrowed(text),
        _ => Cow::Owned(decode(raw)),
    };
    if is_clean(decoded.as_bytes()) { decoded } else { Cow::Owned(remove_dot_segments(&decoded)) }
}

/// Whether there is neither an empty nor a dot segment; a false alarm costs time only.
fn is_clean(path: &[u8]) -> bool {
    path.first() != Some(&b'.') && !path.windows(2).any(|pair| pair == b"//" || pair == b"/.")
}

fn decode(raw: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        // A percent sign stands for itself when nothing of it can be decoded.
        let value = triplet(tail).inspect(|_| rest = &tail[2..]).unwrap_or(b'%');
        if is_reserved(value) {
            bytes.extend([b'%', HEX[usize::from(value >> 4)], HEX[usize::from(value & 15)]]);
        } else {
            bytes.push(value);
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| keep_invalid_encoded(error.as_bytes()))
}

fn keep_invalid_encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|&byte| push_triplet(&mut out, byte));
    }
    out
}

/// The byte that two hex digits at the front stand for: what follows the `%` of a triplet.
pub fn triplet(digits: &[u8]) -> Option<u8> {
    let &[high, low] = digits.first_chunk()?;
    Some((hex(high)? << 4) | hex(low)?)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn remove_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix("../").or_else(|| rest.strip_prefix("./")) {
            rest = tail;
        } else if rest == "." || rest == ".." {
            break;
        } else if rest.starts_with("//") {
            rest = &rest[1..];
        } else if rest.starts_with("/./") {
            rest = &rest[2..];
        } else if rest == "/." {
            rest = "/";
        } else if rest == "/.." || rest.starts_with("/../") {
            out.truncate(out.rfind('/').unwrap_or(0));
            rest = if rest.len() == 3 { "/" } else { &rest[3..] };
        } else {
            let end = rest.char_indices().skip(1).find(|&(_, c)| c == '/').map_or(rest.len(), |(at, _)| at);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    out
}

/// Whether a path in normal form is text: bytes that are no UTF-8 are all that keeps a triplet beyond ASCII.
pub fn is_text(normal: &str) -> bool {
    !normal.as_bytes().windows(2).any(|pair| pair[0] == b'%' && pair[1] >= b'8')
}

/// Percent-encodes what may not stand in a request target; triplets and reserved characters pass.
pub fn encode_for_upstream(path: &str) -> Cow<'_, str> {
    let passes = |byte: u8| is_unreserved(byte) || is_reserved(byte);
    let Some(first) = path.bytes().position(|byte| !passes(byte)) else { return Cow::Borrowed(path) };
    let mut out = String::with_capacity(path.len() + 16);
    out.push_str(&path[..first]);
    for byte in path.bytes().skip(first) {
        if passes(byte) { out.push(byte.into()) } else { push_triplet(&mut out, byte) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
