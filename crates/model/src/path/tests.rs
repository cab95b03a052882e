use super::*;

#[test]
fn paths_are_normalised() {
    for (raw, expected) in [
        ("/", "/"),
        ("", ""),
        ("*", "*"),
        ("/a/b", "/a/b"),
        ("/a//b///c", "/a/b/c"),
        ("//", "/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a//../b", "/b"),
        ("/a/.b/..c/d.", "/a/.b/..c/d."),
        ("/%2e%2E/a", "/a"),
        ("/a/%2e%2e%2fb", "/a/..%2Fb"),
        ("/%61%7e%20", "/a~ "),
        ("/a%2fb%3f%25%3b", "/a%2Fb%3F%25%3B"),
        ("/%c3%a4", "/ä"),
        ("/%ff%C3", "/%FF%C3"),
        ("/100%", "/100%25"),
        ("/%4", "/%254"),
        ("/%zz%41", "/%25zzA"),
        ("/%+1", "/%25+1"),
        // Decoded once: no piece that is decoded makes a triplet with what stands before it.
        ("/a/%2%65%2%65/b", "/a/%252e%252e/b"),
        ("/a/%%32%65%%32%65/b", "/a/%252e%252e/b"),
        ("/%25%32%65", "/%252e"),
        ("/%252e%252e/", "/%252e%252e/"),
        ("/%2525", "/%2525"),
        ("/%%", "/%25%25"),
        ("/%2%66a", "/%252fa"),
        ("../a", "a"),
        ("./a/..", "/"),
    ] {
        assert_eq!(normalize(raw), expected, "{raw}");
    }
    assert_eq!(normalize(b"/\xff/\xc3\xa4".as_slice()), "/%FF/ä");
}

#[test]
fn a_clean_path_is_not_copied() {
    assert!(matches!(normalize("/a/b.c/d"), Cow::Borrowed("/a/b.c/d")));
    assert!(matches!(encode_for_upstream("/a/b%20c?;[]"), Cow::Borrowed(_)));
}

#[test]
fn normalising_twice_changes_nothing() {
    for raw in ["/a/%2e%2e%2fb", "/a//%2e/ä%20", "/%ff/..//x", "/a/b/../%2F.."] {
        let once = normalize(raw).into_owned();
        assert_eq!(normalize(&once), once, "{raw}");
    }
}

#[test]
fn every_triplet_is_decoded_once() {
    for byte in 0..=u8::MAX {
        let reserved = b"!*'();:@&=+$,/?%#[]".contains(&byte);
        let expected = match byte {
            b'.' => "/".to_owned(),
            _ if reserved || !byte.is_ascii() => format!("/%{byte:02X}"),
            _ => format!("/{}", char::from(byte)),
        };
        for raw in [format!("/%{byte:02X}"), format!("/%{byte:02x}")] {
            assert_eq!(normalize(&raw), expected, "{raw}");
            assert_eq!(normalize(&expected), expected);
        }
        // Not as part of another one.
        for (raw, rest) in [(format!("/a%{byte:02X}65"), "65"), (format!("/a%2%{byte:02X}"), "")] {
            let normal = normalize(&raw);
            let middle = if reserved || !byte.is_ascii() {
                format!("%{byte:02X}")
            } else {
                char::from(byte).to_string()
            };
            let front = if rest.is_empty() { "/a%252" } else { "/a" };
            assert_eq!(normal, format!("{front}{middle}{rest}"), "{raw}");
        }
    }
}

/// As the reference answers, recorded or read from its parser.
#[test]
fn paths_are_checked() {
    use PathFault::{AboveRoot, Nul, Triplet};
    for (raw, expected) in [
        ("/p3/%", Err(Triplet)),
        ("/p1/%2", Err(Triplet)),
        ("/p1/%2g", Err(Triplet)),
        ("/%zz", Err(Triplet)),
        ("/%+1", Err(Triplet)),
        ("/% 1", Err(Triplet)),
        ("/%2%65", Err(Triplet)),
        ("/%%32%65", Err(Triplet)),
        ("/%u0041", Err(Triplet)),
        ("/p1/%00", Err(Nul)),
        ("/%00", Err(Nul)),
        ("/a%00/../b", Err(Nul)),
        ("/../", Err(AboveRoot)),
        ("/..", Err(AboveRoot)),
        ("//..", Err(AboveRoot)),
        ("/./..", Err(AboveRoot)),
        ("/a/../..", Err(AboveRoot)),
        ("/a/../../a/b", Err(AboveRoot)),
        ("/a//../..", Err(AboveRoot)),
        ("/%2e%2E", Err(AboveRoot)),
        ("/.%2e/x", Err(AboveRoot)),
        ("/%2f..", Err(AboveRoot)),
        ("/..%2fx", Err(AboveRoot)),
        ("/a/..%2f..%2fx", Err(AboveRoot)),
        ("/a%2f%2f..%2f../", Err(AboveRoot)),
        // A fragment has no place in a target; its dots count as they do for the match.
        ("/a#/../..", Err(AboveRoot)),
        ("/", Ok(())),
        ("/.", Ok(())),
        ("/a/..", Ok(())),
        ("/p3/../x", Ok(())),
        ("/p3/x/../", Ok(())),
        ("/a/b/../..", Ok(())),
        ("/a/./../", Ok(())),
        ("/p1/%2E%2e/x", Ok(())),
        ("/p1/%2e%2e%2fx", Ok(())),
        ("/a%2fb/../..", Ok(())),
        ("/...", Ok(())),
        ("/.../...", Ok(())),
        ("/p1/x/..;/y", Ok(())),
        ("/..;", Ok(())),
        ("/..a/", Ok(())),
        ("/p1../x", Ok(())),
        ("/p3..", Ok(())),
        ("/%25", Ok(())),
        ("/%2500", Ok(())),
        ("/%252e%252e/", Ok(())),
        ("/p1/%01", Ok(())),
        ("/p1/%7F", Ok(())),
        ("/p1/%ff", Ok(())),
        ("/%3f%23", Ok(())),
        ("/a|b\\^`{}", Ok(())),
    ] {
        assert_eq!(check(raw), expected, "{raw}");
    }
    assert_eq!(check(b"/\xff/\0".as_slice()), Ok(()), "raw bytes are not its subject");
}

#[test]
fn every_pair_of_bytes_behind_a_percent_sign_is_checked() {
    for high in 0..=u8::MAX {
        for low in 0..=u8::MAX {
            let expected = match (high, low) {
                (b'0', b'0') => Err(PathFault::Nul),
                _ if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => Ok(()),
                _ => Err(PathFault::Triplet),
            };
            assert_eq!(check(&[b'/', b'a', b'%', high, low]), expected, "{high:#x} {low:#x}");
        }
    }
}

/// What the reference sends to the upstream for a path, as recorded.
#[test]
fn paths_go_upstream_as_in_the_reference() {
    for (raw, expected) in [
        ("/p3//", "/p3/"),
        ("/p3/x/..", "/p3/"),
        ("/p3/x/.", "/p3/x/"),
        ("/p3/a%20b", "/p3/a%20b"),
        ("/p3/%2f", "/p3/%2F"),
        ("/p3/%C3%A9", "/p3/%C3%A9"),
        ("/p3/%c3%a9", "/p3/%C3%A9"),
        ("/p3/%25", "/p3/%25"),
        ("/p3/%2525", "/p3/%2525"),
        ("/p3/%01", "/p3/%01"),
        ("/p3/%7F", "/p3/%7F"),
        ("/p3/%7e", "/p3/~"),
        ("/p3/%2e", "/p3/"),
        ("/p3/%2e%2e%2fx", "/p3/..%2Fx"),
        ("/p3/a;b=c/d", "/p3/a;b=c/d"),
        ("/p3/a%2Bb", "/p3/a%2Bb"),
        ("/p3/a!b$c&d=e", "/p3/a!b$c&d=e"),
        ("/p3/a'b(c)*", "/p3/a'b(c)*"),
        ("/p3/a%3Fb", "/p3/a%3Fb"),
        ("/p3/a%23b", "/p3/a%23b"),
        ("/p3/a#frag", "/p3/a#frag"),
        ("/p3/a[b]", "/p3/a[b]"),
        ("/p3/a%5Bb%5D", "/p3/a%5Bb%5D"),
        ("/p3/a|b", "/p3/a%7Cb"),
        ("/p3/a\\b", "/p3/a%5Cb"),
        ("/p3/a<b>", "/p3/a%3Cb%3E"),
        ("/p3/a^b", "/p3/a%5Eb"),
        ("/p3/a`b", "/p3/a%60b"),
        ("/p3/a{b}", "/p3/a%7Bb%7D"),
        ("/p3/a%22b", "/p3/a%22b"),
        ("/p3/%41%42", "/p3/AB"),
        ("/p3/%E2%82%AC", "/p3/%E2%82%AC"),
        ("/p3..", "/p3.."),
        ("/p3.x", "/p3.x"),
    ] {
        assert_eq!(check(raw), Ok(()), "{raw}");
        assert_eq!(encode_for_upstream(&normalize(raw)), expected, "{raw}");
    }
}

#[test]
fn what_cannot_stand_in_a_target_is_encoded() {
    assert_eq!(encode_for_upstream("/a b\"<ä>\\^`{|}\0"), "/a%20b%22%3C%C3%A4%3E%5C%5E%60%7B%7C%7D%00");
    assert_eq!(encode_for_upstream("/%2F!*'();:@&=+$,?#[]-._~%"), "/%2F!*'();:@&=+$,?#[]-._~%");
}

#[test]
fn bytes_that_are_no_text_are_told() {
    for byte in 0..=u8::MAX {
        let normal = normalize(&format!("/a%{byte:02x}b")).into_owned();
        assert_eq!(is_text(&normal), byte.is_ascii(), "{normal}");
    }
    for raw in ["/", "/%2580", "/%c3%a4", "/\u{e4}", "/%25%38%30"] {
        assert!(is_text(&normalize(raw)), "{raw}");
    }
    for raw in [b"/\xff".as_slice(), b"/%ff", b"/%c3", b"/%C3%a4/%80"] {
        assert!(!is_text(&normalize(raw)), "{raw:?}");
    }
}
