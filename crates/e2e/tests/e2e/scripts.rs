//! Scripts for the fixture plugins `diff-go`, `diff-js` and `diff-py`, and the notes that they make; the forms of both
//! are in fixtures/go/diff-go/main.go.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use polygate_testkit::peers::peer;
use polygate_testkit::{Gateway, Request, eventually};
use serde_json::Value;

use crate::servers;

/// A JavaScript server takes seconds of processor time.
const START: Duration = Duration::from_secs(60);

pub struct Language {
    pub name: &'static str,
    /// Its plugin, and the server that has it.
    pub plugin: &'static str,
    server: fn(&str) -> String,
}

pub const GO: Language =
    Language { name: "go", plugin: "diff-go", server: |name| servers::go(name, &peer("go/bin/diff-go")) };
pub const JAVASCRIPT: Language = Language { name: "js", plugin: "diff-js", server: servers::javascript };
pub const PYTHON: Language =
    Language { name: "py", plugin: "diff-py", server: |name| servers::python(name, "plugins", "") };

pub const LANGUAGES: [Language; 3] = [GO, JAVASCRIPT, PYTHON];

impl Language {
    /// Lines of kong.conf for its server alone.
    pub fn conf(&self) -> String {
        let plugin = self.plugin;
        format!("plugins = {plugin}\npluginserver_names = {plugin}\n{}", (self.server)(plugin))
    }
}

/// Waits until a plugin server that takes its time to start has answered for a route.
#[track_caller]
pub fn expect_up(gateway: &Gateway, path: &str) {
    let answers = || Request::get(path).try_send(gateway.proxy()).ok().filter(|answer| answer.status == 200);
    eventually(START, "the plugin server's start", answers);
}

/// The folder of a gateway's prefix in which the plugins read and write.
pub struct Scripts(PathBuf);

impl Scripts {
    #[track_caller]
    pub fn in_prefix(prefix: &Path) -> Self {
        let folder = prefix.join("replay");
        for part in ["notes", "scripts"] {
            fs::create_dir_all(folder.join(part)).expect("the prefix is writable");
        }
        Self(folder)
    }

    /// The value of the `X-S` line with which a request has its plugin run the script, and its notes made under the id.
    #[track_caller]
    pub fn load(&self, id: &str, script: &str) -> String {
        fs::write(self.0.join("scripts").join(id), script).expect("the prefix is writable");
        format!("{id}|{id}")
    }

    /// The notes so far.
    pub fn notes(&self, id: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.0.join("notes").join(id)).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// The note of what a call of a phase answered.
pub fn answer<'n>(notes: &'n [Value], phase: &str, at: usize) -> Option<&'n Value> {
    let of_call =
        |note: &&Value| note["phase"] == phase && note.get("at").and_then(Value::as_u64) == Some(at as u64);
    let answers =
        |note: &&Value| ["result", "error", "raised"].iter().any(|member| note.get(member).is_some());
    notes.iter().find(|note| of_call(note) && answers(note))
}

/// Whether the log phase is over.
pub fn is_over(notes: &[Value]) -> bool {
    notes.iter().any(|note| note["phase"] == "log" && note["end"] == true)
}
