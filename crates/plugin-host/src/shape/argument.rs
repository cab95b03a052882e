//! From argument messages to values.

use bytes::Bytes;
use polygate_chain::{Key, Value};
use polygate_plugin_proto::protobuf::message::{
    AuthenticateArgs, AuthenticatedCredential, Bool, ByteString, Consumer, ConsumerSpec, ExitArgs, Int, Kind,
    Kv, ListValue, Struct, Target, Text, Value as Wire,
};
use prost::{DecodeError, Message};

use crate::shape::Argument;

/// The arguments in the order in which the PDK function takes them.
pub fn arguments(shape: Argument, message: Bytes) -> Result<Vec<Value>, DecodeError> {
    Ok(match shape {
        Argument::Empty => vec![],
        Argument::String => vec![Text::decode(message)?.v.into()],
        Argument::Int => vec![i64::from(Int::decode(message)?.v).into()],
        Argument::Bool => vec![Bool::decode(message)?.v.into()],
        Argument::ByteString => vec![ByteString::decode(message)?.v.into()],
        Argument::Struct => vec![map(Struct::decode(message)?)],
        Argument::ListValue => ListValue::decode(message)?.values.into_iter().map(value).collect(),
        Argument::KV => {
            let Kv { k, v } = Kv::decode(message)?;
            vec![k.into(), v.map_or(Value::Nil, value)]
        }
        Argument::ConsumerSpec => {
            let ConsumerSpec { id, by_username } = ConsumerSpec::decode(message)?;
            vec![id.into(), by_username.into()]
        }
        Argument::AuthenticateArgs => {
            let AuthenticateArgs { consumer: who, credential: with } = AuthenticateArgs::decode(message)?;
            vec![who.map_or(Value::Nil, consumer), with.map_or(Value::Nil, credential)]
        }
        Argument::Target => {
            let Target { host, port } = Target::decode(message)?;
            vec![host.into(), i64::from(port).into()]
        }
        Argument::ExitArgs => {
            let ExitArgs { status, body, headers } = ExitArgs::decode(message)?;
            vec![i64::from(status).into(), body.into(), headers.map_or(Value::Nil, map)]
        }
    })
}

/// Numbers are always doubles on the wire; those without a fraction become integers again.
fn value(wire: Wire) -> Value {
    match wire.kind {
        None | Some(Kind::Null(_)) => Value::Nil,
        Some(Kind::Number(number)) => Value::number(number),
        Some(Kind::Text(text)) => text.into(),
        Some(Kind::Bool(b)) => Value::Bool(b),
        Some(Kind::Struct(members)) => map(members),
        Some(Kind::List(list)) => Value::list(list.values.into_iter().map(value)),
    }
}

fn map(members: Struct) -> Value {
    Value::table(members.fields.into_iter().map(|(name, it)| (Key::Str(name.into()), value(it))))
}

fn consumer(consumer: Consumer) -> Value {
    let Consumer { id, created_at, username, custom_id, tags } = consumer;
    let mut members = texts([("id", id), ("username", username), ("custom_id", custom_id)]);
    if created_at != 0 {
        members.push(("created_at".into(), created_at.into()));
    }
    if !tags.is_empty() {
        members.push(("tags".into(), tags.into_iter().collect()));
    }
    Value::Map(members)
}

fn credential(credential: AuthenticatedCredential) -> Value {
    Value::Map(texts([("id", credential.id), ("consumer_id", credential.consumer_id)]))
}

/// The wire does not tell an empty text from an absent one; entities have no empty texts.
fn texts<const N: usize>(members: [(&str, String); N]) -> Vec<(Key, Value)> {
    let present = members.into_iter().filter(|(_, text)| !text.is_empty());
    present.map(|(name, text)| (name.into(), text.into())).collect()
}
