//! Programs for the `pdk-*` fixture plugins: the calls each phase is to make, and the outcomes that come back. The
//! format is that of fixtures/go/pdk-go/program.go.

use polygate_testkit::{Gateway, Request, Response};
use serde_json::{Value, json};

/// The fixture plugins, highest priority first.
pub const GO: &str = "pdk-go";
pub const GO_LM: &str = "pdk-go-lm";
pub const JS: &str = "pdk-js";
pub const PY: &str = "pdk-py";
pub const LANGUAGES: [&str; 4] = [GO, GO_LM, JS, PY];

/// The path of a route with all four plugins.
pub const ROUTE: &str = "/pdk";

/// Calls for one plugin.
#[derive(Clone, Debug)]
pub struct Program {
    plugin: &'static str,
    calls: Vec<Value>,
    tag: String,
    exit: bool,
}

impl Program {
    pub fn new(plugin: &'static str) -> Self {
        Self { plugin, calls: Vec::new(), tag: String::new(), exit: false }
    }

    pub fn plugin(&self) -> &'static str {
        self.plugin
    }

    /// Adds one call; `arguments` is a JSON array.
    pub fn call(mut self, phase: &str, name: &str, arguments: Value) -> Self {
        self.calls.push(json!({ "phase": phase, "call": name, "args": arguments }));
        self
    }

    /// Names the log phase's outcomes in the error log.
    pub fn tag(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self
    }

    /// Delivers outcomes as the answer's body instead of a header.
    pub fn exit(mut self) -> Self {
        self.exit = true;
        self
    }

    /// Puts the program into a request.
    pub fn load_into(&self, request: Request) -> Request {
        let program = json!({ "tag": self.tag, "calls": self.calls, "exit": self.exit });
        request.header(format!("x-{}", self.plugin), program.to_string())
    }

    /// The outcomes of a phase other than log.
    #[track_caller]
    pub fn outcomes(&self, response: &Response, phase: &str) -> Vec<Value> {
        let name = format!("x-{}-{phase}", self.plugin);
        let text = match response.header(&name) {
            Some(text) => text.to_owned(),
            None if self.exit => response.text(),
            None => panic!("no {name} in {} {:?} {}", response.status, response.headers, response.text()),
        };
        parse(&text)
    }

    /// The log phase's outcomes.
    #[track_caller]
    pub fn logged(&self, gateway: &Gateway) -> Vec<Value> {
        parse(&gateway.wait_for_log(&format!(r"\[{}\] pdk-result {} (\[.*\])", self.plugin, self.tag)))
    }
}

#[track_caller]
fn parse(text: &str) -> Vec<Value> {
    match serde_json::from_str(text) {
        Ok(Value::Array(outcomes)) => outcomes,
        // A log line goes on behind the outcomes.
        _ => match serde_json::Deserializer::from_str(text).into_iter().next() {
            Some(Ok(Value::Array(outcomes))) => outcomes,
            other => panic!("not a list of outcomes: {text} ({other:?})"),
        },
    }
}
