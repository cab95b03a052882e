//! The MessagePack side of the scriptable server.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use bytes::{Bytes, BytesMut};
use polygate_plugin_proto::msgpack::{Decoder, Frame, Reader, write};
use polygate_value::{Key, Value};
use serde_json::Value as Json;

use crate::fake_server::ending::{Ending, hang};
use crate::fake_server::shared::Shared;

/// Whose errors and habits the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    Go,
    JavaScript,
    Python,
}

/// What the host answered to a PDK call.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// `plugin.Step`, `plugin.StepMultiMap`, `plugin.StepError` ...
    pub step: String,
    /// `None` when the key is absent.
    pub data: Option<Value>,
    /// Whether that came as a binary, rather than as a text.
    pub is_binary: bool,
}

/// A handler at work.
pub struct MsgPackEvent<'a> {
    pub phase: String,
    /// The instance's configuration.
    pub config: Json,
    pub id: i64,
    peer: &'a mut Peer,
    message: u32,
}

struct Peer {
    stream: UnixStream,
    input: BytesMut,
    decoder: Decoder,
}

/// A request of the host.
struct Request {
    id: u32,
    method: String,
    param: Value,
    /// Still encoded.
    params: Bytes,
}

impl MsgPackEvent<'_> {
    /// Makes a PDK call. Panics, which ends the connection, when the host does not answer it.
    pub fn call(&mut self, method: &str, args: impl IntoIterator<Item = Value>) -> Answer {
        self.send(method, args);
        let request = self.peer.request().expect("the host answers a PDK call");
        assert!(request.method.starts_with("plugin.Step"), "a step, got {}", request.method);
        assert_eq!(request.param.get("EventId").as_int(), Some(self.id), "the answer is for this event");
        self.message = request.id;
        let mut answer = Answer { step: request.method, data: None, is_binary: false };
        let mut reader = Reader::new(&request.params);
        assert_eq!(reader.array(), Some(1));
        for _ in 0..reader.map().expect("a map") {
            if reader.bytes() == Some(b"Data") {
                assert!(!reader.is_nil(), "nil is told by leaving Data out");
                answer.is_binary = reader.is_binary();
                answer.data = Some(reader.value());
            } else {
                reader.skip();
            }
        }
        answer
    }

    /// Makes a PDK call with JSON arguments: the result, or the text of the error.
    pub fn call_json(&mut self, method: &str, args: &[Json]) -> Result<Json, String> {
        let Answer { step, data, .. } = self.call(method, args.iter().map(Value::from));
        let data = data.map_or(Json::Null, |data| data.to_json());
        match step.as_str() {
            "plugin.StepError" => Err(data.as_str().unwrap_or_default().to_owned()),
            _ => Ok(data),
        }
    }

    /// [`MsgPackEvent::send`] with JSON arguments.
    pub fn send_json(&mut self, method: &str, args: &[Json]) {
        self.send(method, args.iter().map(Value::from));
    }

    /// Makes a PDK call without waiting, as the SDKs do for `kong.response.exit`. End with
    /// [`Ending::Silence`] then.
    pub fn send(&mut self, method: &str, args: impl IntoIterator<Item = Value>) {
        let args = Value::List(args.into_iter().collect());
        let call = map([("Method", method.into()), ("Args", args)]);
        self.peer.respond(self.message, Ok(&step(self.id, call))).expect("the host reads");
    }
}

pub(super) fn serve(
    stream: UnixStream,
    shared: &Shared,
    sdk: Sdk,
    script: &(impl Fn(&mut MsgPackEvent<'_>) -> Ending + ?Sized),
) -> io::Result<()> {
    let mut peer = Peer { stream, input: BytesMut::new(), decoder: Decoder::default() };
    if sdk == Sdk::Go {
        let mut out = BytesMut::new();
        write::notification(&mut out, "serverPid", &Value::Int(std::process::id().into()));
        peer.stream.write_all(&out)?;
    }
    loop {
        let request = peer.request()?;
        shared.record(&request.method, request.param.to_json());
        if shared.state().frozen {
            return hang(&mut peer.stream);
        }
        match request.method.as_str() {
            "plugin.HandleEvent" => handle_event(&mut peer, shared, sdk, request, script)?,
            method => match answer(shared, sdk, method, &request.param) {
                Ok(value) => peer.respond(request.id, Ok(&value))?,
                Err(text) => peer.respond(request.id, Err(&Value::str(text)))?,
            },
        }
    }
}

fn answer(shared: &Shared, sdk: Sdk, method: &str, param: &Value) -> Result<Value, String> {
    match method {
        "plugin.StartInstance" => {
            let text = param.get("Config").as_str().ok_or("no Config")?;
            let config: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
            if let Some(refusal) = config.get("refuse").and_then(Json::as_str) {
                return Err(refusal.to_owned());
            }
            let id = shared.state().start_instance(None, config);
            Ok(map([("Name", "fake".into()), ("Id", Value::Int(id))]))
        }
        "plugin.CloseInstance" => {
            let id = param.as_int().ok_or("no id")?;
            shared.state().instances.remove(&id).map(|_| Value::Nil).ok_or(no_instance(sdk, id))
        }
        // The order of the members is what the SDKs can be told apart by.
        "plugin.GetPluginInfo" if sdk == Sdk::JavaScript => {
            Ok(map([("Name", param.clone()), ("Version", Value::Nil), ("Phases", Value::Nil)]))
        }
        "plugin.GetPluginInfo" if sdk == Sdk::Python => {
            Ok(map([("Name", param.clone()), ("Phases", Value::Nil), ("Version", Value::Nil)]))
        }
        method => Err(match sdk {
            Sdk::Go => format!("rpc: can't find method {method}"),
            Sdk::JavaScript => format!("method {method} not implemented"),
            Sdk::Python => format!("'PluginServer' object has no attribute '{method}'"),
        }),
    }
}

fn no_instance(sdk: Sdk, id: i64) -> String {
    match sdk {
        Sdk::Go => format!("No plugin instance {id}"),
        Sdk::JavaScript | Sdk::Python => format!("no plugin instance #{id}"),
    }
}

fn handle_event(
    peer: &mut Peer,
    shared: &Shared,
    sdk: Sdk,
    request: Request,
    script: &(impl Fn(&mut MsgPackEvent<'_>) -> Ending + ?Sized),
) -> io::Result<()> {
    if shared.state().wedged {
        return hang(&mut peer.stream);
    }
    let instance = request.param.get("InstanceId").as_int().unwrap_or(-1);
    let Some(config) = shared.state().instances.get(&instance).cloned() else {
        return peer.respond(request.id, Err(&Value::str(no_instance(sdk, instance))));
    };
    let phase = request.param.get("EventName").as_str().unwrap_or_default().to_owned();
    let id = shared.state().start_event();
    let mut event = MsgPackEvent { phase, config, id, peer, message: request.id };
    let ending = script(&mut event);
    let message = event.message;
    match ending {
        Ending::Return | Ending::ReturnTwice => {
            let value = step(id, "ret".into());
            for _ in 0..if ending == Ending::ReturnTwice { 2 } else { 1 } {
                peer.respond(message, Ok(&value))?;
            }
            Ok(())
        }
        Ending::Error(text) => peer.respond(message, Err(&Value::str(text))),
        Ending::Silence => Ok(()),
        Ending::Close => Err(ErrorKind::ConnectionAborted.into()),
        Ending::Hang => hang(&mut peer.stream),
        Ending::Wedge => {
            shared.state().wedged = true;
            hang(&mut peer.stream)
        }
        Ending::Freeze => {
            shared.state().frozen = true;
            hang(&mut peer.stream)
        }
        Ending::Bytes(bytes) => {
            peer.stream.write_all(&bytes)?;
            Err(ErrorKind::ConnectionAborted.into())
        }
    }
}

impl Peer {
    fn request(&mut self) -> io::Result<Request> {
        loop {
            match self.decoder.decode(&mut self.input).map_err(io::Error::other)? {
                Some(Frame::Request { id, method, params }) => {
                    assert!(self.input.is_empty(), "the host never sends two requests at once");
                    let param = first(&params);
                    return Ok(Request { id, method: text(&method), param, params });
                }
                Some(other) => return Err(io::Error::other(format!("not a request: {other:?}"))),
                None => {
                    let mut piece = [0; 16 * 1024];
                    let n = self.stream.read(&mut piece)?;
                    if n == 0 {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                    self.input.extend_from_slice(&piece[..n]);
                }
            }
        }
    }

    fn respond(&mut self, id: u32, outcome: Result<&Value, &Value>) -> io::Result<()> {
        let mut out = BytesMut::new();
        write::response(&mut out, id, outcome);
        self.stream.write_all(&out)
    }
}

/// What answers `HandleEvent` and every step.
fn step(event: i64, data: Value) -> Value {
    map([("EventId", Value::Int(event)), ("Data", data)])
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (Key::from(name), value)).collect())
}

fn first(params: &Bytes) -> Value {
    let mut reader = Reader::new(params);
    reader.array();
    reader.value()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
