use super::*;
use crate::fixture::route;

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
        ("/100%", "/100%"),
        ("/%4", "/%4"),
        ("/%zz%41", "/%zzA"),
        ("/%+1", "/%+1"),
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
fn what_cannot_stand_in_a_target_is_encoded() {
    assert_eq!(encode_for_upstream("/a b\"<ä>\\^`{|}\0"), "/a%20b%22%3C%C3%A4%3E%5C%5E%60%7B%7C%7D%00");
    assert_eq!(encode_for_upstream("/%2F!*'();:@&=+$,?#[]-._~%"), "/%2F!*'();:@&=+$,?#[]-._~%");
}

/// Service path, matched part (`None`: a route without paths), `strip_path`, request, upstream.
const UPSTREAM_PATHS: &[(&str, Option<&str>, bool, &str, &str)] = &[
    // The service's path ends with a slash, strip.
    ("/", Some("/route"), true, "/route", "/"),
    ("/", Some("/route"), true, "/route/", "/"),
    ("/", Some("/route"), true, "/routereq", "/req"),
    ("/", Some("/route"), true, "/route/req", "/req"),
    ("/srv/", Some("/rou"), true, "/rou", "/srv"),
    ("/srv/", Some("/rou/"), true, "/rou/", "/srv/"),
    ("/srv/", Some("/rou"), true, "/rou/", "/srv/"),
    ("/srv/", Some("/rou"), true, "/rou/req", "/srv/req"),
    ("/srv/", Some("/rou"), true, "/roureq", "/srv/req"),
    ("/service/", Some("/route/"), true, "/route/req", "/service/req"),
    ("/service/", None, true, "/route", "/service/route"),
    ("/service/", None, true, "/", "/service/"),
    ("/", None, true, "/", "/"),
    // It ends with one, no strip.
    ("/", Some("/route"), false, "/route/req", "/route/req"),
    ("/", Some("/"), false, "/", "/"),
    ("/srv/", Some("/rou"), false, "/roureq", "/srv/roureq"),
    ("/srv/", Some("/rou"), false, "/rou/", "/srv/rou/"),
    ("/srv/", None, false, "/", "/srv/"),
    // It does not, strip.
    ("/srv", Some("/rou"), true, "/rou", "/srv"),
    ("/srv", Some("/rou"), true, "/rou/", "/srv/"),
    ("/srv", Some("/rou/"), true, "/rou/", "/srv/"),
    ("/srv", Some("/rou"), true, "/rou/req", "/srv/req"),
    ("/srv", Some("/rou"), true, "/roureq", "/srv/req"),
    ("/service", Some("/route"), true, "/route/", "/service/"),
    ("/service", None, true, "/route", "/service/route"),
    ("/service", None, true, "/", "/service"),
    ("/srv", Some("/"), true, "/", "/srv"),
    // It does not, no strip.
    ("/srv", Some("/rou"), false, "/roureq", "/srv/roureq"),
    ("/srv", Some("/rou"), false, "/rou", "/srv/rou"),
    ("/srv", Some("/"), false, "/", "/srv"),
    ("/srv", None, false, "/req/", "/srv/req/"),
    // What a prefix leaves over must not climb.
    ("/service", Some("/route"), true, "/route../req", "/service/req"),
    ("/service", Some("/route"), true, "/route./req", "/service/req"),
    ("/service", Some("/route"), true, "/route..", "/service"),
    ("/service", Some("/route"), true, "/route.", "/service"),
    ("/service", Some("/route"), true, "/route...", "/service/..."),
    ("/service/", Some("/route"), true, "/route../req", "/service/req"),
    // A regex takes off what it matched.
    ("/srv", Some("/users/12"), true, "/users/12/posts", "/srv/posts"),
];

#[test]
fn the_upstream_path_joins_service_and_request() {
    for &(base, matched, strip_path, request, expected) in UPSTREAM_PATHS {
        let row = (base, matched, strip_path, request);
        for path_handling in ["v0", "v1"] {
            let route = Route { strip_path, path_handling: path_handling.into(), ..route(1) };
            assert_eq!(upstream_path(Some(base), &route, request, matched), expected, "{row:?}");
        }
    }
}

#[test]
fn a_service_without_path_counts_as_slash() {
    assert_eq!(upstream_path(None, &route(1), "/a/b", Some("/a")), "/b");
    assert_eq!(upstream_path(Some(""), &route(1), "/a", Some("/a")), "/");
}
