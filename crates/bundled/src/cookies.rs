//! Cookies of requests (RFC 6265, section 5.4).

use polygate_http1::Headers;

/// The value of the first cookie of this name.
pub fn find<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    let lines = headers.get_all("Cookie").filter_map(|line| str::from_utf8(line).ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}
