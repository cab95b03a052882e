//! `MsgPack:1`: frames, and the answers to events inside them.

use bytes::BytesMut;
use polygate_plugin_proto::msgpack::{
    DecodeError, Decoder, Frame, Limits, StepData, Value, write_notification, write_request, write_response,
};

/// Bytes of a connection.
pub fn msgpack(data: &[u8]) {
    let (whole, pieces) = (values(data, data.len()), values(data, 1));
    assert_eq!(format!("{pieces:?}"), format!("{whole:?}"), "bytes one by one, and at once");
    for value in whole.0 {
        value_survives(&value);
        frame_survives(&value);
        step_survives(value);
    }
    limits_hold(data, Limits { bytes: 64, depth: 3, values: 16 });
}

/// What a decoder makes of a stream that comes `size` bytes at a time.
fn values(data: &[u8], size: usize) -> (Vec<Value>, Option<DecodeError>) {
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
fn value_survives(value: &Value) {
    let bytes = encoded(|out| value.write(out));
    let again = decode_value(&bytes);
    assert_eq!(encoded(|out| again.write(out)), bytes, "{value:?} was written and read");
    assert!(value.preview().chars().count() <= 203, "a preview is short: {}", value.preview());
}

fn frame_survives(value: &Value) {
    let bytes = encoded(|out| value.write(out));
    let Ok(Some(frame)) = Decoder::default().decode(&mut bytes.clone()) else { return };
    let Some(bytes) = encode_frame(&frame) else { return };
    let again = Decoder::default().decode(&mut bytes.clone());
    assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, DecodeError>(Some(frame))));
}

/// `None` for names that are not UTF-8, which we never write.
fn encode_frame(frame: &Frame) -> Option<BytesMut> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some(match frame {
        Frame::Request { id, method, params } => {
            let method = text(method)?;
            encoded(|out| write_request(out, *id, method, params))
        }
        Frame::Response { id, outcome } => encoded(|out| write_response(out, *id, outcome.as_ref())),
        Frame::Notification { label, args } => {
            let label = text(label)?;
            encoded(|out| write_notification(out, label, args))
        }
    })
}

fn step_survives(value: Value) {
    let Ok(step) = StepData::from_value(value) else { return };
    let again = StepData::from_value(step.to_value());
    assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, DecodeError>(step)));
}

/// What comes through small limits is within them.
fn limits_hold(data: &[u8], limits: Limits) {
    let (mut decoder, mut buffer) = (Decoder::new(limits), BytesMut::from(data));
    loop {
        let before = buffer.len();
        let Ok(Some(value)) = decoder.decode_value(&mut buffer) else { return };
        assert!(before - buffer.len() <= limits.bytes, "{} bytes", before - buffer.len());
        assert!(depth(&value) <= limits.depth, "nested {} deep: {value:?}", depth(&value));
        assert!(count(&value) <= limits.values, "{} values: {value:?}", count(&value));
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Map(members) => members.iter().flat_map(|(key, value)| [key, value]).collect(),
        _ => vec![],
    }
}

fn depth(value: &Value) -> usize {
    1 + children(value).into_iter().map(depth).max().unwrap_or(0)
}

fn count(value: &Value) -> usize {
    1 + children(value).into_iter().map(count).sum::<usize>()
}

fn encoded(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}

fn decode_value(bytes: &BytesMut) -> Value {
    let mut buffer = bytes.clone();
    let value = Decoder::default().decode_value(&mut buffer);
    assert!(buffer.is_empty(), "{} bytes are left of {bytes:?}", buffer.len());
    value.expect("what was written is a value").expect("what was written is complete")
}
