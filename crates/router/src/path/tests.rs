use super::*;
use crate::fixture::route;

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
