//! Tags that requests bring along: `name=value; name=value`.

use std::sync::LazyLock;

use polygate_http1::Headers;
use polygate_telemetry::log;
use regex::Regex;

static TAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*(\S+)\s*=\s*(.*\S)\s*$").expect("it is a regular expression"));

/// Of all lines of that name; what is no tag is left out.
pub fn of(headers: &Headers, name: &str) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    for line in headers.get_all(name) {
        let line = String::from_utf8_lossy(line);
        for item in line.split(';').filter(|item| !item.is_empty()) {
            match TAG.captures(item) {
                Some(found) => tags.push((found[1].to_owned(), found[2].to_owned())),
                None => log!(Warn, "[zipkin] '{item}' in the header {name} is no tag"),
            }
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_between_semicolons() {
        for (line, tags) in [
            ("a=b; c=d", &[("a", "b"), ("c", "d")][..]),
            (" a = b c ;", &[("a", "b c")]),
            ("a=b=c", &[("a=b", "c")]),
            ("", &[]),
            (";;", &[]),
            ("a; =b; a=; a b=c; d=e", &[("d", "e")]),
        ] {
            let headers = [("Zipkin-Tags", line)].into_iter().collect();
            let found = of(&headers, "zipkin-tags");
            let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(found, tags, "{line}");
        }
    }

    #[test]
    fn lines_add_up() {
        let headers = [("zipkin-tags", "a=b"), ("zipkin-tags", "c=d")].into_iter().collect();
        assert_eq!(of(&headers, "Zipkin-Tags").len(), 2);
    }
}
