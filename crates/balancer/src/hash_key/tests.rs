use super::*;
use crate::fixture::upstream;

/// A request that has what is listed, as `kind:name`.
struct Parts(&'static [(&'static str, &'static str)]);

impl Parts {
    fn get(&self, key: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned())
    }
}

impl HashSource for Parts {
    fn consumer(&self) -> Option<String> {
        self.get("consumer")
    }
    fn ip(&self) -> Option<String> {
        self.get("ip")
    }
    fn header(&self, name: &str) -> Option<String> {
        self.get(&format!("header:{name}"))
    }
    fn cookie(&self, name: &str) -> Option<String> {
        self.get(&format!("cookie:{name}"))
    }
    fn path(&self) -> Option<String> {
        self.get("path")
    }
    fn query_arg(&self, name: &str) -> Vec<String> {
        let key = format!("arg:{name}");
        self.0.iter().filter(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned()).collect()
    }
    fn uri_capture(&self, name: &str) -> Option<String> {
        self.get(&format!("capture:{name}"))
    }
    fn new_uuid(&self) -> String {
        "new".into()
    }
}

const EVERYTHING: Parts = Parts(&[
    ("consumer", "c1"),
    ("ip", "10.0.0.1"),
    ("header:x-a", "h1"),
    ("header:x-b", "h2"),
    ("cookie:sid", "k1"),
    ("path", "/p"),
    ("arg:q", "b"),
    ("arg:q", "a"),
    ("capture:id", "7"),
]);

fn hashing(hash_on: HashOn, hash_fallback: HashOn) -> Upstream {
    let name = |text: &str| Some(text.to_owned());
    Upstream {
        algorithm: Algorithm::ConsistentHashing,
        hash_on,
        hash_fallback,
        hash_on_header: name("x-a"),
        hash_fallback_header: name("x-b"),
        hash_on_cookie: name("sid"),
        hash_on_cookie_path: "/app".into(),
        hash_on_query_arg: name("q"),
        hash_fallback_query_arg: name("r"),
        hash_on_uri_capture: name("id"),
        ..upstream()
    }
}

#[test]
fn each_part_can_be_hashed() {
    for (hash_on, expected) in [
        (HashOn::None, ""),
        (HashOn::Consumer, "c1"),
        (HashOn::Ip, "10.0.0.1"),
        (HashOn::Header, "h1"),
        (HashOn::Cookie, "k1"),
        (HashOn::Path, "/p"),
        (HashOn::QueryArg, "a,b"),
        (HashOn::UriCapture, "7"),
    ] {
        let key = hash_key(&hashing(hash_on, HashOn::None), &EVERYTHING);
        assert_eq!(key, HashKey { key: expected.into(), set_cookie: None }, "{hash_on:?}");
    }
}

#[test]
fn what_is_missing_falls_back() {
    let only_fallback = Parts(&[("header:x-b", "h2"), ("arg:r", "1")]);
    let key = |on, fallback, parts: &Parts| hash_key(&hashing(on, fallback), parts).key;
    assert_eq!(key(HashOn::Header, HashOn::Header, &only_fallback), "h2");
    assert_eq!(key(HashOn::Consumer, HashOn::QueryArg, &only_fallback), "1");
    assert_eq!(key(HashOn::Consumer, HashOn::Ip, &only_fallback), "");
    assert_eq!(key(HashOn::Consumer, HashOn::UriCapture, &EVERYTHING), "c1");
}

#[test]
fn a_client_without_the_cookie_gets_one() {
    let expected =
        HashKey { key: "new".into(), set_cookie: Some("sid=new; Path=/app; Same-Site=Lax; HttpOnly".into()) };
    assert_eq!(hash_key(&hashing(HashOn::Cookie, HashOn::None), &Parts(&[])), expected);
    assert_eq!(hash_key(&hashing(HashOn::Consumer, HashOn::Cookie), &Parts(&[])), expected);
    assert_eq!(hash_key(&hashing(HashOn::Consumer, HashOn::Cookie), &EVERYTHING).set_cookie, None);
    let without = Parts(&[("consumer", "c1")]);
    let expected = HashKey { key: "c1".into(), ..expected };
    assert_eq!(hash_key(&hashing(HashOn::Consumer, HashOn::Cookie), &without), expected);
}

#[test]
fn other_algorithms_hash_nothing() {
    let upstream = Upstream { algorithm: Algorithm::RoundRobin, ..hashing(HashOn::Cookie, HashOn::None) };
    assert_eq!(hash_key(&upstream, &Parts(&[])), HashKey::default());
}
