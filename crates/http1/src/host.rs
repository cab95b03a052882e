//! What a host can look like.

use std::net::Ipv6Addr;

/// Whether the bytes are a host with an optional port (RFC 3986, section 3.2.2), and so what a `Host` header may say.
///
/// Stricter than the RFC in what no host name has: no comma, which is the mark of two hosts in one line, and no two
/// dots in a row, as in the reference.
pub fn is_authority(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"[") else { return is_named(text) };
    let Some(end) = rest.iter().position(|&byte| byte == b']') else { return false };
    let address = str::from_utf8(&rest[..end]).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    address && (rest[end + 1..].is_empty() || is_port(&rest[end + 1..]))
}

fn is_named(text: &[u8]) -> bool {
    let end = text.iter().position(|&byte| byte == b':').unwrap_or(text.len());
    let (host, port) = text.split_at(end);
    let labels = host.strip_suffix(b".").unwrap_or(host);
    !labels.is_empty()
        && is_reg_name(host)
        && !host.windows(2).any(|pair| pair == b"..")
        && (port.is_empty() || is_port(port))
}

/// `:` and digits, or none of them.
fn is_port(text: &[u8]) -> bool {
    text.strip_prefix(b":").is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}

fn is_reg_name(host: &[u8]) -> bool {
    let mut rest = host;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            b'%' if tail.len() >= 2 && tail[..2].iter().all(u8::is_ascii_hexdigit) => &tail[2..],
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';'
            | b'=' => tail,
            byte if byte.is_ascii_alphanumeric() => tail,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in [
            "a",
            "a.test",
            "A.Test:80",
            "a.test.",
            "a.test.:1",
            "a:",
            "127.0.0.1:8000",
            "[::1]",
            "[::1]:80",
            "[::ffff:1.2.3.4]",
            "under_score",
            "x%20y",
            "*.a",
            ".a",
            "-x",
            "a'b",
        ] {
            assert!(is_authority(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            ".",
            ":80",
            "a b",
            "a..b",
            "a/b",
            "a,b",
            "u@a",
            "a#f",
            "a?b",
            "a\\b",
            "a\"",
            "<a>",
            "a:x",
            "a:1:2",
            "a:-1",
            "[::1",
            "[a]",
            "[::1]x",
            "[::1]:x",
            "::1",
            "%zz",
            "%2",
            "caf\u{e9}",
            "a\t",
        ] {
            assert!(!is_authority(host.as_bytes()), "{host}");
        }
    }
}
