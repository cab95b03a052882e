use super::*;

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let parsed = parse(text);
    let parsed: Vec<_> = parsed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(parsed, expected, "of {text:?}");
}

#[test]
fn blank_lines_and_comments_are_ignored() {
    check("\n  \n# a = 1\n  ; b = 2\n\t# c = 3\nd = x\n", &[("d", "x")]);
}

#[test]
fn a_byte_order_mark_hides_nothing() {
    check("\u{feff}log_level = debug\nplugins = off", &[("log_level", "debug"), ("plugins", "off")]);
    check("\u{feff}# a comment\nplugins = off", &[("plugins", "off")]);
}

#[test]
fn the_first_equals_sign_separates() {
    check("plugins = a=b = c", &[("plugins", "a=b = c")]);
    check("  log_level\t=  debug  ", &[("log_level", "debug")]);
    check("log_level=debug\r\nplugins=off\r\n", &[("log_level", "debug"), ("plugins", "off")]);
}

#[test]
fn keys_keep_their_case_except_plugin_servers() {
    check("LOG_LEVEL = debug", &[("LOG_LEVEL", "debug")]);
    check("pluginserver_MyPlugin_socket = /a", &[("pluginserver_myplugin_socket", "/a")]);
}

#[test]
fn odd_characters_of_keys_become_underscores() {
    check("pluginserver_my-plugin_socket = /a", &[("pluginserver_my_plugin_socket", "/a")]);
    check("log.level = x", &[("log_level", "x")]);
    check("größe = x", &[("gr____e", "x")]);
}

#[test]
fn a_backslash_continues_the_line() {
    check("plugins = a, \\\n  b\nx = 1", &[("plugins", "a,   b"), ("x", "1")]);
    check("plugins = a,\\  \nb,\\\nc", &[("plugins", "a,b,c")]);
    check("plugins = a,\\\n# between\n\nb", &[("plugins", "a,b")]);
    check("x = 1\nplugins = a, \\", &[("x", "1")]);
}

#[test]
fn comments_end_values() {
    check("plugins = a, b # c", &[("plugins", "a, b")]);
    check("plugins = a#b", &[("plugins", "a")]);
    check("pg_password = a\\#b # c", &[("pg_password", "a#b")]);
    check("plugins = # nothing", &[("plugins", "")]);
    check("plugins = a # b = c", &[("plugins", "a")]);
}

#[test]
fn numbers_are_normalised() {
    for (written, read) in [
        ("007", "7"),
        ("0x10", "16"),
        ("8 kB", "8"),
        ("8kB", "8kB"),
        ("8 MB", "8 MB"),
        ("007 # c", "007"),
        (".5", ".5"),
        ("+5", "5"),
        ("-1.50", "-1.5"),
        ("1e3", "1000"),
        ("10m", "10m"),
        ("127.0.0.1", "127.0.0.1"),
        ("80:8000", "80:8000"),
        ("-", "-"),
        ("-inf", "-inf"),
        ("x1", "x1"),
        ("12345678901234567890", "12345678901234567890"),
    ] {
        check(&format!("pg_user = {written}"), &[("pg_user", read)]);
    }
}

#[test]
fn quotes_are_ordinary() {
    check("pg_user = \"a b\"", &[("pg_user", "\"a b\"")]);
    check("pg_user = '7'", &[("pg_user", "'7'")]);
}

#[test]
fn bare_lines_and_sections_are_ignored() {
    check("bare\nlog_level = debug", &[("log_level", "debug")]);
    check("log_level = debug\n[section]\nplugins = off", &[("log_level", "debug")]);
}

#[test]
fn an_empty_value_is_kept_as_unset() {
    check("declarative_config =", &[("declarative_config", "")]);
}
