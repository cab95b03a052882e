//! What a path regex must begin with, so that the index finds it like a plain prefix.

use regex_syntax::hir::{Look, literal::Extractor};

/// More alternatives than this are cut to their common, shorter beginnings.
const MAX_LITERALS: usize = 16;

/// Byte strings of which every match of `pattern` at the start of a text begins with one.
///
/// The empty string among them says that nothing is known. That is also the answer when the pattern can
/// match further on in the text, as `^/a|/b` can.
pub fn literal_prefixes(pattern: &str) -> Vec<Vec<u8>> {
    let nothing_known = vec![Vec::new()];
    let Ok(hir) = regex_syntax::parse(pattern) else { return nothing_known };
    if !hir.properties().look_set_prefix().contains(Look::Start) {
        return nothing_known;
    }
    let mut sequence = Extractor::new().limit_total(MAX_LITERALS).extract(&hir);
    sequence.dedup();
    match sequence.literals() {
        Some(literals) if !literals.is_empty() => {
            literals.iter().map(|literal| literal.as_bytes().to_vec()).collect()
        }
        _ => nothing_known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_anchored_patterns_are_found() {
        let check = |pattern: &str, expected: &[&str]| {
            let found = literal_prefixes(pattern);
            let found: Vec<_> = found.iter().map(|p| std::str::from_utf8(p).unwrap()).collect();
            assert_eq!(found, expected, "{pattern}");
        };
        check(r"^/users/(?<id>\d+)$", &["/users/"]);
        check("^/v(1|2)/x", &["/v1/x", "/v2/x"]);
        check("^/a?b", &["/ab", "/b"]);
        check("^.*", &[""]);
        check("^/a|/b", &[""]);
        check("^(?:/a|/b)", &["/a", "/b"]);
        check("^(", &[""]);
    }
}
