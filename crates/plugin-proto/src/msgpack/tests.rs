use super::*;

fn decode_all(bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::from(bytes);
    std::iter::from_fn(|| decoder.decode(&mut buffer).expect("decodes")).collect()
}

fn round_trip(value: &Value) -> Value {
    let mut buffer = BytesMut::new();
    value.write(&mut buffer);
    let decoded = Decoder::default().decode_value(&mut buffer).expect("decodes").expect("is complete");
    assert!(buffer.is_empty());
    decoded
}

#[test]
fn the_smallest_event_start_is_these_bytes() {
    let mut out = BytesMut::new();
    let event = Value::map([("InstanceId", Value::Int(5)), ("EventName", Value::str("access"))]);
    write_request(&mut out, 1, "plugin.HandleEvent", &[event]);
    let mut expected = vec![0x94, 0x00, 0x01, 0xb2];
    expected.extend(b"plugin.HandleEvent");
    expected.extend([0x91, 0x82, 0xaa]);
    expected.extend(b"InstanceId\x05\xa9EventName\xa6access");
    assert_eq!(out, expected);
}

#[test]
fn a_request_whose_content_follows_is_an_ordinary_one() {
    for length in [0, 31, 32, 255, 256, 70_000] {
        for is_text in [false, true] {
            let content = Bytes::from(vec![b'x'; length]);
            let mut out = BytesMut::new();
            let event = ("EventId", Value::Int(7));
            let last = ("Data", is_text, length as u32);
            write_request_head(&mut out, 3, "plugin.Step", std::slice::from_ref(&event), last);
            out.extend_from_slice(&content);
            let data = if is_text { Value::Str(content) } else { Value::Bin(content) };
            let mut expected = BytesMut::new();
            write_request(&mut expected, 3, "plugin.Step", &[Value::map([event, ("Data", data)])]);
            assert_eq!(out, expected, "{length} {is_text}");
        }
    }
}

#[test]
fn responses_and_notifications_decode() {
    let frames = decode_all(b"\x93\x02\xa9serverPid\xcd\x10\x00\x94\x01\x07\xc0\xa2ok\x94\x01\x08\xa0\xc0");
    let notification =
        Frame::Notification { label: Bytes::from_static(b"serverPid"), args: Value::Int(4096) };
    assert_eq!(frames[0], notification);
    assert_eq!(frames[1], Frame::Response { id: 7, outcome: Ok(Value::str("ok")) });
    // The empty string is an error too: a bare `assert` in a Python constructor.
    assert_eq!(frames[2], Frame::Response { id: 8, outcome: Err(Value::str("")) });
}

#[test]
fn a_frame_may_arrive_byte_by_byte() {
    let bytes =
        b"\x94\x01\x02\xc0\x82\xa7EventId\x00\xa4Data\x82\xa6Method\xa8kong.log\xa4Args\x91\xc4\x02\xff\xfe";
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::new();
    for &byte in &bytes[..bytes.len() - 1] {
        buffer.extend_from_slice(&[byte]);
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
    }
    buffer.extend_from_slice(&bytes[bytes.len() - 1..]);
    let Some(Frame::Response { id: 2, outcome: Ok(value) }) = decoder.decode(&mut buffer).expect("decodes")
    else {
        panic!("a response")
    };
    let step = StepData::from_value(value).expect("is a step");
    assert_eq!(
        step.step,
        Step::Call { method: "kong.log".into(), args: vec![Value::Bin(Bytes::from_static(b"\xff\xfe"))] }
    );
}

#[test]
fn every_family_survives_a_round_trip() {
    let long = |n: usize| Bytes::from(vec![0xfe; n]);
    let mut values = vec![Value::Nil, Value::Bool(true), Value::Bool(false), Value::UInt(u64::MAX)];
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
        values.push(Value::Str(long(length)));
        values.push(Value::Bin(long(length)));
        values.push(Value::Ext(-1, long(length)));
    }
    for length in [0, 15, 16, 65_536] {
        values.push(Value::Array(vec![Value::Int(1); length]));
        values.push(Value::Map((0..length as i64).map(|n| (Value::Int(n), Value::Nil)).collect()));
    }
    for value in values {
        assert_eq!(round_trip(&value), value);
    }
}

#[test]
fn integers_take_the_unsigned_forms() {
    let bytes = |n: i64| {
        let mut out = BytesMut::new();
        Value::Int(n).write(&mut out);
        out.to_vec()
    };
    assert_eq!(bytes(443), [0xcd, 0x01, 0xbb]);
    assert_eq!(bytes(200), [0xcc, 200]);
    assert_eq!(bytes(-100), [0xd0, 0x9c]);
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
    let step = |data| StepData::from_value(Value::map([("Data", data), ("EventId", Value::Float(3.0))]));
    assert_eq!(step(Value::str("ret")), Ok(StepData { event_id: 3, step: Step::Return }));
    let call = |args| step(Value::map([("Args", args), ("Method", Value::str("kong.client.get_ip"))]));
    let expected =
        |args| StepData { event_id: 3, step: Step::Call { method: "kong.client.get_ip".into(), args } };
    assert_eq!(call(Value::Nil), Ok(expected(vec![])));
    assert_eq!(call(Value::Array(vec![])), Ok(expected(vec![])));
    let nils = Value::Array(vec![Value::Nil, Value::Int(1), Value::Nil, Value::Nil]);
    assert_eq!(call(nils), Ok(expected(vec![Value::Nil, Value::Int(1)])));
    assert!(matches!(step(Value::str("return")), Err(DecodeError::NotAStep(_))));
    assert!(matches!(step(Value::Nil), Err(DecodeError::NotAStep(_))));
    assert_eq!(StepData::from_value(expected(vec![]).to_value()), Ok(expected(vec![])));
}

#[test]
fn keys_that_are_no_names_stay_short_in_json() {
    let key = |key| Value::Map(vec![(key, Value::Int(1))]).to_json().to_string();
    assert_eq!(key(Value::Int(5)), r#"{"5":1}"#);
    assert_eq!(key(Value::Array(vec![Value::str("a")])), r#"{"[...]":1}"#);
    // Each level once escaped the one inside it: this would have been 2^100 backslashes.
    let nested = (0..100).fold(Value::str("a"), |key, _| Value::Map(vec![(key, Value::Nil)]));
    assert_eq!(nested.preview(), r#"{"{...}":null}"#);
}
