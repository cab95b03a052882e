//! The faults of servers: a scripted one speaks like each SDK's and fails when it is armed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use polygate_plugin_proto::msgpack::Value;
use polygate_plugin_proto::protobuf::message::{self, RpcReturn};
use polygate_testkit::fake_server::{self, Ending, MsgPackEvent, ProtoBufEvent};
use polygate_testkit::{EchoUpstream, FakeServer, Gateway};
use prost::Message as _;
use serde_json::json;
use tempfile::TempDir;

use super::table::{FAULTS, Phase, Sdk, expected};
use super::{Bench, EVENT_TIMEOUT};
use crate::declarative;

const PLUGIN: &str = "scripted";

/// The fault of the next event, and its phase.
type Armed = Arc<Mutex<Option<(Phase, &'static str)>>>;

struct Scripted {
    bench: Bench,
    sdk: Sdk,
    armed: Armed,
    server: Option<FakeServer>,
    socket: PathBuf,
    _folder: TempDir,
}

impl Scripted {
    fn start(sdk: Sdk) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let socket = folder.path().join("scripted.socket");
        let armed = Armed::default();
        let server = Some(serve(&socket, sdk, &armed));
        let dump = json!({
            "Protocol": if sdk == Sdk::Go { "ProtoBuf:1" } else { "MsgPack:1" },
            "Plugins": [{
                "Name": PLUGIN, "Phases": Phase::ALL.map(Phase::as_str), "Version": "1.0", "Priority": 1,
                "Schema": { "name": PLUGIN, "fields": [{ "config": { "type": "record", "fields": [] } }] },
            }],
        });
        let conf = format!(
            "plugins = {PLUGIN}\npluginserver_names = scripted\npluginserver_scripted_socket = {}\n\
             pluginserver_scripted_query_cmd = echo '{dump}'\npluginserver_scripted_connect_timeout = 500ms\n\
             pluginserver_scripted_event_timeout = {EVENT_TIMEOUT}\npluginserver_scripted_breaker_failures = 0",
            socket.display()
        );
        let upstream = EchoUpstream::start();
        let file = declarative::global(&upstream.url(), &[declarative::plugin(PLUGIN, json!({}))]);
        let gateway = Gateway::builder().conf(&conf).declarative(&file).start();
        let bench = Bench::new(gateway, upstream, PLUGIN);
        Self { bench, sdk, armed, server, socket, _folder: folder }
    }

    #[track_caller]
    fn check(&mut self, fault: &'static str, phase: Phase) {
        let Some(outcome) = expected(fault, self.sdk, phase) else { return };
        let case = format!("{fault} in {} of a server like {:?}", phase.as_str(), self.sdk);
        self.bench.settle();
        match fault {
            "refused" | "missing" => return self.check_away(&case, fault, phase, outcome),
            "unread" => self.server.as_ref().expect("it runs").stop_reading(),
            "unknown_instance" => self.server.as_ref().expect("it runs").forget_instances(),
            fault => *self.armed.lock().expect("no script panics") = Some((phase, fault)),
        }
        self.bench.check(&case, phase, outcome);
        self.bench.expect_right(&case, false);
    }

    /// The server is gone when the event is to be sent. Phases before it need the server too, so the fault can only
    /// be in the first phase of a request.
    #[track_caller]
    fn check_away(&mut self, case: &str, fault: &str, phase: Phase, outcome: super::table::Outcome) {
        if phase != Phase::Rewrite {
            return;
        }
        self.server = None;
        if fault == "missing" {
            fs::remove_file(&self.socket).expect("the socket is there");
        }
        self.bench.check(case, phase, outcome);
        self.server = Some(serve(&self.socket, self.sdk, &self.armed));
        self.bench.expect_right(case, true);
    }
}

fn serve(socket: &Path, sdk: Sdk, armed: &Armed) -> FakeServer {
    let armed = armed.clone();
    let spoken = match sdk {
        Sdk::Go => return FakeServer::protobuf(socket, move |event| over_protobuf(event, &armed)),
        Sdk::GoMsgPack => fake_server::Sdk::Go,
        Sdk::JavaScript => fake_server::Sdk::JavaScript,
        Sdk::Python | Sdk::PythonGevent | Sdk::PythonProcesses => fake_server::Sdk::Python,
    };
    FakeServer::msgpack(socket, spoken, move |event| over_msgpack(event, &armed))
}

/// The fault of this event, if it was armed for its phase.
fn disarm(armed: &Armed, phase: &str) -> Option<&'static str> {
    let mut armed = armed.lock().expect("no script panics");
    armed.take_if(|(armed, _)| armed.as_str() == phase).map(|(_, fault)| fault)
}

fn over_msgpack(event: &mut MsgPackEvent<'_>, armed: &Armed) -> Ending {
    match disarm(armed, &event.phase) {
        Some("eof_before") => return Ending::Close,
        Some("eof_after") => {
            event.call("kong.request.get_method", []);
            return Ending::Close;
        }
        Some("nonsense") => return Ending::Bytes(b"\xc1\xc1\xc1\xc1".into()),
        // An array of four, the second of them the start of a number.
        Some("truncated") => return Ending::Bytes(b"\x94\x01\xce\x00".into()),
        Some("oversized") => return Ending::Bytes(b"\xdb\xff\xff\xff\xff".into()),
        Some("wrong_id") => return Ending::Bytes(b"\x94\x01\xcd\xff\xff\xc0\xc0".into()),
        Some("duplicate") => {
            mark_msgpack(event);
            return Ending::ReturnTwice;
        }
        Some("unknown_method") => drop(event.call("kong.no.such_function", [Value::str("x")])),
        Some(other) => panic!("{other} is not scripted"),
        None => {}
    }
    mark_msgpack(event);
    Ending::Return
}

/// Shows that the handler came to its end.
fn mark_msgpack(event: &mut MsgPackEvent<'_>) {
    if event.phase != "log" {
        let name = Value::str(&format!("X-Faults-{}", event.phase));
        event.call("kong.response.set_header", [name, Value::str("ran")]);
    }
}

fn over_protobuf(event: &mut ProtoBufEvent<'_>, armed: &Armed) -> Ending {
    match disarm(armed, &event.phase) {
        // The second try in the same process would go well: the event must be armed again.
        Some("eof_before") => {
            *armed.lock().expect("no script panics") = Some((phase(&event.phase), "eof_again"));
            return Ending::Close;
        }
        Some("eof_again") => return Ending::Close,
        Some("eof_after") => {
            event.call("kong.request.get_method", &message::Empty::default());
            return Ending::Close;
        }
        Some("nonsense") => {
            event.send_frame(b"\xff\xff nonsense");
            return Ending::Hang;
        }
        Some("truncated") => return Ending::Bytes(b"\x40\x00\x00\x00kong".into()),
        Some("oversized") => return Ending::Bytes(b"\xff\xff\xff\xff".into()),
        Some("wrong_id") => {
            event.send_frame(b"");
            let answer = RpcReturn { sequence: event.sequence + 1, value: None };
            event.send_frame(&answer.encode_to_vec());
            return Ending::Hang;
        }
        Some("duplicate") => {
            mark_protobuf(event);
            return Ending::ReturnTwice;
        }
        Some("unknown_method") => {
            event.call("kong.no.such_function", &message::Empty::default());
            return Ending::Close;
        }
        Some(other) => panic!("{other} is not scripted"),
        None => {}
    }
    mark_protobuf(event);
    Ending::Return
}

fn mark_protobuf(event: &mut ProtoBufEvent<'_>) {
    if event.phase != "log" {
        let name = format!("X-Faults-{}", event.phase);
        let value = message::Value { kind: Some(message::Kind::Text("ran".into())) };
        event.call("kong.response.set_header", &message::Kv { k: name, v: Some(value) });
    }
}

fn phase(name: &str) -> Phase {
    *Phase::ALL.iter().find(|phase| phase.as_str() == name).expect("the plugin has these phases only")
}

#[test]
fn faults_of_scripted_servers() {
    for sdk in Sdk::SPOKEN {
        let mut scripted = Scripted::start(sdk);
        for fault in FAULTS.iter().filter(|fault| fault.is_scripted) {
            for phase in Phase::ALL {
                scripted.check(fault.name, phase);
            }
        }
    }
}
