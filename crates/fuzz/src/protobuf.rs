//! `ProtoBuf:1`: frames, what they mean by where they stand, and the messages inside.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use polygate_chain::pdk::{Function, Reply};
use polygate_plugin_host::wire::protobuf::answer;
use polygate_plugin_host::wire::protobuf::argument::arguments;
use polygate_plugin_host::wire::protobuf::shape::{Argument, Returned};
use polygate_plugin_host::wire::protobuf::shapes::shapes;
use polygate_plugin_proto::protobuf::message::{
    AuthenticateArgs, ByteString, ConsumerSpec, Dynamic, ExitArgs, Kv, ListValue, MemoryStats, RawBodyResult,
    Route, RpcCall, RpcReturn, Service, Struct, Target, Text, UriCapturesResult,
};
use polygate_plugin_proto::protobuf::{self as proto, Decoder, Message, Name, TooLarge};

/// The messages that carry arguments and results, each once.
static SHAPES: LazyLock<(Vec<Argument>, Vec<Returned>)> = LazyLock::new(|| {
    let (mut arguments, mut results) = (Vec::new(), Vec::new());
    for (argument, returned) in Function::ALL.into_iter().filter_map(shapes) {
        if !arguments.contains(&argument) {
            arguments.push(argument);
        }
        if !results.contains(&returned) {
            results.push(returned);
        }
    }
    (arguments, results)
});

/// Bytes of a connection; also taken for one message as they are.
pub fn protobuf(data: &[u8]) {
    let limit = Decoder::default().limit;
    let whole = frames(data, data.len(), limit);
    assert_eq!(frames(data, 1, limit), whole, "bytes one by one, and at once");
    whole.0.into_iter().for_each(frame);
    frame(Bytes::copy_from_slice(data));

    let (small, error) = frames(data, data.len(), 8);
    assert!(small.iter().all(|frame| frame.len() <= 8), "frames over the limit: {small:?}");
    assert!(error.is_none_or(|error| error.length > 8), "refused within the limit: {error:?}");
}

/// What a decoder makes of a stream that comes `size` bytes at a time.
fn frames(data: &[u8], size: usize, limit: usize) -> (Vec<Bytes>, Option<TooLarge>) {
    let (decoder, mut buffer, mut frames) = (Decoder { limit }, BytesMut::new(), Vec::new());
    for piece in data.chunks(size.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fn frame(frame: Bytes) {
    let mut out = BytesMut::new();
    proto::write_frame(&mut out, &frame);
    assert_eq!(Decoder::default().decode(&mut out), Ok(Some(frame.clone())));
    classified(&frame);
    messages(&frame);
    for &shape in &SHAPES.0 {
        answered(shape, &frame);
    }
}

/// A name in place of an argument is told from one, and a name is one wherever it stands.
fn classified(frame: &Bytes) {
    let name = proto::name(frame, 1);
    match (proto::argument(frame.clone()), &name) {
        (proto::Argument::NextFunction(next), Ok(Name::Function(name))) => assert_eq!(next, *name),
        (proto::Argument::Message(message), Ok(Name::End | Name::EndSlipped) | Err(_)) => {
            assert_eq!(message, frame);
        }
        (argument, name) => panic!("{frame:?} is both {argument:?} and {name:?}"),
    }
    assert_eq!(name == Ok(Name::End), frame.is_empty());
}

fn messages(frame: &Bytes) {
    message::<RpcCall>(frame);
    message::<RpcReturn>(frame);
    message::<Text>(frame);
    message::<ByteString>(frame);
    message::<Kv>(frame);
    message::<Dynamic>(frame);
    message::<Struct>(frame);
    message::<ListValue>(frame);
    message::<ExitArgs>(frame);
    message::<RawBodyResult>(frame);
    message::<UriCapturesResult>(frame);
    message::<Target>(frame);
    message::<ConsumerSpec>(frame);
    message::<AuthenticateArgs>(frame);
    message::<Route>(frame);
    message::<Service>(frame);
    message::<MemoryStats>(frame);
}

/// Compares bytes, since NaN does not equal itself.
fn message<M: Message + Default + Debug>(frame: &Bytes) {
    let Ok(message) = M::decode(frame.clone()) else { return };
    let bytes = message.encode_to_vec();
    let again = M::decode(&bytes[..]).unwrap_or_else(|error| panic!("{message:?} does not decode: {error}"));
    assert_eq!(again.encode_to_vec(), bytes, "{message:?} was written and read");
    assert!(!bytes.starts_with(b"kong."), "{message:?} looks like the name of a function");
}

/// Whatever a plugin passes, every kind of answer can be made of it.
fn answered(shape: Argument, frame: &Bytes) {
    let Ok(values) = arguments(shape, frame.clone()) else { return };
    for value in values {
        for &returned in &SHAPES.1 {
            let mut out = BytesMut::new();
            answer::write(&mut out, returned, Reply::Value(Cow::Borrowed(&value)));
            let frame = Decoder::default().decode(&mut out).expect("what was written is a frame");
            assert!(out.is_empty(), "{} bytes are left behind the answer", out.len());
            is_readable(returned, &frame.expect("what was written is complete"));
        }
    }
}

fn is_readable(shape: Returned, bytes: &[u8]) {
    let decoded = match shape {
        Returned::Value => Dynamic::decode(bytes).err(),
        Returned::Struct => Struct::decode(bytes).err(),
        Returned::String => Text::decode(bytes).err(),
        Returned::UriCaptures => UriCapturesResult::decode(bytes).err(),
        Returned::Route => Route::decode(bytes).err(),
        Returned::Service => Service::decode(bytes).err(),
        _ => None,
    };
    assert_eq!(decoded, None, "an answer as {shape:?}");
}
