use bytes::{Bytes, BytesMut};
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
    let next = Argument::NextFunction("kong.log.err".into());
    assert_eq!(argument(frame(b"kong.log.err")), next);
    assert_eq!(argument(frame(b"\x0a\x01x")), Argument::Message(frame(b"\x0a\x01x")));
    assert_eq!(argument(Bytes::new()), Argument::Message(Bytes::new()));

    assert_eq!(name(&frame(b"kong.log.err"), 7), Ok(Name::Function("kong.log.err".into())));
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
    let null = Value::from(Kind::Null(0));
    assert_eq!(null.encode_to_vec(), b"\x08\x00");
    let content = RawBodyResult { kind: Some(RawBody::Content(Bytes::new())) };
    assert_eq!(content.encode_to_vec(), b"\x0a\x00");
    let headers = Struct { fields: [("a".to_owned(), Value::from(Kind::List(ListValue::default())))].into() };
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
