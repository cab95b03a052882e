use bytes::{Bytes, BytesMut};
use polygate_value::{Key, Value};
use prost::Message;

use super::message::*;
use super::*;

#[test]
fn an_event_starts_and_ends_with_these_bytes() {
    let mut out = BytesMut::new();
    let event = HandleEvent { instance_id: 5, event_name: "access".into() };
    write_message(&mut out, &RpcCall { sequence: 2, call: Some(Call::HandleEvent(event)) });
    assert_eq!(out, &b"\x0f\0\0\0\x08\x02\xa2\x02\x0a\x08\x05\x12\x06access"[..]);

    let mut input = BytesMut::from(&b"\0\0\0\0\x02\0\0\0\x08\x02"[..]);
    let decoder = Decoder::default();
    let end = decoder.decode(&mut input).expect("fits").expect("is complete");
    assert_eq!(name(&end, 2), Ok(Name::End));
    let answer = decoder.decode(&mut input).expect("fits").expect("is complete");
    assert_eq!(RpcReturn::decode(answer).expect("decodes"), RpcReturn { sequence: 2, value: None });
}

#[test]
fn a_frame_whose_content_follows_is_an_ordinary_one() {
    for length in [0, 127, 128, 70_000] {
        let content = Bytes::from(vec![b'x'; length]);
        let mut out = BytesMut::new();
        write_bytes_head(&mut out, RawBody::CONTENT, length as u32);
        out.extend_from_slice(&content);
        let mut expected = BytesMut::new();
        write_message(&mut expected, &RawBodyResult { kind: Some(RawBody::Content(content)) });
        assert_eq!(out, expected, "{length}");
    }
}

#[test]
fn frames_wait_for_their_last_byte_and_have_a_limit() {
    let decoder = Decoder { limit: 8 };
    let mut input = BytesMut::new();
    for byte in b"\x03\0\0\0ab" {
        input.extend_from_slice(&[*byte]);
        assert_eq!(decoder.decode(&mut input), Ok(None));
    }
    input.extend_from_slice(b"c");
    assert_eq!(decoder.decode(&mut input), Ok(Some(Bytes::from_static(b"abc"))));
    let mut input = BytesMut::from(&b"\x09\0\0\0"[..]);
    assert_eq!(decoder.decode(&mut input), Err(TooLarge { length: 9, limit: 8 }));
}

#[test]
fn a_lost_argument_frame_is_noticed() {
    let frame = Bytes::from_static;
    let next = Argument::NextFunction(frame(b"kong.log.err"));
    assert_eq!(argument(frame(b"kong.log.err")), next);
    assert_eq!(argument(frame(b"\x0a\x01x")), Argument::Message(frame(b"\x0a\x01x")));
    assert_eq!(argument(Bytes::new()), Argument::Message(Bytes::new()));

    assert_eq!(name(&frame(b"kong.log.err"), 7), Ok(Name::Function(frame(b"kong.log.err"))));
    assert_eq!(name(&frame(b"\x08\x07"), 7), Ok(Name::EndSlipped));
    let error = name(&frame(b"\x08\x08"), 7).expect_err("is another event's");
    assert_eq!(error.to_string(), r"expected the name of a PDK function, got a frame of 2 bytes: \x08\x08");
}

#[test]
fn messages_have_their_bytes() {
    let empty = MemoryStats {
        lua_shared_dicts: Some(SharedDicts {
            kong: Some(DictStats::default()),
            kong_db_cache: Some(DictStats::default()),
        }),
        workers_lua_vms: vec![],
    };
    assert_eq!(empty.encode_to_vec(), b"\x0a\x04\x0a\x00\x12\x00");
    assert_eq!(Dynamic(Value::Nil).encode_to_vec(), b"\x08\x00");
    let content = RawBodyResult { kind: Some(RawBody::Content(Bytes::new())) };
    assert_eq!(content.encode_to_vec(), b"\x0a\x00");
    let headers = Struct(vec![("a".into(), Value::List(vec![]))]);
    assert_eq!(headers.encode_to_vec(), b"\x0a\x07\x0a\x01a\x12\x02\x32\x00");
    let service = Route { service: Some(EntityKey { id: "s".into() }), ..Route::default() };
    assert_eq!(service.encode_to_vec(), b"\x92\x01\x03\x0a\x01s");
    let captures = UriCapturesResult {
        unnamed: vec![Bytes::from_static(b"\xff")],
        named: [("n".to_owned(), b"v".to_vec())].into(),
    };
    assert_eq!(captures.encode_to_vec(), b"\x0a\x01\xff\x12\x06\x0a\x01n\x12\x01v");
}

#[test]
fn text_that_is_not_utf8_is_an_error_not_a_panic() {
    assert!(Text::decode(&b"\x0a\x02\xff\xfe"[..]).is_err());
    assert_eq!(
        ByteString::decode(&b"\x0a\x02\xff\xfe"[..]).expect("bytes may be anything").v,
        &b"\xff\xfe"[..]
    );
}

#[test]
fn values_of_any_kind_survive() {
    let map = |members: Vec<(&str, Value)>| {
        Value::Map(members.into_iter().map(|(name, value)| (Key::from(name), value)).collect())
    };
    let nested = map(vec![
        ("list", Value::List(vec![Value::Nil, Value::Int(-1), map(vec![])])),
        ("text", "x".repeat(300).into()),
        ("half", Value::Float(0.5)),
        ("no", false.into()),
    ]);
    let message = Dynamic(nested);
    let bytes = message.encode_to_vec();
    assert_eq!(bytes.len(), message.encoded_len());
    assert_eq!(Dynamic::decode(&bytes[..]), Ok(message));
}

#[test]
fn values_become_what_was_meant() {
    for (sent, read) in [
        (Value::Float(5.0), Value::Int(5)),
        (Value::str(b"\xff"), Value::str("\u{fffd}")),
        (Value::Map(vec![("gone".into(), Value::Nil)]), Value::Map(vec![])),
        (Value::List(vec![Value::Int(1), Value::Nil]), Value::List(vec![Value::Int(1)])),
        (Value::Map(vec![(Key::Int(1), true.into())]), Value::Map(vec![("1".into(), true.into())])),
    ] {
        let bytes = Dynamic(sent).encode_to_vec();
        assert_eq!(Dynamic::decode(&bytes[..]), Ok(Dynamic(read)));
    }
    // What no sane plugin sends: lists in lists until the stack would end.
    let mut deep = vec![0x08, 0x00];
    for _ in 0..1000 {
        let mut list = Vec::new();
        write_bytes(&mut list, 1, &deep);
        deep.clear();
        write_bytes(&mut deep, 6, &list);
    }
    assert!(Dynamic::decode(&deep[..]).is_err());
}
