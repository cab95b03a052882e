//! From argument messages to values.

use bytes::Bytes;
use polygate_chain::{Key, Value};
use polygate_plugin_proto::protobuf::message::{
    AuthenticateArgs, AuthenticatedCredential, Bool, ByteString, Consumer, ConsumerSpec, ExitArgs, Int, Kv,
    ListValue, Struct, Target, Text,
};
use prost::{DecodeError, Message};
use smallvec::{SmallVec, smallvec};

use crate::wire::protobuf::shape::Argument;

/// The arguments in the order in which the PDK function takes them.
pub fn arguments(shape: Argument, message: Bytes) -> Result<SmallVec<[Value; 3]>, DecodeError> {
    Ok(match shape {
        Argument::Empty => smallvec![],
        Argument::String => smallvec![Text::decode(message)?.v.into()],
        Argument::Int => smallvec![i64::from(Int::decode(message)?.v).into()],
        Argument::Bool => smallvec![Bool::decode(message)?.v.into()],
        Argument::ByteString => smallvec![ByteString::decode(message)?.v.into()],
        Argument::Struct => smallvec![Value::table(Struct::decode(message)?.0)],
        Argument::ListValue => ListValue::decode(message)?.0.into(),
        Argument::KV => {
            let Kv { k, v } = Kv::decode(message)?;
            smallvec![k.into(), v.map_or(Value::Nil, |value| value.0)]
        }
        Argument::ConsumerSpec => {
            let ConsumerSpec { id, by_username } = ConsumerSpec::decode(message)?;
            smallvec![id.into(), by_username.into()]
        }
        Argument::AuthenticateArgs => {
            let AuthenticateArgs { consumer: who, credential: with } = AuthenticateArgs::decode(message)?;
            smallvec![who.map_or(Value::Nil, consumer), with.map_or(Value::Nil, credential)]
        }
        Argument::Target => {
            let Target { host, port } = Target::decode(message)?;
            smallvec![host.into(), i64::from(port).into()]
        }
        Argument::ExitArgs => {
            let ExitArgs { status, body, headers } = ExitArgs::decode(message)?;
            smallvec![
                i64::from(status).into(),
                body.into(),
                headers.map_or(Value::Nil, |headers| Value::table(headers.0))
            ]
        }
    })
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
