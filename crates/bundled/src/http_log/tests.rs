use std::collections::BTreeMap;

use super::*;

#[test]
fn headers_about_the_body_are_the_plugins() {
    let given = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let headers = headers(given("x-key", "1"), None).unwrap();
    assert_eq!(
        (&headers["x-key"], &headers["content-type"]),
        (&"1".parse().unwrap(), &"application/json".parse().unwrap())
    );
    assert!(super::headers(given("bad name", "1"), None).is_err());
    assert!(super::headers(given("x", "a\r\nb: c"), None).is_err());
}

#[test]
fn endpoints_are_urls_of_http() {
    for (url, expected) in [
        ("http://a.test", Some("/")),
        ("https://u:p@a.test:8443/x/y?z=1", Some("/x/y")),
        ("ftp://a.test/", None),
        ("nonsense", None),
        ("http://", None),
    ] {
        assert_eq!(Endpoint::parse(url).ok().map(|endpoint| endpoint.path).as_deref(), expected, "of {url}");
    }
}
