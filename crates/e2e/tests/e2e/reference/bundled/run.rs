//! A file's groups, each on a gateway of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use polygate_testkit::gateway::free_address;
use polygate_testkit::{Gateway, RedisServer};
use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use crate::reference::bundled::ask::ask;
use crate::reference::bundled::compare;
use crate::reference::bundled::normal::Normal;
use crate::reference::bundled::recorded::{
    Answer, Ask, Capture, Case, File, Group, Need, Received, Sink, Step, folder, load,
};
use crate::reference::bundled::server::Served;
use crate::reference::bundled::sinks::{Message, Ports, Sinks};

/// For what comes too late, or once too often.
const STRAY: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(20);
/// Seconds of a minute that a case may take.
const MINUTES_END: f64 = 6.0;

struct Run<'g> {
    group: &'g Group,
    gateway: Gateway,
    upstream: Arc<Served>,
    sinks: Sinks,
    _redis: Option<RedisServer>,
    ports: Ports,
    /// Where plugins write files.
    files: PathBuf,
    _folder: TempDir,
}

/// Replays one file.
#[track_caller]
pub fn file(name: &str) {
    let file: File = load(&folder("bundled").join(format!("{name}.json")));
    let mut complaints = Vec::new();
    for group in &file.groups {
        let run = Run::start(group);
        let complaint = |case| Some(format!("{}/{}", group.name, run.complain(case)?));
        complaints.extend(group.cases.iter().filter_map(complaint));
    }
    assert!(complaints.is_empty(), "{} cases of {name}:\n{}", complaints.len(), complaints.join("\n"));
}

impl<'g> Run<'g> {
    #[track_caller]
    fn start(group: &'g Group) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let files = folder.path().join("sink");
        std::fs::create_dir(&files).expect("the folder is writable");
        let (upstream, upstream_port) = Served::start();
        let (sinks, mut ports) = Sinks::start();
        let redis = group.needs.contains(&Need::Redis).then(RedisServer::start);
        ports.extend(redis.as_ref().map(|server| ("REDIS_PORT", server.address.port())));
        let proxy = free_address();
        ports.extend([
            ("UPSTREAM_PORT", upstream_port),
            ("PROXY_PORT", proxy.port()),
            ("CLOSED_PORT", free_address().port()),
        ]);
        let fill = |text: &str| filled(text, &ports, &[("SINK_DIR".to_owned(), files.display().to_string())]);
        let own = group.conf.iter().flatten().map(|(name, value)| format!("{name} = {}\n", fill(value)));
        let own: String = own.collect();
        let gateway = Gateway::builder()
            .proxy(proxy)
            .conf(&format!(
                "nginx_worker_processes = 1\nplugins = bundled\nproxy_access_log = off\nlog_level = notice\n{own}"
            ))
            .declarative(&fill(&group.config.to_string()))
            .start();
        ports.push(("STATUS_PORT", gateway.status().port()));
        Self { group, gateway, upstream, sinks, _redis: redis, ports, files, _folder: folder }
    }

    /// What is wrong with a case, if anything is.
    fn complain(&self, case: &Case) -> Option<String> {
        let found = self.differences(case);
        match (case.mark.reason(), &found[..]) {
            (None, []) => None,
            (None, found) => Some(format!("{}:\n    {}", case.name, found.join("\n    "))),
            (Some(mark), []) => {
                Some(format!("{}: does not differ any more; take its mark off: {mark}", case.name))
            }
            (Some(_), _) => None,
        }
    }

    fn differences(&self, case: &Case) -> Vec<String> {
        if case.minute_edge {
            wait_for_a_minute();
        }
        let folders = [(&*self.files, "SINK_DIR"), (self.gateway.prefix(), "PREFIX")];
        let mut normal = Normal::new(&self.group.config, case, &self.ports, &folders);
        normal.capture("NOW_DATE", http_date());
        let mut found = Vec::new();
        for (at, step) in case.steps.iter().enumerate() {
            let differences = match self.step(step, &normal) {
                Step::Wait { wait } => {
                    thread::sleep(Duration::from_secs_f64(wait));
                    Vec::new()
                }
                Step::Sink(sink) => self.received(&sink, &mut normal),
                Step::Ask(asked) => {
                    let pace = self.group.pace.filter(|_| at > 0).unwrap_or_default();
                    thread::sleep(Duration::from_secs_f64(pace));
                    self.asked(&asked, &mut normal)
                }
            };
            found.extend(differences.into_iter().map(|difference| format!("step {}: {difference}", at + 1)));
        }
        found
    }

    /// A step with real ports and what was captured, but for what is expected.
    fn step(&self, step: &Value, normal: &Normal<'_>) -> Step {
        let mut step = step.clone();
        for part in ["request", "upstream"] {
            if let Some(part) = step.get_mut(part) {
                let text = filled(&part.to_string(), &self.ports, &escaped(normal.captures()));
                *part = serde_json::from_str(&text).expect("JSON");
            }
        }
        serde_json::from_value(step).expect("a step")
    }

    fn asked(&self, step: &Ask, normal: &mut Normal<'_>) -> Vec<String> {
        self.upstream.answer(step.upstream.clone());
        drop(self.upstream.take());
        let got = match ask(self.address(step), &step.request) {
            Ok(got) => got,
            Err(error) => return vec![error.to_string()],
        };
        let upstream = self.upstream.take();
        if let Some(signature) = got.signature {
            normal.capture("SIGNATURE", signature);
        }
        for (name, capture) in &step.capture {
            normal.capture(name, captured(capture, &got.headers, &got.body));
        }
        normal.learn(&got.headers);
        upstream.iter().for_each(|request| normal.learn(&request.headers));
        let mut body = got.body;
        if !step.lines.is_all() {
            let mut lines: Vec<_> = body.lines().filter(|line| step.lines.takes(line)).collect();
            if step.lines.sorts {
                lines.sort_unstable();
            }
            body = lines.join("\n");
        }
        let upstream = upstream.into_iter().map(|request| Received {
            target: normal.text(&request.target),
            headers: normal.headers(&request.headers),
            body: normal.body(&request.body),
            ..request
        });
        let upstream = upstream.collect();
        let observed = Answer {
            status: got.status,
            headers: normal.headers(&got.headers),
            body: normal.body(&body),
            upstream,
        };
        compare::answers(&step.expect, &observed, &step.ignore)
    }

    fn address(&self, step: &Ask) -> SocketAddr {
        match step.request.to.as_deref() {
            Some("status") => self.gateway.status(),
            _ => self.gateway.proxy(),
        }
    }

    fn received(&self, step: &Sink, normal: &mut Normal<'_>) -> Vec<String> {
        let messages = || {
            let mut messages = self.sinks.messages(step, &self.files);
            messages.retain(|message| message.text.contains(&step.r#match));
            if step.are_spans { messages.iter().flat_map(Message::spans).collect() } else { messages }
        };
        let end = Instant::now() + Duration::from_secs_f64(step.timeout);
        while (step.count == 0 || messages().len() < step.count) && Instant::now() < end {
            thread::sleep(LOOK);
        }
        thread::sleep(STRAY);
        let mut values: Vec<_> = messages().iter().map(|message| normal.message(&message.value)).collect();
        values.retain(|value| step.lines.takes(value.as_str().unwrap_or(&value.to_string())));
        if step.lines.sorts {
            values.sort_by_key(Value::to_string);
        }
        if step.are_spans {
            values.sort_by_key(|value| value["span"]["name"].as_str().map(str::to_owned));
        }
        compare::messages(&Value::Array(step.expect.clone()), &Value::Array(values), "sink")
    }
}

fn captured(capture: &Capture, headers: &[(String, String)], body: &str) -> String {
    let text = match &capture.header {
        Some(name) => {
            let lines = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            lines.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\n")
        }
        None => body.to_owned(),
    };
    let pattern = capture.regex.as_deref().or(capture.body.as_deref()).unwrap_or_default();
    let found = Regex::new(pattern).expect("a recorded pattern");
    found.captures(&text).map(|found| found[1].to_owned()).unwrap_or_default()
}

/// JSON with real values in place of names; one that is all of a text, and a port, is a number.
fn filled(text: &str, ports: &[(&str, u16)], values: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (name, port) in ports {
        text = text.replace(&format!("\"{{{{{name}}}}}\""), &port.to_string());
        text = text.replace(&format!("{{{{{name}}}}}"), &port.to_string());
    }
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    text
}

/// As they stand within texts of JSON.
fn escaped(values: &[(String, String)]) -> Vec<(String, String)> {
    let escape = |value: &String| Value::from(value.as_str()).to_string().trim_matches('"').to_owned();
    values.iter().map(|(name, value)| (name.clone(), escape(value))).collect()
}

/// Until the minute has some seconds left.
fn wait_for_a_minute() {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() % 60.0;
    if second > 60.0 - MINUTES_END {
        thread::sleep(Duration::from_secs_f64(60.3 - second));
    }
}

fn http_date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}
