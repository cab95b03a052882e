use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use polygate_chain::pdk::{Function, Reply};
use polygate_chain::{Key, Value};
use polygate_plugin_proto::msgpack::Reader;

use super::answer::{self, Packing};
use super::second_member;
use crate::generation::Flavor;
use crate::settings::BodyMode;

const FLAVORS: [Flavor; 4] = [Flavor::Go, Flavor::JavaScript, Flavor::Python, Flavor::Unknown];

/// The `Data` of an answer.
fn packed(name: &str, value: impl Into<Value>, flavor: Flavor) -> Bytes {
    in_mode(name, value, Packing { flavor, body: BodyMode::Bytes })
}

fn in_mode(name: &str, value: impl Into<Value>, packing: Packing) -> Bytes {
    let function = Function::from_name(name).expect("a PDK function");
    let mut out = BytesMut::new();
    answer::write(&mut out, function, &Reply::Value(Cow::Owned(value.into())), packing);
    out.freeze()
}

/// What a server makes of it.
fn sent(name: &str, value: impl Into<Value>, flavor: Flavor) -> Value {
    Reader::new(&packed(name, value, flavor)).value()
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(key, value)| (Key::from(key), value)).collect())
}

fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::List(items.into())
}

#[test]
fn numbers_without_a_fraction_are_integers() {
    assert_eq!(packed("kong.request.get_port", Value::Float(443.0), Flavor::Go), &b"\xcd\x01\xbb"[..]);
    let half = b"\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00";
    assert_eq!(packed("kong.request.get_http_version", 0.5, Flavor::Go), &half[..]);
}

#[test]
fn text_that_is_not_utf8_is_binary_except_for_go() {
    for flavor in FLAVORS {
        let header = packed("kong.request.get_header", Bytes::from_static(b"\xff"), flavor);
        let expected = if flavor == Flavor::Go { &b"\xa1\xff"[..] } else { b"\xc4\x01\xff" };
        assert_eq!(header, expected, "{flavor:?}");
    }
}

#[test]
fn raw_bodies_follow_the_mode() {
    for flavor in FLAVORS {
        let body = |text: &'static [u8], body| {
            let packing = Packing { flavor, body };
            let name = "kong.request.get_raw_body";
            Reader::new(&in_mode(name, Bytes::from_static(text), packing)).is_binary()
        };
        assert!(body(b"text", BodyMode::Bytes) && body(b"\xff", BodyMode::Bytes), "{flavor:?}");
        assert!(!body(b"text", BodyMode::Text));
        assert_eq!(body(b"\xff", BodyMode::Text), flavor != Flavor::Go);
    }
}

#[test]
fn borrowed_replies_are_packed_as_values_are() {
    let packing = Packing { flavor: Flavor::Python, body: BodyMode::Bytes };
    for name in ["kong.request.get_path", "kong.request.get_raw_body"] {
        let function = Function::from_name(name).expect("a PDK function");
        let mut out = BytesMut::new();
        answer::write(&mut out, function, &Reply::Bytes(b"/path"), packing);
        assert_eq!(out, packed(name, "/path", Flavor::Python));
    }
}

#[test]
fn multi_maps_hold_lists_only() {
    let query =
        || map([("flag", true.into()), ("one", "1".into()), ("many", list(["x".into(), true.into()]))]);
    for flavor in FLAVORS {
        let nothing: Value = if flavor == Flavor::Go { "".into() } else { true.into() };
        let expected =
            map([("flag", list([])), ("one", list(["1".into()])), ("many", list(["x".into(), nothing]))]);
        assert_eq!(sent("kong.request.get_query", query(), flavor), expected, "{flavor:?}");
        for empty in [map([]), list([])] {
            assert_eq!(packed("kong.request.get_query", empty, flavor), &b"\x80"[..]);
        }
    }
}

#[test]
fn only_go_misses_the_headers_of_a_route() {
    let route = || map([("id", "r".into()), ("headers", map([("x", list([]))]))]);
    assert_eq!(sent("kong.router.get_route", route(), Flavor::Go), map([("id", "r".into())]));
    assert_eq!(sent("kong.router.get_route", route(), Flavor::JavaScript), route());
}

#[test]
fn captures_keep_their_numbers() {
    let captures = || map([("unnamed", Value::Map(vec![(Key::Int(0), "/a".into())]))]);
    assert_eq!(sent("kong.request.get_uri_captures", captures(), Flavor::Python), captures());
}

#[test]
fn nil_members_do_not_exist() {
    let inner = map([("a", Value::Nil), ("b", 1.into())]);
    let outer = map([("nil", Value::Nil), ("inner", inner), ("list", list([Value::Nil, 1.into()]))]);
    let expected = map([("inner", map([("b", 1.into())])), ("list", list([Value::Nil, 1.into()]))]);
    assert_eq!(sent("kong.ctx.shared.get", outer, Flavor::Python), expected);
}

/// Whatever a client may name its arguments, headers and members.
fn odd_names() -> Vec<(Key, Value)> {
    let deep = vec![(Key::from("__proto__"), Value::Int(2)), (Key::Str(b"\xff"[..].into()), Value::Int(3))];
    vec![
        (Key::Str(b"\xfe"[..].into()), Value::Int(1)),
        (Key::Str(b"\xfd\xc3\xa4"[..].into()), Value::Map(deep)),
        (Key::from(""), Value::str(b"\xfc")),
        (Key::from("__proto__"), Value::Int(4)),
        (Key::from("constructor"), Value::Int(5)),
        (Key::Int(6), Value::Int(6)),
    ]
}

#[test]
fn keys_are_what_each_sdk_can_take() {
    for (flavor, has_proto) in [(Flavor::JavaScript, false), (Flavor::Unknown, false), (Flavor::Python, true)]
    {
        let proto = |value| has_proto.then_some((Key::from("__proto__"), Value::Int(value)));
        let deep = proto(2).into_iter().chain([(Key::from("ÿ"), Value::Int(3))]).collect();
        let mut expected = vec![
            (Key::from("þ"), Value::Int(1)),
            (Key::from("ýä"), Value::Map(deep)),
            (Key::from(""), Value::str(b"\xfc")),
        ];
        expected.extend(proto(4));
        expected.extend([(Key::from("constructor"), Value::Int(5)), (Key::Int(6), Value::Int(6))]);
        let got = sent("kong.ctx.shared.get", Value::Map(odd_names()), flavor);
        assert_eq!(got, Value::Map(expected), "{flavor:?}");
    }
    let got = sent("kong.ctx.shared.get", Value::Map(odd_names()), Flavor::Go);
    assert_eq!(got, Value::Map(odd_names()), "Go takes everything");
    // Multi-maps are written by themselves.
    let headers = map([("__proto__", "1".into()), ("a", "2".into())]);
    let expected = map([("a", list(["2".into()]))]);
    assert_eq!(sent("kong.request.get_headers", headers, Flavor::JavaScript), expected);
}

#[test]
fn maps_may_be_large() {
    let members: Vec<_> = (0..10_000).map(|n| (Key::from(format!("k{n}").as_str()), Value::Int(n))).collect();
    for flavor in FLAVORS {
        assert_eq!(
            sent("kong.ctx.shared.get", Value::Map(members.clone()), flavor),
            Value::Map(members.clone())
        );
    }
}

/// A plugin without a version has nil there, which must not be passed over.
#[test]
fn sdks_are_told_by_the_order_of_a_plugins_members() {
    let info = Bytes::from_static(b"\x83\xa4Name\xa1x\xa7Version\xc0\xa6Phases\x90");
    assert_eq!(second_member(&mut Reader::new(&info)), Some(&b"Version"[..]));
    assert_eq!(second_member(&mut Reader::new(&Bytes::from_static(b"\xc0"))), None);
}
