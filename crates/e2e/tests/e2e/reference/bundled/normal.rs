//! What differs from run to run, under the names that recorded texts have for it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use crate::reference::bundled::compare::HOP;
use crate::reference::bundled::recorded::Case;
use crate::reference::wire::Lines;

/// Bytes of the longest body that is compared as it is.
const LONGEST: usize = 20_000;
/// Ports from here on are clients'.
const CLIENTS: u64 = 32_768;

macro_rules! pattern {
    ($text:literal) => {{
        static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).expect("a pattern"));
        &*PATTERN
    }};
}

pub struct Normal<'c> {
    /// The configuration and the case: what stands in them is the same in each run.
    known: String,
    /// Texts and their names.
    names: Vec<(String, String)>,
    ports: &'c [(&'static str, u16)],
    own: Vec<(Regex, String)>,
    ids: Vec<String>,
    captures: Vec<(String, String)>,
    keys: HashMap<String, usize>,
}

impl<'c> Normal<'c> {
    pub fn new(
        config: &Value,
        case: &Case,
        ports: &'c [(&'static str, u16)],
        folders: &[(&Path, &str)],
    ) -> Self {
        let own = case.normalise.iter().map(|(pattern, name)| {
            // `\1` in the files.
            let name = Regex::new(r"\\(\d)").expect("a pattern").replace_all(name, "$${$1}").into_owned();
            (Regex::new(pattern).expect("a recorded pattern"), name)
        });
        Self {
            known: format!("{config}{}", json!(case.steps)),
            names: folders
                .iter()
                .map(|(path, name)| (path.display().to_string(), format!("{{{{{name}}}}}")))
                .collect(),
            ports,
            own: own.collect(),
            ids: Vec::new(),
            captures: Vec::new(),
            keys: HashMap::new(),
        }
    }

    pub fn capture(&mut self, name: &str, value: String) {
        self.captures.retain(|(known, _)| known != name);
        self.captures.push((name.to_owned(), value));
    }

    pub fn captures(&self) -> &[(String, String)] {
        &self.captures
    }

    /// Remembers the ids that lines tell.
    pub fn learn(&mut self, headers: &Lines) {
        let ids = headers
            .iter()
            .filter(|(name, value)| name.eq_ignore_ascii_case("x-kong-request-id") && value.len() == 32);
        self.ids.extend(ids.map(|(_, id)| id.clone()));
    }

    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in self.captures.iter().filter(|(_, value)| value.len() > 3) {
            text = text.replace(value, &format!("{{{{{name}}}}}"));
        }
        for id in &self.ids {
            text = text.replace(id, "{{REQUEST_ID}}");
        }
        let told = pattern!(r#"(?i)(request[ _]id"?\s*[:>=]\s*"?)[0-9a-f]{32}"#);
        text = told.replace_all(&text, "${1}{{REQUEST_ID}}").into_owned();
        for (path, name) in &self.names {
            text = text.replace(path, name);
        }
        for (name, port) in self.ports {
            let is_part = |c: char| c.is_ascii_digit();
            text = replace(
                &text,
                &port.to_string(),
                &format!("{{{{{name}}}}}"),
                |c| is_part(c) || c == '.',
                is_part,
            );
        }
        text = pattern!(r"\bkong/\d+\.\d+\.\d+(\.\d+)?[-\w.]*").replace_all(&text, "kong/N").into_owned();
        let of_name = |c: char| c.is_alphanumeric() || "_.-".contains(c);
        text = replace(&text, host(), "{{HOSTNAME}}", of_name, of_name);
        let uuid = pattern!("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
        text =
            uuid.replace_all(&text, |found: &Captures<'_>| self.known_or(&found[0], "{{UUID}}")).into_owned();
        for (pattern, name) in &self.own {
            let replace = |found: &Captures<'_>| {
                // What is always replaced by the same stays where the case has it itself, unless that is a name.
                let is_name = found[0].starts_with("{{");
                if !name.contains('$') && !is_name && self.known.contains(&found[0]) {
                    return found[0].to_owned();
                }
                let mut out = String::new();
                found.expand(name, &mut out);
                out
            };
            text = pattern.replace_all(&text, replace).into_owned();
        }
        text
    }

    /// A body; a long one by its sum.
    pub fn body(&self, text: &str) -> String {
        let text = self.text(text);
        if text.chars().count() <= LONGEST {
            return text;
        }
        let sum: String =
            digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{sum} length {}", text.chars().count())
    }

    pub fn headers(&mut self, lines: &Lines) -> Lines {
        lines.iter().map(|(name, value)| (name.clone(), self.header(name, value))).collect()
    }

    fn header(&mut self, name: &str, value: &str) -> String {
        let name = name.to_ascii_lowercase();
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        match name.as_str() {
            "date" | "last-modified" if !self.known.contains(value) => return "{{DATE}}".to_owned(),
            "ratelimit-reset" | "retry-after" | "age" if is_number => return "N".to_owned(),
            _ if is_number && name.starts_with("x-kong-") && name.ends_with("-latency") => {
                return "N".to_owned();
            }
            "server" => return value.split('/').next().unwrap_or_default().to_owned(),
            _ => {}
        }
        let value = self.text(value);
        match name.as_str() {
            "x-cache-key" if pattern!("^[0-9a-f]{64}$").is_match(&value) => {
                let next = self.keys.len() + 1;
                format!("KEY{}", self.keys.entry(value).or_insert(next))
            }
            "x-consumer-groups" | "x-authenticated-groups" => sorted(&value, ", "),
            _ => self.without_ids(&value),
        }
    }

    /// Hexadecimal runs of 16 or 32 digits, and decimal ones of ten or more, that stand for themselves.
    fn without_ids(&self, value: &str) -> String {
        let run = pattern!(r"[0-9A-Za-z+/=_-]+");
        let id = pattern!("^[0-9a-f]{10,32}$");
        let name = |found: &Captures<'_>| {
            let (run, tail) = match found[0].split_once('-') {
                Some((run, _)) => (run, &found[0][run.len()..]),
                None => (&found[0], ""),
            };
            let name = match run.len() {
                _ if !id.is_match(run) => return found[0].to_owned(),
                10..=20 if run.bytes().all(|byte| byte.is_ascii_digit()) => "{{DEC}}",
                16 => "{{HEX16}}",
                32 => "{{HEX32}}",
                _ => return found[0].to_owned(),
            };
            format!("{}{tail}", self.known_or(run, name))
        };
        run.replace_all(value, name).into_owned()
    }

    /// A part of a message; `key` is the member that it is of.
    pub fn value(&mut self, value: &Value, key: &str) -> Value {
        let changes = pattern!(
            "(_at|_start|_start_ns|_latency|_latency_ns|latencies|^latency|^size|keepalive|time|timestamp|duration|^kong$|^proxy$|^receive$|_ms|_ns)$"
        );
        let port = |value: &Value| {
            value
                .as_f64()
                .filter(|n| n.fract() == 0.0 && self.ports.iter().any(|(_, port)| f64::from(*port) == *n))
        };
        match value {
            Value::Object(members) if key == "headers" => Value::Object(self.logged_headers(members)),
            Value::Object(members) if key == "latencies" => {
                members.keys().map(|name| (name.clone(), Value::from("N"))).collect()
            }
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.value(value, name))).collect()
            }
            Value::Array(items) => {
                let mut items: Vec<_> = items.iter().map(|item| self.value(item, key)).collect();
                if key == "annotations" {
                    items.sort_by_key(|item| item["value"].to_string());
                }
                items.into()
            }
            Value::String(_) if key == "service.version" => "N".into(),
            Value::Number(_) if changes.is_match(key) => "N".into(),
            Value::Number(number) => match port(value) {
                Some(port) => self.text(&format!("{port:.0}")).into(),
                None if key == "port" && number.as_u64().is_some_and(|port| port >= CLIENTS) => "N".into(),
                None => value.clone(),
            },
            Value::String(text) if changes.is_match(key) && pattern!(r"^[\d.]+$").is_match(text) => {
                "N".into()
            }
            Value::String(text) if pattern!("^([0-9a-f]{16}|[0-9a-f]{32})$").is_match(text) => {
                self.known_or(text, &format!("{{{{HEX{}}}}}", text.len())).into()
            }
            Value::String(text) => self.text(text).into(),
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    fn logged_headers(&mut self, members: &Map<String, Value>) -> Map<String, Value> {
        let told = members.iter().filter(|(name, _)| !HOP.contains(&name.as_str()));
        told.map(|(name, value)| {
            let value = match value {
                Value::String(text) => self.header(name, text).into(),
                Value::Number(number) => self.header(name, &number.to_string()).into(),
                other => self.value(other, ""),
            };
            (name.clone(), value)
        })
        .collect()
    }

    /// A message of a sink.
    pub fn message(&mut self, message: &Value) -> Value {
        match message {
            Value::Object(members) if members.contains_key("method") && members.contains_key("target") => {
                let headers: Lines = serde_json::from_value(members["headers"].clone()).expect("lines");
                let target = self.text(members["target"].as_str().unwrap_or_default());
                let (headers, body) = (self.headers(&headers), self.value(&members["body"], ""));
                let name = if is_span(&body) { "span" } else { "body" };
                json!({ "method": members["method"], "target": target, "headers": headers, name: body })
            }
            Value::String(_) => match self.value(message, "") {
                Value::String(text) => sorted_tags(&text).into(),
                other => other,
            },
            _ => self.value(message, ""),
        }
    }

    fn known_or(&self, text: &str, name: &str) -> String {
        if self.known.contains(text) { text.to_owned() } else { name.to_owned() }
    }
}

/// Of Zipkin or of OpenTelemetry.
fn is_span(value: &Value) -> bool {
    value.get("traceId").or_else(|| value.get("trace_id")).is_some()
}

/// Replaces what is not a part of something longer.
fn replace(
    text: &str,
    what: &str,
    by: &str,
    before: impl Fn(char) -> bool,
    behind: impl Fn(char) -> bool,
) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(what) {
        let (head, tail) = (&rest[..at], &rest[at + what.len()..]);
        let last = head.chars().last().or_else(|| out.chars().last());
        out.push_str(head);
        let is_whole = !last.is_some_and(&before) && !tail.chars().next().is_some_and(&behind);
        out.push_str(if is_whole { by } else { what });
        rest = tail;
    }
    out + rest
}

fn host() -> &'static str {
    static HOST: LazyLock<String> = LazyLock::new(|| {
        fs::read_to_string("/proc/sys/kernel/hostname").expect("the host has a name").trim().to_owned()
    });
    &HOST
}

fn sorted(list: &str, separator: &str) -> String {
    let mut items: Vec<_> = list.split(separator).collect();
    items.sort_unstable();
    items.join(separator)
}

/// The tags of a line of StatsD in the order of their names, however they are written.
fn sorted_tags(text: &str) -> String {
    if !text.contains('|') || text.contains('\n') {
        return text.to_owned();
    }
    let tags = |found: &Captures<'_>| format!("{}{}{}", &found[1], sorted(&found[2], ","), &found[3]);
    let text = pattern!(r"^(.*\|#)(.+)()$").replace(text, tags);
    let text = pattern!(r"^([^,#|\[]+[,#])([^|]+=[^|]+)(:[^:|]*\|.*)$").replace(&text, tags);
    pattern!(r"^([^\[|]+\[)([^\]]+)(\].*)$").replace(&text, tags).into_owned()
}
