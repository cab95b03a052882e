//! The faults of servers: a scripted one speaks like each SDK's and fails when it is armed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use polygate_plugin_proto::protobuf::message::{self, RpcReturn};
use polygate_testkit::FakeServer;
use polygate_testkit::fake_server::{self, Ending, MsgPackEvent, ProtoBufEvent};
use polygate_value::Value;
use prost::Message as _;
use serde_json::json;
use tempfile::TempDir;

use super::table::{FAULTS, Phase, Sdk, expected};
use super::{Bench, EVENT_TIMEOUT, everywhere};

/// The fault of the next event.
type Armed = Arc<Mutex<Option<&'static str>>>;

/// A gateway with a server for each phase, so that one can be away while the others serve.
struct Scripted {
    bench: Bench,
    sdk: Sdk,
    servers: [Server; Phase::ALL.len()],
    _folder: TempDir,
}

/// A server whose plugin has one phase.
struct Server {
    phase: Phase,
    socket: PathBuf,
    armed: Armed,
    running: Option<FakeServer>,
}

fn plugin_of(phase: Phase) -> String {
    format!("scripted-{}", phase.as_str())
}

impl Scripted {
    fn start(sdk: Sdk) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let servers = Phase::ALL.map(|phase| Server::start(folder.path(), phase, sdk));
        let names = Phase::ALL.map(plugin_of);
        let conf: String = servers.iter().map(|server| server.conf(sdk)).collect();
        let conf = format!("plugins = {0}\npluginserver_names = {0}\n{conf}", names.join(","));
        let global = names.each_ref().map(|name| everywhere(name, json!({})));
        Self { bench: Bench::start(&conf, &global, names), sdk, servers, _folder: folder }
    }

    #[track_caller]
    fn check(&mut self, fault: &'static str, phase: Phase) {
        let Some(outcome) = expected(fault, self.sdk, phase) else { return };
        let case = format!("{fault} in {} of a server like {:?}", phase.as_str(), self.sdk);
        self.bench.settle();
        let server = &mut self.servers[phase as usize];
        let is_away = matches!(fault, "refused" | "missing");
        server.fail(fault);
        self.bench.check(&case, phase, outcome);
        if is_away {
            server.run(self.sdk);
        }
        self.bench.expect_right(&case, phase, is_away);
    }
}

impl Server {
    fn start(folder: &Path, phase: Phase, sdk: Sdk) -> Self {
        let socket = folder.join(format!("{}.socket", phase.as_str()));
        let mut server = Self { phase, socket, armed: Armed::default(), running: None };
        server.run(sdk);
        server
    }

    fn run(&mut self, sdk: Sdk) {
        self.running = Some(serve(&self.socket, sdk, &self.armed));
    }

    fn fail(&mut self, fault: &'static str) {
        let running = self.running.as_ref().expect("it runs");
        match fault {
            "refused" => self.running = None,
            "missing" => {
                self.running = None;
                fs::remove_file(&self.socket).expect("the socket is there");
            }
            "unread" => running.stop_reading(),
            "unknown_instance" => running.forget_instances(),
            fault => *self.armed.lock().expect("no script panics") = Some(fault),
        }
    }

    fn conf(&self, sdk: Sdk) -> String {
        let name = plugin_of(self.phase);
        let dump = json!({
            "Protocol": if sdk == Sdk::Go { "ProtoBuf:1" } else { "MsgPack:1" },
            "Plugins": [{
                "Name": name, "Phases": [self.phase.as_str()], "Version": "1.0", "Priority": 1,
                "Schema": { "name": name, "fields": [{ "config": { "type": "record", "fields": [] } }] },
            }],
        });
        let members = [
            ("socket", self.socket.display().to_string()),
            ("query_cmd", format!("echo '{dump}'")),
            ("connect_timeout", "500ms".to_owned()),
            ("event_timeout", EVENT_TIMEOUT.to_owned()),
            ("breaker_failures", "0".to_owned()),
        ];
        let key = name.replace('-', "_");
        members.map(|(member, value)| format!("pluginserver_{key}_{member} = {value}\n")).concat()
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

fn disarm(armed: &Armed) -> Option<&'static str> {
    armed.lock().expect("no script panics").take()
}

fn over_msgpack(event: &mut MsgPackEvent<'_>, armed: &Armed) -> Ending {
    match disarm(armed) {
        Some("eof_before") => return Ending::Close,
        Some("eof_after") => {
            event.call("kong.client.get_ip", []);
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
    let name = format!("X-Faults-{}", event.phase);
    if has_response(&event.phase) {
        event.call("kong.response.set_header", [Value::from(name), Value::str("ran")]);
    } else {
        event.call("kong.log.notice", [Value::from(format!("{name}: ran"))]);
    }
}

fn over_protobuf(event: &mut ProtoBufEvent<'_>, armed: &Armed) -> Ending {
    match disarm(armed) {
        // The second try in the same process would go well: the event must be armed again.
        Some("eof_before") => {
            *armed.lock().expect("no script panics") = Some("eof_again");
            return Ending::Close;
        }
        Some("eof_again") => return Ending::Close,
        Some("eof_after") => {
            event.call("kong.client.get_ip", &message::Empty::default());
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
    let name = format!("X-Faults-{}", event.phase);
    if has_response(&event.phase) {
        let value = Some(message::Dynamic("ran".into()));
        event.call("kong.response.set_header", &message::Kv { k: name, v: value });
    } else {
        let values = message::ListValue(vec![format!("{name}: ran").into()]);
        event.call("kong.log.notice", &values);
    }
}

/// Whether the client sees a header that is set in the phase.
fn has_response(phase: &str) -> bool {
    matches!(phase, "rewrite" | "access" | "response")
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
