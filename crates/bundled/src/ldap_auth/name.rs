//! Names within distinguished names.

/// A value as it stands in a distinguished name (RFC 4514, section 2.4): whatever a client calls itself names one entry.
pub fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, char) in value.chars().enumerate() {
        match char {
            '\0' => escaped.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => escaped.extend(['\\', char]),
            ' ' if at == 0 || at == last => escaped.push_str("\\ "),
            '#' if at == 0 => escaped.push_str("\\#"),
            _ => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn values_in_names() {
        for (value, expected) in [
            ("ann", "ann"),
            ("ann,ou=admins", r"ann\,ou\=admins"),
            (r#"a"b+c;d<e>f\g"#, r#"a\"b\+c\;d\<e\>f\\g"#),
            ("  a b  ", r"\  a b \ "),
            (" ", r"\ "),
            ("#a#", r"\#a#"),
            ("nul\0", r"nul\00"),
            ("ü*()", "ü*()"),
            ("", ""),
        ] {
            assert_eq!(escaped(value), expected, "{value:?}");
        }
    }
}
