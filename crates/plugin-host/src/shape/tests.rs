use polygate_chain::Key;
use polygate_plugin_proto::protobuf::message::*;
use prost::Message;

use super::*;

fn args(shape: Argument, message: impl Message) -> Vec<polygate_chain::Value> {
    arguments(shape, message.encode_to_vec().into()).expect("decodes")
}

fn map<const N: usize>(members: [(&str, polygate_chain::Value); N]) -> polygate_chain::Value {
    polygate_chain::Value::Map(members.into_iter().map(|(key, value)| (Key::from(key), value)).collect())
}

fn returned<M: Message + Default>(shape: Returned, value: polygate_chain::Value) -> M {
    M::decode(&answer(shape, value)[..]).expect("decodes")
}

mod arguments {
    use polygate_chain::Value;

    use super::*;

    #[test]
    fn null_values_and_doubles_become_what_plugins_meant() {
        let kv = |kind| Kv { k: "k".into(), v: Some(super::Value::from(kind)) };
        assert_eq!(args(Argument::KV, kv(Kind::Null(0))), ["k".into(), Value::Nil]);
        assert_eq!(args(Argument::KV, kv(Kind::Bool(false))), ["k".into(), Value::Bool(false)]);
        assert_eq!(args(Argument::KV, kv(Kind::Number(5.0))), ["k".into(), Value::Int(5)]);
        assert_eq!(args(Argument::KV, kv(Kind::Number(0.5))), ["k".into(), Value::Float(0.5)]);
    }

    #[test]
    fn zero_is_a_message_of_no_bytes() {
        assert_eq!(args(Argument::Int, Int { v: 0 }), [Value::Int(0)]);
        assert_eq!(super::super::arguments(Argument::Int, Default::default()), Ok(vec![Value::Int(0)]));
        assert_eq!(super::super::arguments(Argument::Empty, Default::default()), Ok(vec![]));
    }

    #[test]
    fn binary_text_is_fine_where_bytes_are_expected() {
        let body = arguments(Argument::ByteString, b"\x0a\x02\xff\xfe".as_slice().into());
        assert_eq!(body, Ok(vec![Value::str(b"\xff\xfe")]));
        assert!(arguments(Argument::String, b"\x0a\x02\xff\xfe".as_slice().into()).is_err());
    }

    #[test]
    fn exit_has_three_arguments() {
        let exit = ExitArgs { status: 204, ..ExitArgs::default() };
        assert_eq!(args(Argument::ExitArgs, exit), [Value::Int(204), Value::str(""), Value::Nil]);
        let list = Kind::List(ListValue { values: vec![Kind::Text("b".into()).into()] });
        let headers = Struct { fields: [("a".to_owned(), list.into())].into() };
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
    use polygate_chain::Value;

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
        let texts = |key: &str| match &message.fields[key].kind {
            Some(Kind::Text(text)) => vec![text.clone()],
            Some(Kind::List(list)) => list.values.iter().map(|it| format!("{:?}", it.kind)).collect(),
            other => panic!("{other:?}"),
        };
        assert_eq!(texts("flag"), Vec::<String>::new());
        assert_eq!(texts("one"), ["1"]);
        assert_eq!(texts("many"), [r#"Some(Text("x"))"#, r#"Some(Text(""))"#]);
    }

    #[test]
    fn an_empty_body_is_present() {
        assert_eq!(answer(Returned::RawBody, "".into()), b"\x0a\x00");
        assert_eq!(raw_body_error("no".into()), b"\x1a\x02no");
    }

    #[test]
    fn the_whole_match_is_not_sent() {
        let unnamed = Value::Map(vec![
            (Key::Int(1), "a".into()),
            (Key::Int(0), "/a/b".into()),
            (Key::Int(2), "b".into()),
        ]);
        let captures = map([("unnamed", unnamed), ("named", map([("n", "b".into())]))]);
        let message: UriCapturesResult = returned(Returned::UriCaptures, captures);
        assert_eq!(message.unnamed, [&b"a"[..], b"b"]);
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
        let message: super::Value = returned(Returned::Value, map([("n", 1.into()), ("b", false.into())]));
        let Some(Kind::Struct(fields)) = message.kind else { panic!("{message:?}") };
        assert_eq!(fields.fields["n"].kind, Some(Kind::Number(1.0)));
        assert_eq!(fields.fields["b"].kind, Some(Kind::Bool(false)));
    }
}
