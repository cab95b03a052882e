//! Calls over MessagePack-RPC.

use bytes::{Bytes, BytesMut};
use polygate_plugin_proto::msgpack::{Decoder, Frame, write};

use crate::channel::{CallError, Channel};

#[derive(Debug)]
pub(crate) struct Connection {
    pub channel: Channel,
    /// The event that the server waits in for an answer; it ends before the connection is free.
    pub event: Option<i64>,
    decoder: Decoder,
    /// Of the latest request.
    id: u32,
    /// Its answer is not here yet.
    is_busy: bool,
    /// It said so in the notification that Go servers send.
    is_go: bool,
}

impl Connection {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { channel, event: None, decoder: Decoder::default(), id: 0, is_busy: false, is_go: false }
    }

    pub(crate) fn is_free(&self) -> bool {
        !self.is_busy && self.event.is_none()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    pub(super) fn is_go(&self) -> bool {
        self.is_go
    }

    /// Begins a request: its only parameter has to be appended. [`Connection::answer`] sends it.
    pub(super) fn request(&mut self, method: &str) -> &mut BytesMut {
        debug_assert!(!self.is_busy, "two requests on one connection kill a JavaScript server");
        self.is_busy = true;
        self.id = self.id.wrapping_add(1);
        write::request(&mut self.channel.output, self.id, method);
        &mut self.channel.output
    }

    /// Requests that an instance's handler is run.
    pub(super) fn handle_event(&mut self, instance: i64, phase: &str) {
        let out = self.request("plugin.HandleEvent");
        write::map(out, 2);
        write::text(out, b"InstanceId");
        write::int(out, instance);
        write::text(out, b"EventName");
        write::text(out, phase.as_bytes());
    }

    /// The result of the request, still encoded. Can be called again when it was not waited for to its end.
    pub(super) async fn answer(&mut self) -> Result<Bytes, CallError> {
        let channel = &mut self.channel;
        loop {
            channel.flush().await?;
            match self.decoder.decode(&mut channel.input) {
                Ok(Some(Frame::Response { id, outcome })) if id == self.id => {
                    self.is_busy = false;
                    return outcome.map_err(CallError::Remote);
                }
                Ok(Some(Frame::Response { id, .. })) => {
                    let expected = self.id;
                    return Err(channel
                        .refuse(format!("expected the answer to request {expected}, got that to {id}")));
                }
                // Only Go servers send it. Which process it is the kernel tells as well.
                Ok(Some(Frame::Notification { label, .. })) => self.is_go |= label == "serverPid",
                Ok(Some(Frame::Request { .. })) => return Err(channel.refuse("the server sent a request")),
                Ok(None) => channel.fill().await?,
                Err(error) => return Err(channel.refuse(error)),
            }
        }
    }
}
