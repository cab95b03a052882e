//! Calls over `ProtoBuf:1`.

use std::sync::Arc;

use bytes::Bytes;
use polygate_chain::SpooledFile;
use polygate_plugin_proto::protobuf::message::{Call, InstanceStatus, Return, RpcCall, RpcReturn};
use polygate_plugin_proto::protobuf::{write_bytes_head, write_frame, write_message};
use prost::Message;

use crate::connection::{CallError, Connection};

impl Connection {
    /// Sends a call and answers its sequence number.
    pub(crate) fn send_call(&mut self, call: Call) -> i64 {
        debug_assert!(!self.busy, "a connection serves one call at a time");
        self.next_id = self.next_id.wrapping_add(1);
        self.busy = true;
        let sequence = i64::from(self.next_id);
        write_message(&mut self.output, &RpcCall { sequence, call: Some(call) });
        sequence
    }

    pub(crate) fn send_frame(&mut self, frame: &[u8]) {
        write_frame(&mut self.output, frame);
    }

    /// A frame whose field `field` is the content of a file.
    pub(crate) fn send_file_frame(&mut self, field: u32, file: Arc<SpooledFile>) {
        write_bytes_head(&mut self.output, field, file.len() as u32);
        self.send_file(file);
    }

    /// Sends what was written and reads the next frame.
    pub(crate) async fn frame(&mut self) -> Result<Bytes, CallError> {
        loop {
            self.flush().await?;
            match self.frames.decode(&mut self.input) {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => self.fill().await?,
                Err(error) => return Err(self.refuse(error)),
            }
        }
    }

    /// Sends what was written; nothing will be read.
    pub(crate) async fn send_last(&mut self) -> Result<(), CallError> {
        self.flush().await
    }

    /// Reads the end of a call, after which the connection is free for another.
    pub(crate) async fn read_return(&mut self, sequence: i64) -> Result<RpcReturn, CallError> {
        let frame = self.frame().await?;
        match RpcReturn::decode(frame) {
            Ok(answer) if answer.sequence == sequence => {
                self.busy = false;
                Ok(answer)
            }
            Ok(answer) => {
                Err(self.refuse(format!("expected the end of call {sequence}, got {}", answer.sequence)))
            }
            Err(error) => Err(self.refuse(error)),
        }
    }

    pub(crate) async fn start_instance(&mut self, call: Call) -> Result<InstanceStatus, CallError> {
        let sequence = self.send_call(call);
        match self.read_return(sequence).await?.value {
            Some(Return::InstanceStatus(status)) => Ok(status),
            _ => Err(self.refuse("the answer to cmd_start_instance has no instance_status")),
        }
    }
}
