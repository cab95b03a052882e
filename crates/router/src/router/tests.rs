//! What one route matches, which of several wins, and that the index agrees with trying all.

mod reference;

use std::collections::BTreeMap;

use polygate_model::Protocol;

use super::*;
use crate::fixture::{route, strings};
use crate::query::Headers;

fn router(routes: impl IntoIterator<Item = Route>) -> Router {
    let routes: Vec<_> = routes.into_iter().map(|route| (Arc::new(route.into()), None)).collect();
    Router::build(&routes).unwrap()
}

fn query<'a>(host: &'a str, path: &'a str) -> Query<'a> {
    let headers: &'a [(&str, &str); 0] = &[];
    Query { method: "GET", host, path, headers, is_tls: false, sni: None, source: None, destination: None }
}

fn id(found: Option<Match>) -> Option<u128> {
    found.map(|found| found.route.id.as_u128())
}

fn with_headers(list: &[(&str, &[&str])]) -> Option<BTreeMap<String, Vec<String>>> {
    Some(list.iter().map(|(name, values)| ((*name).into(), strings(values).unwrap_or_default())).collect())
}

#[test]
fn hosts_match_exactly_by_wildcard_and_by_port() {
    let one = |pattern: &str| router([Route { hosts: strings(&[pattern]), ..route(1) }]);
    let check = |pattern: &str, host: &str, expected: bool| {
        assert_eq!(one(pattern).select(&query(host, "/")).is_some(), expected, "{pattern} {host}");
    };
    check("a.com", "a.com", true);
    check("a.com", "a.com:8000", true);
    check("a.com", "A.com", false);
    check("a.com", "", false);
    check("*.a.com", "x.a.com", true);
    check("*.a.com", "x.y.a.com:1", true);
    check("*.a.com", "a.com", false);
    check("a.*", "a.com", true);
    check("a.*", "a.co.uk", true);
    check("a.*", "b.a.com", false);
    check("a.com:80", "a.com:80", true);
    check("a.com:80", "a.com:81", false);
    check("a.com:80", "a.com", false);
    check("*.a.com:80", "x.a.com:80", true);
    check("[::1]:80", "[::1]:80", true);
}

#[test]
fn the_listener_gives_the_port_when_the_host_has_none() {
    let router = router([Route { hosts: strings(&["a.com:80"]), ..route(1) }]);
    let at = |host, port| Query { destination: Some(([127, 0, 0, 1], port).into()), ..query(host, "/") };
    assert!(router.select(&at("a.com", 80)).is_some());
    assert!(router.select(&at("a.com", 81)).is_none());
    assert!(router.select(&at("a.com:80", 81)).is_some());
}

#[test]
fn prefixes_do_not_look_at_segments() {
    let router = router([Route { paths: strings(&["/rou"]), ..route(1) }]);
    let found = router.select(&query("", "/route")).unwrap();
    assert_eq!(found.matched_prefix.as_deref(), Some("/rou"));
    assert_eq!(found.captures, None);
    assert!(router.select(&query("", "/ro")).is_none());
}

#[test]
fn a_regex_is_anchored_at_the_start_only_and_captures() {
    let router = router([Route { paths: strings(&[r"~/users/(?<id>\d+)/(a|b)?"]), ..route(1) }]);
    let found = router.select(&query("", "/users/12/x")).unwrap();
    assert_eq!(found.matched_prefix.as_deref(), Some("/users/12/"));
    let captures = found.captures.unwrap();
    let unnamed: Vec<_> = captures.unnamed.iter().map(Option::as_deref).collect();
    assert_eq!(unnamed, [Some("/users/12/"), Some("12"), None]);
    assert_eq!(captures.named, [("id".to_owned(), "12".to_owned())]);
    assert!(router.select(&query("", "/x/users/12/")).is_none());
}

#[test]
fn a_regex_without_groups_captures_nothing() {
    let router = router([Route { paths: strings(&["~/a+"]), ..route(1) }]);
    let found = router.select(&query("", "/aab")).unwrap();
    assert_eq!((found.matched_prefix.as_deref(), found.captures), (Some("/aa"), None));
}

#[test]
fn the_first_regex_of_a_group_gives_the_captures() {
    let router = router([Route { paths: strings(&["~/a/(x)", "~/a/(?<all>.*)", "/a"]), ..route(1) }]);
    let named = |path| router.select(&query("", path)).unwrap().captures.unwrap().named;
    assert_eq!(named("/a/x"), []);
    assert_eq!(named("/a/y"), [("all".to_owned(), "y".to_owned())]);
}

#[test]
fn header_values_match_in_any_case_or_by_regex() {
    let headers = with_headers(&[("X_Version", &["V1", "~*^beta-[0-9]+$"]), ("x-b", &["1"])]);
    let router = router([Route { headers, ..route(1) }]);
    let check = |list: &[(&str, &str)], expected: bool| {
        let headers: polygate_http1::Headers = list.iter().copied().collect();
        let query = Query { headers: &headers as &dyn Headers, ..query("", "/") };
        assert_eq!(router.select(&query).is_some(), expected, "{list:?}");
    };
    check(&[("x-version", "v1"), ("X-B", "1")], true);
    check(&[("x_version", "Beta-12"), ("x-b", "1")], true);
    check(&[("x-version", "v2"), ("x-version", "V1"), ("x_b", "1")], true);
    check(&[("x-version", "beta-"), ("x-b", "1")], false);
    check(&[("x-version", "v1")], false);
    check(&[], false);
}

#[test]
fn server_names_constrain_tls_connections_only() {
    let router = router([Route { snis: strings(&["a.com.", "*.b.com"]), ..route(1) }]);
    let tls = |sni| router.select(&Query { is_tls: true, sni, ..query("", "/") }).is_some();
    assert!(tls(Some("a.com")) && tls(Some("x.b.com")));
    assert!(!tls(Some("c.com")) && !tls(None));
    assert!(router.select(&query("", "/")).is_some());
}

#[test]
fn methods_are_exact() {
    let router = router([Route { methods: strings(&["GET", "POST"]), ..route(1) }]);
    let with = |method| router.select(&Query { method, ..query("", "/") }).is_some();
    assert!(with("POST") && !with("post") && !with("PUT"));
}

#[test]
fn protocols_do_not_take_part_but_the_subsystem_does() {
    let https = Route { protocols: vec![Protocol::Https], paths: strings(&["/"]), ..route(1) };
    let tcp = Route { protocols: vec![Protocol::Tcp], ..route(2) };
    assert_eq!(id(router([https, tcp]).select(&query("", "/"))), Some(1));
}

#[test]
fn ranks_decide_between_routes() {
    let host = Route { hosts: strings(&["a.com"]), ..route(1) };
    let wildcard = Route { hosts: strings(&["*.com"]), ..route(9) };
    let path = Route { paths: strings(&["/long/path"]), ..route(8) };
    let regex = Route { paths: strings(&["~/l"]), ..route(2) };
    let both = Route { hosts: strings(&["*.com"]), paths: strings(&["/"]), ..route(3) };
    let all = [&host, &wildcard, &path, &regex, &both];
    let best = |routes: &[&Route]| {
        id(router(routes.iter().map(|&route| route.clone())).select(&query("a.com", "/long/path")))
    };
    assert_eq!(best(&all), Some(3), "more fields first");
    assert_eq!(best(&[&host, &wildcard]), Some(1), "a plain host before a wildcard");
    assert_eq!(best(&[&path, &regex]), Some(2), "a regex before a prefix");
    assert_eq!(best(&[&host, &regex]), Some(1), "a plain host before a regex");
    let more = Route { regex_priority: 1, ..route(1) };
    let more = Route { paths: strings(&["~/"]), ..more };
    assert_eq!(best(&[&regex, &more]), Some(1), "the higher regex_priority");
    let short = Route { paths: strings(&["/long"]), ..route(10) };
    assert_eq!(best(&[&path, &short]), Some(8), "the longer prefix");
    let twin = Route { paths: strings(&["/long/path"]), ..route(11) };
    assert_eq!(best(&[&twin, &path]), Some(11), "the larger id");
}

#[test]
fn each_path_length_ranks_on_its_own_and_reports_the_route() {
    let split = Route { paths: strings(&["/a", "/a/b/c"]), ..route(1) };
    let between = Route { paths: strings(&["/a/b"]), ..route(2) };
    let router = router([split, between]);
    assert_eq!(id(router.select(&query("", "/a/b/c"))), Some(1));
    assert_eq!(id(router.select(&query("", "/a/b"))), Some(2));
    assert_eq!(id(router.select(&query("", "/a/x"))), Some(1));
}

#[test]
fn a_bad_regex_is_named() {
    let named = Route { name: Some("users".into()), paths: strings(&["~/(?=x)"]), ..route(1) };
    let error = Router::build(&[(Arc::new(named.into()), None)]).unwrap_err();
    let expected = "route users (00000000-0000-0000-0000-000000000001): paths: invalid regex '~/(?=x)', \
                    correct it or drop the leading '~'";
    assert_eq!(error.to_string(), expected);
    let header = Route { headers: with_headers(&[("x-a", &["~*("])]), ..route(1) };
    let error = Router::build(&[(Arc::new(header.into()), None)]).unwrap_err();
    assert!(error.to_string().contains("headers.x-a: invalid regex '~*('"), "{error}");
}

#[test]
fn too_many_headers_are_warned_of() {
    let headers = Some((0..256).map(|number| (format!("x-{number}"), vec!["1".into()])).collect());
    let router = router([Route { headers, ..route(1) }]);
    assert_eq!(router.warnings().len(), 1);
    assert!(router.warnings()[0].contains("256 names count as 255"), "{:?}", router.warnings());
}
