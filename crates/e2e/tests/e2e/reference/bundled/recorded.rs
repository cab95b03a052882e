//! The recorded files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::reference::wire::Lines;

#[derive(Deserialize)]
pub struct File {
    pub groups: Vec<Group>,
}

/// Cases of one gateway.
#[derive(Deserialize)]
pub struct Group {
    pub name: String,
    /// Lines of kong.conf.
    #[serde(default)]
    pub conf: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub needs: Vec<Need>,
    pub config: Value,
    pub cases: Vec<Case>,
    /// Seconds between two requests of a case.
    #[serde(default)]
    pub pace: Option<f64>,
}

/// A server that a group's plugins ask.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// At `{{REDIS_PORT}}`.
    Redis,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub steps: Vec<Value>,
    /// Regular expressions and what their matches are replaced by.
    #[serde(default)]
    pub normalise: Vec<(String, String)>,
    /// It counts within a minute, and waits for the next one when this one is about to end.
    #[serde(default)]
    pub minute_edge: bool,
    #[serde(flatten)]
    pub mark: Mark,
}

/// Why something is to differ, if it is.
#[derive(Deserialize)]
pub struct Mark {
    known: Option<String>,
    open: Option<String>,
}

/// A file for `config parse`.
#[derive(Deserialize)]
pub struct Configuration {
    pub name: String,
    pub config: Option<Value>,
    pub text: Option<String>,
    pub ext: Option<String>,
    pub expect: Parsed,
    #[serde(flatten)]
    pub mark: Mark,
}

#[derive(Deserialize)]
pub struct Parsed {
    pub exit: i32,
    pub output: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Step {
    Wait { wait: f64 },
    Sink(Sink),
    Ask(Box<Ask>),
}

/// Messages that are to arrive somewhere.
#[derive(Deserialize)]
pub struct Sink {
    pub sink: Kind,
    pub file: Option<String>,
    /// Only messages that contain it count.
    pub r#match: String,
    pub count: usize,
    /// Seconds.
    pub timeout: f64,
    /// Whether messages are lists of spans, which count one by one.
    #[serde(default, rename = "flatten")]
    pub are_spans: bool,
    #[serde(flatten)]
    pub lines: Selection,
    pub expect: Vec<Value>,
}

/// Which lines of a body, or messages, are compared: those that match and are not to be dropped.
#[derive(Deserialize)]
pub struct Selection {
    keep_lines: Option<String>,
    drop_lines: Option<String>,
    #[serde(default, rename = "sort_lines")]
    pub sorts: bool,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Http,
    Tcp,
    Udp,
    File,
}

#[derive(Deserialize)]
pub struct Ask {
    pub request: Request,
    #[serde(default)]
    pub upstream: Reply,
    /// Values for later steps, by name.
    #[serde(default)]
    pub capture: BTreeMap<String, Capture>,
    /// Headers that are not compared.
    #[serde(default)]
    pub ignore: Vec<String>,
    #[serde(flatten)]
    pub lines: Selection,
    pub expect: Answer,
}

#[derive(Deserialize)]
pub struct Request {
    pub method: Option<String>,
    pub target: String,
    #[serde(default)]
    pub headers: Lines,
    pub body: Option<String>,
    pub body_repeat: Option<(String, usize)>,
    pub version: Option<String>,
    /// The host; null for a request without one.
    #[serde(default = "usual_host")]
    pub host: Option<String>,
    /// `status` for the status listener.
    pub to: Option<String>,
    pub hmac: Option<Signed>,
}

/// A header line with a signature.
#[derive(Deserialize)]
pub struct Signed {
    pub username: String,
    pub secret: String,
    pub algorithm: Option<String>,
    pub headers: Vec<String>,
    pub r#in: Option<String>,
}

#[derive(Deserialize)]
pub struct Capture {
    pub header: Option<String>,
    pub regex: Option<String>,
    pub body: Option<String>,
}

/// What the upstream answers.
#[derive(Deserialize, Clone)]
#[serde(default)]
pub struct Reply {
    pub status: u16,
    pub reason: String,
    pub headers: Lines,
    pub body: String,
    /// Seconds.
    pub delay: f64,
}

/// What the client and the upstream got.
#[derive(Deserialize, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Lines,
    pub body: String,
    pub upstream: Vec<Received>,
}

#[derive(Deserialize, Debug)]
pub struct Received {
    pub method: String,
    pub target: String,
    pub version: String,
    pub headers: Lines,
    pub body: String,
}

impl Default for Reply {
    fn default() -> Self {
        let lines = [("Content-Type", "text/plain"), ("X-Upstream", "yes")];
        Self {
            status: 200,
            reason: "OK".to_owned(),
            headers: lines.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: "upstream\n".to_owned(),
            delay: 0.0,
        }
    }
}

impl Selection {
    pub fn takes(&self, line: &str) -> bool {
        let matches = |pattern: &String| Regex::new(pattern).expect("a recorded pattern").is_match(line);
        self.keep_lines.as_ref().is_none_or(matches) && !self.drop_lines.as_ref().is_some_and(matches)
    }

    pub fn is_all(&self) -> bool {
        self.keep_lines.is_none() && self.drop_lines.is_none() && !self.sorts
    }
}

impl Mark {
    pub fn reason(&self) -> Option<&str> {
        self.known.as_deref().or(self.open.as_deref())
    }
}

fn usual_host() -> Option<String> {
    Some("gw.test".to_owned())
}

/// One of the folders of tests/reference.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

#[track_caller]
pub fn load<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).expect("a recorded file");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
