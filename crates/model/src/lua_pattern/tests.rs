use super::*;

#[test]
fn matches_as_lua_does() {
    #[rustfmt::skip]
    let rows = [
        // pattern, value, whether it matches
        ("abc", "xabcx", true),
        ("^abc", "xabc", false),
        ("abc$", "abcx", false),
        ("a$c", "a$c", true),
        ("^%u+$", "GET", true),
        ("^%u+$", "Get", false),
        ("^%u+$", "", false),
        ("^[a-z][a-z%d-]-[a-z%d]+$", "my-vault", true),
        ("^[a-z][a-z%d-]-[a-z%d]+$", "my-vault-", false),
        ("^[a-z][a-z%d-]-[a-z%d]+$", "v", false),
        ("^[^*]*%*?[^*]*$", "*.example.com", true),
        ("^[^*]*%*?[^*]*$", "*.example.*", false),
        ("%.%*$", "example.*", true),
        ("^/", "/path", true),
        ("//", "/a//b", true),
        ("^[Hh][Oo][Ss][Tt]$", "hOsT", true),
        ("^%d%d?%d?%.%d+$", "127.0", true),
        ("^%d%d?%d?%.%d+$", "1270.0", false),
        ("^.-x$", "aaax", true),
        ("[]]", "]", true),
        ("[^]]", "]", false),
        ("[a-]", "-", true),
        ("[%w_]", "_", true),
        ("[%a-z]", "-", true),
        ("%S", " \t\n\r\u{b}\u{c}", false),
        ("^(%a+)=%1$", "go=go", true),
        ("^(%a+)=%1$", "go=no", false),
        ("^()a()$", "a", true),
        ("%b()", "f(a(b)c)", true),
        ("^%b()$", "(a(b)", false),
        ("%f[%w]%w+%f[%W]", "the end", true),
        ("%f[%d]", "abc", false),
        ("^\u{e9}$", "\u{e9}", true),
        ("", "", true),
        ("x*", "", true),
        ("^x?y$", "y", true),
        ("^x?xy$", "xy", true),
        ("%%", "50%", true),
        ("^%g+$", "a b", false),
    ];
    for (pattern, value, expected) in rows {
        let compiled = Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(compiled.matches(value), expected, "{pattern:?} on {value:?}");
    }
}

#[test]
fn refuses_malformed_patterns() {
    let rows = [
        ("abc%", PatternError::EndsWithEscape),
        ("[abc", PatternError::MissingBracket),
        ("[", PatternError::MissingBracket),
        ("[%", PatternError::MissingBracket),
        ("[]", PatternError::MissingBracket),
        ("%f", PatternError::MissingSetAfterFrontier),
        ("%fa", PatternError::MissingSetAfterFrontier),
        ("%b(", PatternError::MissingBalanceArguments),
        ("(a", PatternError::UnfinishedCapture),
        ("a)", PatternError::InvalidCapture),
        ("%1", PatternError::InvalidCapture),
        ("(a%1)", PatternError::InvalidCapture),
        ("%0", PatternError::InvalidCapture),
    ];
    for (pattern, expected) in rows {
        assert_eq!(Pattern::new(pattern).unwrap_err(), expected, "{pattern:?}");
    }
    assert_eq!(Pattern::new(&"()".repeat(33)).unwrap_err(), PatternError::TooManyCaptures);
}

#[test]
fn the_matcher_has_stack_enough() {
    for repeat in ["a*", "a-", "a?"] {
        assert!(Pattern::new(&format!("^{}$", repeat.repeat(200))).unwrap().matches("aa"), "{repeat}");
        let deeper = Pattern::new(&repeat.repeat(100_000));
        assert_eq!(deeper.unwrap_err(), PatternError::TooComplex, "{repeat}");
    }
}

#[test]
fn gives_up_on_a_runaway_pattern() {
    let pattern = Pattern::new(&format!("^{}x$", ".-".repeat(12))).unwrap();
    assert!(!pattern.matches(&"a".repeat(400)));
}
