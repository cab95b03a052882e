//! Calls, and the frames of an event.

use bytes::{Bytes, BytesMut};
use polygate_plugin_proto::protobuf::message::{Call, Return, RpcCall, RpcReturn};
use polygate_plugin_proto::protobuf::{Decoder, write_message};
use prost::Message;

use crate::channel::{CallError, Channel};

#[derive(Debug)]
pub(crate) struct Connection {
    pub channel: Channel,
    decoder: Decoder,
    /// Of the latest call.
    sequence: i64,
    /// Its end is not here yet.
    is_busy: bool,
}

impl Connection {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { channel, decoder: Decoder::default(), sequence: 0, is_busy: false }
    }

    pub(crate) fn is_free(&self) -> bool {
        !self.is_busy
    }

    /// Begins a call; it is sent when something is read.
    pub(super) fn call(&mut self, call: Call) {
        debug_assert!(!self.is_busy, "a connection serves one call at a time");
        self.is_busy = true;
        self.sequence += 1;
        write_message(&mut self.channel.output, &RpcCall { sequence: self.sequence, call: Some(call) });
    }

    pub(super) fn sequence(&self) -> i64 {
        self.sequence
    }

    /// Where frames are appended; they are sent when something is read.
    pub(super) fn output(&mut self) -> &mut BytesMut {
        &mut self.channel.output
    }

    /// The next frame.
    pub(super) async fn frame(&mut self) -> Result<Bytes, CallError> {
        let channel = &mut self.channel;
        loop {
            channel.flush().await?;
            match self.decoder.decode(&mut channel.input) {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => channel.fill().await?,
                Err(error) => return Err(channel.refuse(error)),
            }
        }
    }

    /// Reads the end of the call, after which the connection is free for another.
    pub(super) async fn end(&mut self) -> Result<Option<Return>, CallError> {
        match RpcReturn::decode(self.frame().await?) {
            Ok(end) if end.sequence == self.sequence => {
                self.is_busy = false;
                Ok(end.value)
            }
            Ok(end) => {
                let expected = self.sequence;
                Err(self.channel.refuse(format!("expected the end of call {expected}, got {}", end.sequence)))
            }
            Err(error) => Err(self.channel.refuse(error)),
        }
    }
}
