//! `MsgPack:1`: frames, the answers to events inside them, and what is sent to servers of each SDK.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use polygate_chain::pdk::{Function, Reply};
use polygate_plugin_host::wire::msgpack::answer::{self, Packing};
use polygate_plugin_host::{BodyMode, Flavor};
use polygate_plugin_proto::msgpack::{DecodeError, Decoder, Frame, Limits, Reader, Step, write};
use polygate_telemetry::{Level, log};
use polygate_value::{Key, Value};

/// Bytes of a connection.
pub fn msgpack(data: &[u8]) {
    // Members that are left out are logged.
    log::set_level(Level::Emerg);
    let (whole, pieces) = (values(data, data.len()), values(data, 1));
    assert_eq!(pieces, whole, "bytes one by one, and at once");
    for bytes in whole.0 {
        let value = Reader::new(&bytes).value();
        survives(&value);
        is_taken(&value);
        read_in_place(&bytes);
    }
    limits_hold(data, Limits { bytes: 64, depth: 3, values: 16 });
}

/// What a decoder makes of a stream that comes `size` bytes at a time.
fn values(data: &[u8], size: usize) -> (Vec<Bytes>, Option<DecodeError>) {
    let (mut decoder, mut buffer, mut values) = (Decoder::default(), BytesMut::new(), Vec::new());
    for piece in data.chunks(size.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode_value(&mut buffer) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(error) => return (values, Some(error)),
            }
        }
    }
    (values, None)
}

/// Compares bytes, since NaN does not equal itself.
fn survives(value: &Value) {
    let bytes = encoded(value);
    assert_eq!(encoded(&decoded(&bytes)), bytes, "{value:?} was written and read");
}

/// No value ends a server: keys are text, or integers, and none that JavaScript throws over.
fn is_taken(value: &Value) {
    for flavor in [Flavor::Unknown, Flavor::Go, Flavor::JavaScript, Flavor::Python] {
        for body in [BodyMode::Bytes, BodyMode::Text] {
            for function in [Function::CtxSharedGet, Function::RequestGetQuery, Function::RouterGetRoute] {
                if value.is_nil() {
                    continue;
                }
                let mut out = BytesMut::new();
                answer::write(
                    &mut out,
                    function,
                    &Reply::Value(Cow::Borrowed(value)),
                    Packing { flavor, body },
                );
                let sent = decoded(&out.freeze());
                assert!(flavor == Flavor::Go || has_keys(&sent, flavor), "{flavor:?} gets {sent:?}");
            }
        }
    }
}

fn has_keys(value: &Value, flavor: Flavor) -> bool {
    match value {
        Value::List(items) => items.iter().all(|item| has_keys(item, flavor)),
        Value::Map(members) => members.iter().all(|(key, value)| {
            let is_good = match key {
                Key::Int(_) => true,
                Key::Str(bytes) => {
                    str::from_utf8(bytes).is_ok() && (flavor == Flavor::Python || bytes != "__proto__")
                }
            };
            is_good && has_keys(value, flavor)
        }),
        _ => true,
    }
}

/// Frames and steps are told, or refused; a reader passes over a value where it would end.
fn read_in_place(bytes: &Bytes) {
    let mut reader = Reader::new(bytes);
    reader.skip();
    assert!(reader.rest().is_empty(), "{} bytes are left of {bytes:?}", reader.rest().len());
    if let Ok(Some(Frame::Response { outcome: Ok(result), .. })) =
        Decoder::default().decode(&mut BytesMut::from(&bytes[..]))
    {
        step(&result);
    }
    step(bytes);
}

fn step(result: &Bytes) {
    let Ok(step) = Step::read(result) else { return };
    let args = step.call.map(|call| call.args).unwrap_or_default();
    assert!(args.last().is_none_or(|last| !last.is_nil()), "nil is no argument at the end: {args:?}");
}

/// What comes through small limits is within them.
fn limits_hold(data: &[u8], limits: Limits) {
    let (mut decoder, mut buffer) = (Decoder::new(limits), BytesMut::from(data));
    while let Ok(Some(bytes)) = decoder.decode_value(&mut buffer) {
        assert!(bytes.len() <= limits.bytes, "{} bytes", bytes.len());
        let value = Reader::new(&bytes).value();
        assert!(depth(&value) <= limits.depth, "nested {} deep: {value:?}", depth(&value));
        assert!(count(&value) <= limits.values, "{} values: {value:?}", count(&value));
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::List(items) => items.iter().collect(),
        Value::Map(members) => members.iter().map(|(_, value)| value).collect(),
        _ => vec![],
    }
}

fn depth(value: &Value) -> usize {
    1 + children(value).into_iter().map(depth).max().unwrap_or(0)
}

fn count(value: &Value) -> usize {
    1 + children(value).into_iter().map(count).sum::<usize>()
}

fn encoded(value: &Value) -> Bytes {
    let mut out = BytesMut::new();
    write::value(&mut out, value);
    out.freeze()
}

fn decoded(bytes: &Bytes) -> Value {
    let mut buffer = BytesMut::from(&bytes[..]);
    let value = Decoder::default().decode_value(&mut buffer);
    assert!(buffer.is_empty(), "{} bytes are left of {bytes:?}", buffer.len());
    Reader::new(&value.expect("what was written is a value").expect("what was written is complete")).value()
}
