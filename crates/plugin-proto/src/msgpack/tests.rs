use bytes::{Bytes, BytesMut};
use polygate_value::{Key, Value};

use super::*;

fn decode_all(bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::from(bytes);
    std::iter::from_fn(|| decoder.decode(&mut buffer).expect("decodes")).collect()
}

/// The only value in `bytes`.
fn whole(bytes: &[u8]) -> Bytes {
    let mut buffer = BytesMut::from(bytes);
    let value = Decoder::default().decode_value(&mut buffer).expect("decodes").expect("is complete");
    assert!(buffer.is_empty());
    value
}

fn read(bytes: &[u8]) -> Value {
    Reader::new(&whole(bytes)).value()
}

fn written(value: &Value) -> Vec<u8> {
    let mut out = BytesMut::new();
    write::value(&mut out, value);
    out.into()
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (Key::from(name), value)).collect())
}

#[test]
fn the_smallest_event_start_is_these_bytes() {
    let mut out = BytesMut::new();
    write::request(&mut out, 1, "plugin.HandleEvent");
    write::value(&mut out, &map([("InstanceId", Value::Int(5)), ("EventName", "access".into())]));
    let mut expected = vec![0x94, 0x00, 0x01, 0xb2];
    expected.extend(b"plugin.HandleEvent");
    expected.extend([0x91, 0x82, 0xaa]);
    expected.extend(b"InstanceId\x05\xa9EventName\xa6access");
    assert_eq!(out, expected);
}

#[test]
fn frames_are_told_apart() {
    let frames = decode_all(
        b"\x93\x02\xa9serverPid\xcd\x10\x00\x94\x01\x07\xc0\xa2ok\x94\x01\x08\xa0\xc0\x94\x00\x09\xa1m\x91\x05",
    );
    let bytes = Bytes::from_static;
    assert_eq!(frames[0], Frame::Notification { label: bytes(b"serverPid"), args: bytes(b"\xcd\x10\x00") });
    assert_eq!(frames[1], Frame::Response { id: 7, outcome: Ok(bytes(b"\xa2ok")) });
    // The empty string is an error too: a bare `assert` in a Python constructor.
    assert_eq!(frames[2], Frame::Response { id: 8, outcome: Err(String::new()) });
    assert_eq!(frames[3], Frame::Request { id: 9, method: bytes(b"m"), params: bytes(b"\x91\x05") });
}

#[test]
fn a_frame_may_arrive_byte_by_byte() {
    let bytes =
        b"\x94\x01\x02\xc0\x82\xa7EventId\x00\xa4Data\x82\xa6Method\xa8kong.log\xa4Args\x91\xc4\x02\xff\xfe";
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::new();
    for _ in 0..2 {
        for &byte in &bytes[..bytes.len() - 1] {
            buffer.extend_from_slice(&[byte]);
            assert_eq!(decoder.decode(&mut buffer), Ok(None));
        }
        buffer.extend_from_slice(&bytes[bytes.len() - 1..]);
        let frame = decoder.decode(&mut buffer).expect("decodes");
        let Some(Frame::Response { id: 2, outcome: Ok(result) }) = frame else { panic!("a response") };
        let call = Step::read(&result).expect("is a step").call.expect("is a call");
        assert_eq!((call.method, &call.args[..]), ("kong.log", &[Value::str(b"\xff\xfe")][..]));
    }
}

#[test]
fn every_family_survives_a_round_trip() {
    let mut values = vec![Value::Nil, Value::Bool(true), Value::Bool(false)];
    let numbers = [
        0,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        1 << 32,
        -1,
        -32,
        -33,
        -128,
        -129,
        -32_769,
        i64::MIN,
        i64::MAX,
    ];
    values.extend(numbers.map(Value::Int));
    values.extend([0.5, -1e300].map(Value::Float));
    for length in [0, 31, 32, 255, 256, 65_535, 65_536] {
        values.push(Value::str(vec![b'x'; length]));
        values.push(Value::str(vec![0xfe; length]));
    }
    for length in [0, 15, 16, 65_536] {
        values.push(Value::List(vec![Value::Int(1); length]));
        values.push(Value::Map((0..length as i64).map(|n| (Key::Int(n), Value::Int(n))).collect()));
    }
    for value in values {
        assert_eq!(read(&written(&value)), value);
    }
}

#[test]
fn integers_take_the_unsigned_forms() {
    for (value, bytes) in [
        (Value::Int(443), &[0xcd, 0x01, 0xbb][..]),
        (Value::Float(443.0), &[0xcd, 0x01, 0xbb]),
        (Value::Int(200), &[0xcc, 200]),
        (Value::Int(-100), &[0xd0, 0x9c]),
    ] {
        assert_eq!(written(&value), bytes);
    }
}

#[test]
fn values_are_taken_in_any_form() {
    for (bytes, value) in [
        (&b"\xcb\x40\x69\x00\x00\x00\x00\x00\x00"[..], Value::Int(200)),
        (b"\xca\x3f\x00\x00\x00", Value::Float(0.5)),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", Value::Float(u64::MAX as f64)),
        (b"\xc4\x01x", Value::str("x")),
        (b"\xd9\x01x", Value::str("x")),
        (b"\xd4\xffx", Value::str("x")),
        (b"\xc7\x02\xffxy", Value::str("xy")),
        (b"\x92\x01\xc0", Value::List(vec![Value::Int(1)])),
        (b"\x92\xc0\x01", Value::List(vec![Value::Nil, Value::Int(1)])),
        (b"\x82\xa1a\xc0\xa1b\x81\xa1c\xc0", map([("b", Value::Map(vec![]))])),
        (
            b"\x83\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\x01\xc3\x02\x90\x03",
            Value::Map(vec![
                (Key::Int(1), Value::Int(1)),
                (Key::from("true"), Value::Int(2)),
                (Key::from(""), Value::Int(3)),
            ]),
        ),
    ] {
        assert_eq!(read(bytes), value, "{bytes:?}");
    }
}

#[test]
fn a_reader_passes_over_what_it_was_not_asked_for() {
    let frame = whole(b"\x95\x92\x01\x81\xa1a\x02\xa1x\xcb\x40\x00\x00\x00\x00\x00\x00\x00\xc4\x01y\x80");
    let mut reader = Reader::new(&frame);
    assert_eq!(reader.array(), Some(5));
    assert_eq!(reader.map(), None, "an array");
    assert_eq!(reader.int(), None, "a text");
    assert_eq!(reader.clone().bytes(), None, "a number");
    assert_eq!(reader.int(), Some(2));
    assert!(reader.is_binary());
    assert_eq!(reader.bytes(), Some(&b"y"[..]));
    assert_eq!((reader.map(), &reader.rest()[..]), (Some(0), &b""[..]));
    assert_eq!((reader.value(), reader.bytes(), reader.array()), (Value::Nil, None, None));
}

#[test]
fn what_is_announced_too_large_is_refused_at_once() {
    let limits = Limits { bytes: 1000, depth: 3, values: 100 };
    let check = |bytes: &[u8]| Decoder::new(limits).decode_value(&mut BytesMut::from(bytes));
    assert_eq!(check(b"\xdb\x00\x01\x00\x00"), Err(DecodeError::TooLarge { limit: 1000 }));
    assert_eq!(check(b"\xdd\xff\xff\xff\xff"), Err(DecodeError::TooLarge { limit: 1000 }));
    assert_eq!(check(b"\xdf\xff\xff\xff\xff"), Err(DecodeError::TooLarge { limit: 1000 }));
    assert_eq!(check(b"\xdc\x00\xc8"), Err(DecodeError::TooMany { limit: 100 }));
    assert_eq!(check(b"\x91\x91\x91\x91\xc0"), Err(DecodeError::TooDeep { limit: 3 }));
    assert_eq!(check(b"\xc1"), Err(DecodeError::Reserved));
    assert_eq!(check(b"\x92\x01"), Ok(None));
}

#[test]
fn frames_of_another_shape_are_errors() {
    for bytes in
        [&b"\xc0"[..], b"\x90", b"\x94\x03\x00\xc0\xc0", b"\x94\x01\xa1x\xc0\xc0", b"\x93\x01\x00\xc0"]
    {
        let outcome = Decoder::default().decode(&mut BytesMut::from(bytes));
        assert!(matches!(outcome, Err(DecodeError::NotAFrame(_))), "{bytes:?} gave {outcome:?}");
    }
}

#[test]
fn steps_accept_what_the_servers_send() {
    let step = |bytes: &[u8]| {
        let result = whole(bytes);
        let step = Step::read(&result)?;
        let call = step.call.map(|call| (call.method.to_owned(), call.args.to_vec()));
        Ok((step.event, call))
    };
    // In any order, and the id as a float.
    assert_eq!(step(b"\x82\xa4Data\xa3ret\xa7EventId\xcb\x40\x08\x00\x00\x00\x00\x00\x00"), Ok((3, None)));
    assert_eq!(step(b"\x83\xa5Other\x80\xa7EventId\x03\xa4Data\xc4\x03ret"), Ok((3, None)));
    let call = |args: &[u8]| {
        step(&[b"\x82\xa7EventId\x03\xa4Data\x82\xa4Args", args, b"\xa6Method\xa8kong.log"].concat())
    };
    let expected = |args: Vec<Value>| Ok((3, Some(("kong.log".to_owned(), args))));
    for nothing in [&b"\xc0"[..], b"\x90", b"\x80", b"\x91\xc0"] {
        assert_eq!(call(nothing), expected(vec![]), "{nothing:?}");
    }
    assert_eq!(call(b"\x94\xc0\x01\xc0\xc0"), expected(vec![Value::Nil, Value::Int(1)]));
    for wrong in [
        &b"\x82\xa7EventId\x03\xa4Data\xa6return"[..],
        b"\x82\xa7EventId\x03\xa4Data\xc0",
        b"\x81\xa7EventId\x03",
        b"\x81\xa4Data\xa3ret",
        b"\x82\xa7EventId\x03\xa4Data\x81\xa4Args\x90",
        b"\x82\xa7EventId\x03\xa4Data\x81\xa6Method\xc4\x01\xff",
        b"\xa3ret",
    ] {
        assert!(matches!(step(wrong), Err(DecodeError::NotAStep(_))), "{wrong:?}");
    }
}

#[test]
fn errors_quote_little() {
    let text = |bytes: &[u8]| match &decode_all(bytes)[..] {
        [Frame::Response { outcome: Err(text), .. }] => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(text(b"\x94\x01\x00\x81\xa1a\x01\xc0"), r#"{"a":1}"#);
    let long = [&b"\x94\x01\x00\xda\x01\x00"[..], &[b'x'; 256], b"\xc0"].concat();
    assert_eq!(text(&long), format!("{}...", "x".repeat(200)));
}
