//! Where plugins send logs and metrics to.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

use crate::reference::bundled::recorded::{Kind, Received, Sink};
use crate::reference::bundled::server::Served;

pub struct Sinks {
    http: Arc<Served>,
    tcp: Arc<Mutex<Vec<String>>>,
    udp: Arc<Mutex<Vec<String>>>,
}

/// What came, as text and as what is compared.
pub struct Message {
    pub text: String,
    pub value: Value,
}

impl Message {
    /// One message for each span of a batch, with the head of the request.
    pub fn spans(&self) -> Vec<Self> {
        let spans = self.value["body"].as_array().into_iter().flatten();
        let message = |span: &Value| {
            let mut value = self.value.clone();
            value["body"] = span.clone();
            Self { text: self.text.clone(), value }
        };
        spans.map(message).collect()
    }
}

/// Ports by the names that recorded texts have for them.
pub type Ports = Vec<(&'static str, u16)>;

impl Sinks {
    pub fn start() -> (Self, Ports) {
        let (http, http_port) = Served::start();
        let (tcp, tcp_port) = tcp();
        let (udp, udp_port) = udp();
        let ports =
            vec![("HTTP_SINK_PORT", http_port), ("TCP_SINK_PORT", tcp_port), ("UDP_SINK_PORT", udp_port)];
        (Self { http, tcp, udp }, ports)
    }

    /// What came so far; `folder` is where files are.
    pub fn messages(&self, step: &Sink, folder: &Path) -> Vec<Message> {
        let texts = match step.sink {
            Kind::Http => return self.http.look(posted),
            Kind::Tcp => self.tcp.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Kind::Udp => self.udp.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Kind::File => {
                let text = fs::read_to_string(folder.join(step.file.as_deref().unwrap_or_default()));
                text.unwrap_or_default().lines().map(str::to_owned).collect()
            }
        };
        texts.into_iter().map(|text| Message { value: json_or_text(&text), text }).collect()
    }
}

fn posted(request: &Received) -> Message {
    let is_told = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["content-type", "authorization", "content-encoding"].contains(&name.as_str())
            || name.starts_with("x-")
    };
    let headers: Vec<_> = request.headers.iter().filter(|(name, _)| is_told(name)).collect();
    let body = json_or_text(&request.body);
    Message {
        text: format!("{}{}", request.body, request.target),
        value: json!({ "method": request.method, "target": request.target, "headers": headers, "body": body }),
    }
}

fn json_or_text(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        _ => text.into(),
    }
}

fn tcp() -> (Arc<Mutex<Vec<String>>>, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let shared = lines.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = shared.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    shared.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
    });
    (lines, port)
}

fn udp() -> (Arc<Mutex<Vec<String>>>, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = socket.local_addr().expect("a bound socket has an address").port();
    let datagrams = Arc::<Mutex<Vec<String>>>::default();
    let shared = datagrams.clone();
    thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            shared.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    });
    (datagrams, port)
}
