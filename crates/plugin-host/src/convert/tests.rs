use super::*;

const STEP: &str = "plugin.Step";
const MULTI_MAP: &str = "plugin.StepMultiMap";

fn function(name: &str) -> Function {
    Function::from_name(name).expect("a PDK function")
}

fn data(name: &str, step: &str, value: Value, flavor: Flavor) -> Option<Wire> {
    to_msgpack(function(name), step, value, flavor, BodyMode::Auto)
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(key, value)| (Key::from(key), value)).collect())
}

#[test]
fn nil_has_no_data() {
    assert_eq!(data("kong.request.get_header", STEP, Value::Nil, Flavor::JavaScript), None);
}

#[test]
fn numbers_without_a_fraction_are_integers() {
    let number = |value| data("kong.request.get_port", STEP, value, Flavor::Go);
    assert_eq!(number(Value::Float(443.0)), Some(Wire::Int(443)));
    assert_eq!(number(Value::Float(1.1)), Some(Wire::Float(1.1)));
}

#[test]
fn text_that_is_not_utf8_is_binary_except_for_go() {
    let header = |flavor| data("kong.request.get_header", STEP, Value::str(b"\xff"), flavor);
    let bytes = Bytes::from_static(b"\xff");
    assert_eq!(header(Flavor::Go), Some(Wire::Str(bytes.clone())));
    for flavor in [Flavor::JavaScript, Flavor::Python, Flavor::Unknown] {
        assert_eq!(header(flavor), Some(Wire::Bin(bytes.clone())));
    }
}

#[test]
fn raw_bodies_follow_the_mode() {
    let text = || Value::str("text");
    let binary = || Value::str(b"\xff");
    let body = |value, flavor, mode| match to_msgpack(
        function("kong.request.get_raw_body"),
        STEP,
        value,
        flavor,
        mode,
    ) {
        Some(Wire::Str(_)) => "str",
        Some(Wire::Bin(_)) => "bin",
        other => panic!("{other:?}"),
    };
    assert_eq!(body(text(), Flavor::JavaScript, BodyMode::Auto), "str");
    assert_eq!(body(binary(), Flavor::JavaScript, BodyMode::Auto), "bin");
    assert_eq!(body(text(), Flavor::Python, BodyMode::Auto), "bin");
    assert_eq!(body(text(), Flavor::JavaScript, BodyMode::Bytes), "bin");
    assert_eq!(body(text(), Flavor::Python, BodyMode::Text), "str");
    assert_eq!(body(binary(), Flavor::Python, BodyMode::Text), "bin");
}

#[test]
fn multi_maps_hold_lists_only() {
    let query = || {
        map([
            ("flag", true.into()),
            ("one", "1".into()),
            ("many", Value::List(vec!["x".into(), true.into()])),
        ])
    };
    let list = |items: Vec<Wire>| Wire::Array(items);
    let packed = |flavor| data("kong.request.get_query", MULTI_MAP, query(), flavor).expect("is there");
    let go = packed(Flavor::Go);
    assert_eq!(go.get("flag"), Some(&list(vec![])));
    assert_eq!(go.get("one"), Some(&list(vec![Wire::str("1")])));
    assert_eq!(go.get("many"), Some(&list(vec![Wire::str("x"), Wire::str("")])));
    assert_eq!(packed(Flavor::Python).get("many"), Some(&list(vec![Wire::str("x"), Wire::Bool(true)])));
    for empty in [Value::Map(vec![]), Value::List(vec![])] {
        assert_eq!(data("kong.request.get_query", MULTI_MAP, empty, Flavor::Go), Some(Wire::Map(vec![])));
    }
}

#[test]
fn only_go_misses_the_headers_of_a_route() {
    let route = || map([("id", "r".into()), ("headers", map([("x", Value::List(vec![]))]))]);
    let packed =
        |flavor| data("kong.router.get_route", "plugin.StepRoute", route(), flavor).expect("is there");
    assert_eq!(packed(Flavor::Go).get("headers"), None);
    assert_eq!(packed(Flavor::Go).get("id"), Some(&Wire::str("r")));
    assert!(packed(Flavor::JavaScript).get("headers").is_some());
}

#[test]
fn captures_keep_their_numbers() {
    let unnamed = Value::Map(vec![(Key::Int(0), "/a".into())]);
    let packed = data("kong.request.get_uri_captures", STEP, map([("unnamed", unnamed)]), Flavor::Python);
    let expected = Wire::Map(vec![(Wire::Int(0), Wire::str("/a"))]);
    assert_eq!(packed.expect("is there").get("unnamed"), Some(&expected));
}

#[test]
fn arguments_are_taken_in_any_form() {
    assert_eq!(from_msgpack(Wire::Float(200.0)), Value::Int(200));
    assert_eq!(from_msgpack(Wire::Bin(Bytes::from_static(b"x"))), Value::str("x"));
    let odd = Wire::Map(vec![(Wire::Float(1.0), Wire::Int(1)), (Wire::Bool(true), Wire::Int(2))]);
    let expected = Value::Map(vec![(Key::Int(1), Value::Int(1)), (Key::from("true"), Value::Int(2))]);
    assert_eq!(from_msgpack(odd), expected);
}

#[test]
fn nil_members_do_not_exist() {
    let inner = Wire::map([("a", Wire::Nil), ("b", Wire::Int(1))]);
    let list = Wire::Array(vec![Wire::Nil, Wire::Int(1), Wire::Nil, Wire::Nil]);
    let outer = Wire::map([("nil", Wire::Nil), ("inner", inner), ("list", list)]);
    let list = Value::List(vec![Value::Nil, Value::Int(1)]);
    let expected = map([("inner", map([("b", Value::Int(1))])), ("list", list)]);
    assert_eq!(from_msgpack(outer), expected);
}
