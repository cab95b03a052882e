//! The `ProtoBuf:1` side of the scriptable server.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use bytes::{Bytes, BytesMut};
use polygate_plugin_proto::protobuf::message::{
    Call, HandleEvent, InstanceStatus, Return, RpcCall, RpcReturn,
};
use polygate_plugin_proto::protobuf::{Message, write_frame, write_message};
use serde_json::{Value as Json, json};

use crate::fake_server::ending::{Ending, hang};
use crate::fake_server::shared::Shared;

/// A handler at work.
pub struct ProtoBufEvent<'a> {
    pub phase: String,
    /// The instance's configuration.
    pub config: Json,
    /// The number of the call that the event is.
    pub sequence: i64,
    stream: &'a mut UnixStream,
}

impl ProtoBufEvent<'_> {
    /// Makes a PDK call and answers the return message, still encoded. `None` when the host closed the
    /// connection.
    pub fn call(&mut self, method: &str, argument: &impl Message) -> Option<Bytes> {
        self.send(method, argument);
        read_frame(self.stream).ok()
    }

    /// Sends both frames of a PDK call and does not wait.
    pub fn send(&mut self, method: &str, argument: &impl Message) {
        self.send_frame(method.as_bytes());
        self.send_frame(&argument.encode_to_vec());
    }

    /// Sends one frame, whatever it is. The host may be gone.
    pub fn send_frame(&mut self, frame: &[u8]) {
        let _ = self.stream.write_all(&framed(frame));
    }

    /// Reads one frame; `None` when the host closed the connection.
    pub fn read_frame(&mut self) -> Option<Bytes> {
        read_frame(self.stream).ok()
    }
}

pub(super) fn serve(
    mut stream: UnixStream,
    shared: &Shared,
    script: &(impl Fn(&mut ProtoBufEvent<'_>) -> Ending + ?Sized),
) -> io::Result<()> {
    loop {
        let call = RpcCall::decode(read_frame(&mut stream)?).map_err(io::Error::other)?;
        let sequence = call.sequence;
        if shared.state().frozen {
            return hang(&mut stream);
        }
        match call.call {
            Some(Call::StartInstance(start)) => {
                let config: Json = serde_json::from_slice(&start.config).map_err(io::Error::other)?;
                shared.record("cmd_start_instance", config.clone());
                if config.get("refuse").is_some() {
                    return Err(io::Error::other("refused"));
                }
                let id = config["__seq__"].as_i64();
                let instance_id = shared.state().start_instance(id, config) as i32;
                let status = InstanceStatus { name: start.name, instance_id, ..InstanceStatus::default() };
                let answer = RpcReturn { sequence, value: Some(Return::InstanceStatus(status)) };
                let mut out = BytesMut::new();
                write_message(&mut out, &answer);
                stream.write_all(&out)?;
            }
            Some(Call::HandleEvent(event)) => handle_event(&mut stream, shared, sequence, event, script)?,
            Some(Call::CloseInstance(close)) => {
                shared.record("cmd_close_instance", json!({"instance_id": close.instance_id}));
                return Err(io::Error::other("not played: no host should ask for it"));
            }
            other => return Err(io::Error::other(format!("unknown call {other:?}"))),
        }
    }
}

fn handle_event(
    stream: &mut UnixStream,
    shared: &Shared,
    sequence: i64,
    HandleEvent { instance_id, event_name: phase }: HandleEvent,
    script: &(impl Fn(&mut ProtoBufEvent<'_>) -> Ending + ?Sized),
) -> io::Result<()> {
    shared.record("cmd_handle_event", json!({"instance_id": instance_id, "event_name": phase}));
    let config = shared.state().instances.get(&i64::from(instance_id)).cloned();
    let config = config.ok_or_else(|| io::Error::other(format!("no plugin instance {instance_id}")))?;
    let ending = script(&mut ProtoBufEvent { phase, config, sequence, stream });
    match ending {
        Ending::Return | Ending::ReturnTwice => {
            let mut out = framed(b"");
            for _ in 0..if ending == Ending::ReturnTwice { 2 } else { 1 } {
                write_message(&mut out, &RpcReturn { sequence, value: None });
            }
            stream.write_all(&out)
        }
        Ending::Silence => Ok(()),
        Ending::Error(text) => Err(io::Error::other(text)),
        Ending::Close => Err(ErrorKind::ConnectionAborted.into()),
        Ending::Hang | Ending::Wedge => hang(stream),
        Ending::Freeze => {
            shared.state().frozen = true;
            hang(stream)
        }
        Ending::Bytes(bytes) => {
            stream.write_all(&bytes)?;
            Err(ErrorKind::ConnectionAborted.into())
        }
    }
}

fn framed(frame: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    write_frame(&mut out, frame);
    out
}

fn read_frame(stream: &mut UnixStream) -> io::Result<Bytes> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame.into())
}
