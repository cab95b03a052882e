//! Every PDK function through every language: each row of the table is a call with the outcome it must have. A scene
//! is one request; what its calls changed is checked on the upstream's request and the client's answer.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};

use polygate_testkit::{Received, Request, Response};
use serde_json::{Value, json};

use crate::fleet::{Fleet, fleet};
use crate::program::{GO, GO_LM, JS, LANGUAGES, PY, Program, ROUTE};
use functions::functions;
use want::Want;

mod functions;
mod table;
mod want;

/// Calls of one phase in one request.
pub struct Scene {
    name: &'static str,
    phase: &'static str,
    request: Request,
    rows: Vec<Row>,
    /// Whether outcomes come as the answer: after a wrong call the gateway refuses a request that goes on.
    exits: bool,
    /// The status of the answer.
    status: u16,
    /// What is wrong with the upstream's request or the client's answer.
    check: fn(&Effects) -> Result<(), String>,
}

pub struct Row {
    call: &'static str,
    arguments: Value,
    want: Want,
}

/// What a scene did.
pub struct Effects<'a> {
    pub fleet: &'a Fleet,
    pub answer: &'a Response,
}

impl Scene {
    pub fn new(name: &'static str, phase: &'static str, request: Request) -> Self {
        Self { name, phase, request, rows: Vec::new(), exits: false, status: 200, check: |_| Ok(()) }
    }

    pub fn row(mut self, call: &'static str, arguments: Value, want: Want) -> Self {
        self.rows.push(Row { call, arguments, want });
        self
    }

    pub fn exits(mut self) -> Self {
        self.exits = true;
        self
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn check(mut self, check: fn(&Effects) -> Result<(), String>) -> Self {
        self.check = check;
        self
    }
}

impl Effects<'_> {
    /// The request that reached the upstream; `target` is unique to the scene.
    pub fn upstream(&self, target: &str) -> Received {
        self.fleet.upstream.last(target)
    }
}

/// One language's run through the table.
struct Run<'a> {
    fleet: &'a Fleet,
    plugin: &'static str,
    /// What its SDK can call.
    offered: BTreeSet<&'static str>,
    covered: BTreeSet<&'static str>,
    failures: Vec<String>,
}

impl Run<'_> {
    fn play(&mut self, scene: &Scene) {
        let rows: Vec<&Row> = scene.rows.iter().filter(|row| self.offered.contains(row.call)).collect();
        // ProtoBuf has no way to tell a plugin of an error: the gateway ends the event instead.
        if rows.is_empty() || (scene.exits && self.plugin == GO) {
            return;
        }
        let tag = format!("{}-{}", self.plugin, scene.name);
        let start = Program::new(self.plugin).tag(&tag);
        let start = if scene.exits { start.exit() } else { start };
        let add = |program: Program, row: &&Row| program.call(scene.phase, row.call, row.arguments.clone());
        let program = rows.iter().fold(start, add);
        let answer = program.load_into(scene.request.clone()).send(self.fleet.gateway.proxy());
        if answer.status != scene.status {
            self.fail(scene, &format!("status {} {}", answer.status, answer.text()));
            return;
        }
        if !rows.iter().all(|row| row.want == Want::Ends) {
            self.compare(scene, &rows, &self.outcomes(scene, &program, &answer));
        } else {
            self.covered.extend(rows.iter().map(|row| row.call));
        }
        if let Err(wrong) = (scene.check)(&Effects { fleet: self.fleet, answer: &answer }) {
            self.fail(scene, &wrong);
        }
    }

    fn outcomes(&self, scene: &Scene, program: &Program, answer: &Response) -> Vec<Value> {
        if scene.phase == "log" {
            return program.logged(&self.fleet.gateway);
        }
        program.outcomes(answer, scene.phase)
    }

    fn compare(&mut self, scene: &Scene, rows: &[&Row], outcomes: &[Value]) {
        if rows.len() != outcomes.len() {
            self.fail(scene, &format!("{} calls, {} outcomes: {outcomes:?}", rows.len(), outcomes.len()));
        }
        for (row, outcome) in rows.iter().zip(outcomes) {
            if row.want.accepts(outcome) {
                self.covered.insert(row.call);
            } else {
                let wrong = format!("{}{}: {outcome}, but want {:?}", row.call, row.arguments, row.want);
                self.fail(scene, &wrong);
            }
        }
    }

    fn fail(&mut self, scene: &Scene, wrong: &str) {
        self.failures.push(format!("{}, {} ({}): {wrong}", self.plugin, scene.name, scene.phase));
    }
}

/// Plays every scene in one language, prints how many functions are covered and why the others are not, and fails unless
/// every function that the SDK can call was called.
#[track_caller]
fn expect_all(plugin: &'static str) {
    let fleet = fleet();
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut offered = BTreeSet::new();
    for function in functions() {
        match function.not_offered(plugin) {
            Some(reason) => missing.entry(reason).or_default().push(&function.name),
            None => drop(offered.insert(function.name.as_str())),
        }
    }
    let mut run = Run { fleet: &fleet, plugin, offered, covered: BTreeSet::new(), failures: Vec::new() };
    for scene in table::scenes() {
        run.play(&scene);
    }
    let covered = run.offered.intersection(&run.covered).count();
    // Past the capture of the test harness, so that every run shows it.
    drop(writeln!(io::stderr(), "{plugin}: {covered} / {} PDK functions covered", functions().len()));
    for (reason, names) in missing {
        drop(writeln!(io::stderr(), "{plugin}: {reason}: {}", names.join(", ")));
    }
    assert!(run.failures.is_empty(), "{} wrong:\n{}", run.failures.len(), run.failures.join("\n"));
    let missing: Vec<_> = run.offered.difference(&run.covered).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

/// A plugin that ignores the error of a wrong call must not let the request through.
#[test]
fn pdk_wrong_calls_refuse_the_request() {
    let fleet = fleet();
    for plugin in LANGUAGES {
        let program = Program::new(plugin).call("access", "kong.response.set_status", json!([99]));
        let path = format!("{ROUTE}/refused/{plugin}");
        let answer = program.load_into(Request::get(&path)).send(fleet.gateway.proxy());
        assert_eq!(answer.status, 500, "{plugin}: {}", answer.text());
        assert_eq!(fleet.upstream.hits(&format!("/refused/{plugin}")), 0, "{plugin}");
    }
}

/// No row names a function that does not exist.
#[test]
fn pdk_rows_are_of_the_description() {
    let known: BTreeSet<&str> = functions().iter().map(|function| function.name.as_str()).collect();
    let rows = table::scenes().into_iter().flat_map(|scene| scene.rows).map(|row| row.call);
    let unknown: Vec<&str> = rows.filter(|call| !known.contains(call)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn pdk_go() {
    expect_all(GO);
}

#[test]
fn pdk_go_messagepack() {
    expect_all(GO_LM);
}

#[test]
fn pdk_javascript() {
    expect_all(JS);
}

#[test]
fn pdk_python() {
    expect_all(PY);
}
