//! The recorded files, unpacked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use crate::reference::wire::Lines;

/// Names for runs of lines that most answers and requests have.
const RUNS: [(&str, &[&str]); 4] = [
    (
        "=A",
        &[
            "Server: kong/V",
            "X-Kong-Upstream-Latency: <n>",
            "X-Kong-Proxy-Latency: <n>",
            "Via: 1.1 kong/V",
            "X-Kong-Request-Id: <id>",
        ],
    ),
    ("=B", &["X-Kong-Response-Latency: <n>", "Server: kong/V", "X-Kong-Request-Id: <id>"]),
    (
        "=C",
        &[
            "Via: 1.1 kong/V",
            "Host: 127.0.0.1:29100",
            "Connection: keep-alive",
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: foo.test",
            "X-Forwarded-Port: 29000",
        ],
    ),
    ("=D", &["X-Real-IP: 127.0.0.1", "X-Kong-Request-Id: <id>", "User-Agent: t/1", "Accept: */*"]),
];

#[derive(Deserialize)]
pub struct File {
    pub settings: BTreeMap<String, String>,
    /// Files for the settings, by name.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    #[serde(deserialize_with = "shared")]
    pub config: Value,
    #[serde(deserialize_with = "shared")]
    pub replies: BTreeMap<String, Reply>,
    pub cases: Vec<Case>,
}

/// What an upstream answers.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// Written one after the other, with a pause between two; then the connection ends, perhaps after a long wait.
    Parts {
        parts: Vec<Text>,
        then: Option<Then>,
    },
    Whole(Text),
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    Close,
    Hang,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    request: Value,
    /// Whether `request` is a list of pieces.
    #[serde(default)]
    pieces: bool,
    /// How many answers to wait for.
    #[serde(default = "one")]
    pub count: usize,
    /// Whether it does not matter which of the upstreams got the request.
    #[serde(default)]
    pub any_upstream: bool,
    pub known: Option<String>,
    pub open: Option<String>,
    #[serde(default)]
    pub unsteady: bool,
    pub expect: Outcome,
}

/// A piece of what the client sends.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Piece {
    /// In seconds.
    Pause(f64),
    Bytes(Text),
}

/// What came of a request.
#[derive(Deserialize)]
pub struct Outcome {
    pub responses: Vec<Answer>,
    pub upstream: Vec<Received>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Message(Message),
    /// Bytes that are no HTTP until the connection's end.
    Raw {
        raw: Text,
    },
    Other(Other),
}

/// What is no answer.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Other {
    /// Not all of one came within the client's patience.
    Timeout,
    /// The connection ended.
    Nothing,
}

/// A response; what a recorded one leaves out has the value of most.
#[derive(Deserialize)]
pub struct Message {
    #[serde(default = "http11")]
    pub version: String,
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default = "fine")]
    pub reason: String,
    #[serde(deserialize_with = "lines")]
    pub headers: Lines,
    #[serde(default = "length")]
    pub framing: String,
    #[serde(default)]
    pub body: Text,
    #[serde(default)]
    pub trailers: Text,
    /// The 1xx answers before.
    #[serde(default)]
    pub interim: Vec<(u16, Lines)>,
    /// Whether the connection ended with the last answer.
    #[serde(default)]
    pub closed: bool,
}

/// A request as an upstream got it.
#[derive(Deserialize)]
pub struct Received {
    #[serde(default = "first_upstream")]
    pub port: u16,
    pub line: Text,
    #[serde(deserialize_with = "lines")]
    pub headers: Lines,
    #[serde(default)]
    pub framing: String,
    #[serde(default)]
    pub body: Text,
    #[serde(default)]
    pub trailers: Text,
}

/// A text that stands for bytes.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(from = "Packed")]
pub struct Text(pub String);

#[derive(Deserialize)]
#[serde(untagged)]
enum Packed {
    Whole(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Part {
    Once(String),
    Run(String, usize),
}

impl File {
    #[track_caller]
    pub fn load(name: &str) -> Self {
        read(&folder().join(format!("{name}.json")))
    }
}

impl Case {
    #[track_caller]
    pub fn pieces(&self) -> Vec<Piece> {
        let whole = if self.pieces { self.request.clone() } else { Value::Array(vec![self.request.clone()]) };
        serde_json::from_value(whole).expect("a request is a text or a list of pieces")
    }

    /// Why the case differs, if it is to.
    pub fn mark(&self) -> Option<&str> {
        self.known.as_deref().or(self.open.as_deref())
    }
}

impl Answer {
    /// The answer, if it is HTTP.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            _ => None,
        }
    }
}

impl From<Packed> for Text {
    fn from(packed: Packed) -> Self {
        let unpack = |part| match part {
            Part::Once(text) => text,
            Part::Run(text, times) => text.repeat(times),
        };
        Self(match packed {
            Packed::Whole(text) => text,
            Packed::Parts(parts) => parts.into_iter().map(unpack).collect(),
        })
    }
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

#[track_caller]
pub fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A part that many files share: `@` and the name of its file.
fn shared<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let name = String::deserialize(deserializer)?;
    Ok(read(&folder().join(name.trim_start_matches('@'))))
}

fn lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lines, D::Error> {
    let mut lines = Vec::new();
    for Text(line) in Vec::deserialize(deserializer)? {
        match RUNS.iter().find(|(name, _)| *name == line) {
            Some((_, run)) => lines.extend(run.iter().map(|line| split(line))),
            None => lines.push(split(&line)),
        }
    }
    Ok(lines)
}

fn split(line: &str) -> (String, String) {
    let (name, value) = line.split_once(": ").unwrap_or((line, ""));
    (name.to_owned(), value.to_owned())
}

fn one() -> usize {
    1
}

fn http11() -> String {
    "HTTP/1.1".to_owned()
}

fn ok() -> u16 {
    200
}

fn fine() -> String {
    "OK".to_owned()
}

fn length() -> String {
    "length".to_owned()
}

fn first_upstream() -> u16 {
    super::symbols::UPSTREAMS[0]
}
