use std::borrow::Cow;

use bytes::{Buf as _, BytesMut};
use polygate_chain::pdk::Reply;
use polygate_chain::{Key, Value};
use polygate_plugin_proto::protobuf::message::*;
use prost::Message;

use super::answer;
use super::argument::arguments;
use super::shape::{Argument, Returned};

fn args(shape: Argument, message: impl Message) -> Vec<Value> {
    decoded(shape, &message.encode_to_vec()).expect("decodes")
}

fn decoded(shape: Argument, message: &[u8]) -> Result<Vec<Value>, prost::DecodeError> {
    arguments(shape, message.to_vec().into()).map(|args| args.into_vec())
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(key, value)| (Key::from(key), value)).collect())
}

/// What is in the frame that `write` appends.
fn frame(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    assert_eq!(out.get_u32_le() as usize, out.len());
    out.into()
}

fn answer(shape: Returned, value: Value) -> Vec<u8> {
    frame(|out| answer::write(out, shape, Reply::Value(Cow::Owned(value))))
}

fn returned<M: Message + Default>(shape: Returned, value: Value) -> M {
    M::decode(&answer(shape, value)[..]).expect("decodes")
}

mod arguments {
    use super::*;

    #[test]
    fn null_values_and_doubles_become_what_plugins_meant() {
        for (sent, value) in [
            (Value::Nil, Value::Nil),
            (Value::Bool(false), Value::Bool(false)),
            (Value::Float(5.0), Value::Int(5)),
            (Value::Float(0.5), Value::Float(0.5)),
        ] {
            let kv = Kv { k: "k".into(), v: Some(Dynamic(sent)) };
            assert_eq!(args(Argument::KV, kv), ["k".into(), value]);
        }
    }

    #[test]
    fn zero_is_a_message_of_no_bytes() {
        assert_eq!(args(Argument::Int, Int { v: 0 }), [Value::Int(0)]);
        assert_eq!(decoded(Argument::Int, b""), Ok(vec![Value::Int(0)]));
        assert_eq!(decoded(Argument::Empty, b""), Ok(vec![]));
    }

    #[test]
    fn binary_text_is_fine_where_bytes_are_expected() {
        let body = decoded(Argument::ByteString, b"\x0a\x02\xff\xfe");
        assert_eq!(body, Ok(vec![Value::str(b"\xff\xfe")]));
        assert!(decoded(Argument::String, b"\x0a\x02\xff\xfe").is_err());
    }

    #[test]
    fn exit_has_three_arguments() {
        let exit = ExitArgs { status: 204, ..ExitArgs::default() };
        assert_eq!(args(Argument::ExitArgs, exit), [Value::Int(204), Value::str(""), Value::Nil]);
        let headers = Struct(vec![("a".into(), Value::List(vec!["b".into()]))]);
        let exit = ExitArgs { status: 403, body: b"no"[..].into(), headers: Some(headers) };
        let expected = map([("a", Value::List(vec!["b".into()]))]);
        assert_eq!(args(Argument::ExitArgs, exit), [Value::Int(403), Value::str("no"), expected]);
    }

    #[test]
    fn absent_members_of_a_consumer_stay_absent() {
        let who = Consumer { id: "1".into(), username: "jon".into(), ..Consumer::default() };
        let both = AuthenticateArgs { consumer: Some(who), credential: None };
        let expected = map([("id", "1".into()), ("username", "jon".into())]);
        assert_eq!(args(Argument::AuthenticateArgs, both), [expected, Value::Nil]);
    }
}

mod answers {
    use super::*;

    #[test]
    fn nil_is_a_frame_of_no_bytes() {
        for shape in [Returned::String, Returned::Int, Returned::Struct, Returned::Consumer, Returned::Value]
        {
            assert_eq!(answer(shape, Value::Nil), b"");
        }
    }

    #[test]
    fn memory_stats_are_always_complete() {
        assert_eq!(answer(Returned::MemoryStats, Value::Nil), b"\x0a\x04\x0a\x00\x12\x00");
        let kong = map([("capacity", 7.into()), ("allocated_slabs", 3.into())]);
        let stats = map([("lua_shared_dicts", map([("kong", kong)]))]);
        let message: MemoryStats = returned(Returned::MemoryStats, stats);
        let dictionaries = message.lua_shared_dicts.expect("is there");
        assert_eq!(dictionaries.kong, Some(DictStats { allocated_slabs: 3, capacity: 7 }));
        assert_eq!(dictionaries.kong_db_cache, Some(DictStats::default()));
    }

    #[test]
    fn text_is_made_utf8() {
        let message: Text = returned(Returned::String, Value::str(b"a\xff"));
        assert_eq!(message.v, "a\u{fffd}");
        assert_eq!(answer(Returned::String, Value::Bool(true)), b"");
    }

    #[test]
    fn arguments_without_a_value_keep_their_key() {
        let query = map([
            ("flag", true.into()),
            ("one", "1".into()),
            ("many", Value::List(vec!["x".into(), true.into()])),
        ]);
        let message: Struct = returned(Returned::Struct, query);
        let expected = map([
            ("flag", Value::List(vec![])),
            ("one", "1".into()),
            ("many", Value::List(vec!["x".into(), "".into()])),
        ]);
        assert_eq!(Value::Map(message.0), expected);
    }

    #[test]
    fn an_empty_body_is_present() {
        assert_eq!(answer(Returned::RawBody, "".into()), b"\x0a\x00");
        assert_eq!(frame(|out| answer::write_body_error(out, "no".into())), b"\x1a\x02no");
        assert_eq!(frame(|out| answer::write_body_path(out, "/f".as_ref())), b"\x12\x02/f");
    }

    #[test]
    fn the_whole_match_is_not_sent() {
        let unnamed = Value::Map(vec![
            (Key::Int(1), "a".into()),
            (Key::Int(0), "/a/b".into()),
            (Key::Int(3), "b".into()),
        ]);
        let captures = map([("unnamed", unnamed), ("named", map([("n", "b".into())]))]);
        let message: UriCapturesResult = returned(Returned::UriCaptures, captures);
        assert_eq!(message.unnamed, [&b"a"[..], b"", b"b"]);
        assert_eq!(message.named["n"], b"b");
        assert_eq!(
            answer(
                Returned::UriCaptures,
                map([("unnamed", Value::List(vec![])), ("named", Value::List(vec![]))])
            ),
            b""
        );
    }

    #[test]
    fn a_route_leaves_its_headers_out() {
        let route = map([
            ("id", "r".into()),
            ("headers", map([("x", Value::List(vec!["y".into()]))])),
            ("methods", Value::List(vec!["GET".into()])),
            ("strip_path", true.into()),
            ("regex_priority", 0.into()),
            ("service", map([("id", "s".into())])),
        ]);
        let message: Route = returned(Returned::Route, route);
        assert_eq!((message.id.as_str(), message.strip_path), ("r", true));
        assert_eq!((message.headers, message.methods), (vec![], vec!["GET".to_owned()]));
        assert_eq!(message.service, Some(EntityKey { id: "s".into() }));
    }

    #[test]
    fn values_of_the_shared_context_keep_their_type() {
        let value = map([("n", 1.into()), ("b", false.into())]);
        let message: Dynamic = returned(Returned::Value, value.clone());
        assert_eq!(message.0, value);
    }

    #[test]
    fn borrowed_replies_are_packed_as_values_are() {
        for shape in [Returned::String, Returned::ByteString, Returned::RawBody, Returned::Value] {
            for text in [&b""[..], b"text", b"\xff"] {
                let borrowed = frame(|out| answer::write(out, shape, Reply::Bytes(text)));
                assert_eq!(borrowed, answer(shape, Value::str(text)), "{shape:?}");
            }
        }
    }
}
