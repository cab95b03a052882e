//! The normal form of a request path.
//!
//! Route paths must be written in it, since requests are brought into it before they are matched.

/// Percent triplets of anything but reserved characters are decoded, dot segments removed (RFC 3986,
/// section 5.2.4), runs of `/` merged.
///
/// Triplets that would not decode to UTF-8 stay as they are.
pub fn normalize(path: &str) -> String {
    let decoded = decode(path);
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_with_slash = decoded.ends_with('/');
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        ends_with_slash = match segment {
            "." => true,
            ".." => {
                segments.pop();
                true
            }
            segment => {
                segments.push(segment);
                decoded.ends_with('/')
            }
        };
    }
    let leading = if decoded.starts_with('/') { "/" } else { "" };
    let trailing = if ends_with_slash && !segments.is_empty() { "/" } else { "" };
    format!("{leading}{}{trailing}", segments.join("/"))
}

fn decode(path: &str) -> String {
    percent_decoded(path, |byte| {
        let reserved = b"!*'();:@&=+$,/?%#[]".contains(&byte);
        (!reserved).then(|| vec![byte])
    })
}

/// Replaces each triplet by what `replace` gives for its byte, or by its upper-case self.
pub fn percent_decoded(text: &str, replace: impl Fn(u8) -> Option<Vec<u8>>) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match triplet(&bytes[at..]) {
            Some(byte) => {
                out.extend(replace(byte).unwrap_or_else(|| format!("%{byte:02X}").into_bytes()));
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn triplet(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn brings_paths_into_normal_form() {
        let rows = [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a//b///c/", "/a/b/c/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/%61%2f%2F", "/a%2F%2F"),
            ("/%2e%2e/a", "/a"),
            ("/%C3%A9", "/\u{e9}"),
            ("/%FF", "/%FF"),
            ("/100%", "/100%"),
            ("/a%20b", "/a b"),
        ];
        for (path, expected) in rows {
            assert_eq!(normalize(path), expected, "{path}");
        }
    }
}
