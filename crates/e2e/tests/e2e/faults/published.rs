//! The faults of plugins on the published SDKs.

use std::fs;
use std::path::PathBuf;

use polygate_testkit::eventually;
use polygate_testkit::gateway::kill;
use serde_json::json;

use super::table::{FAULTS, Phase, Sdk, expected, is_replaced};
use super::{Bench, DETACHED, EVENT_TIMEOUT, everywhere};
use crate::robustness::site::{Server, go, go_lm, javascript, python};

/// A server with the plugin that does what the armed file says, for one event.
struct Published {
    bench: Bench,
    armed: PathBuf,
}

impl Published {
    fn start(server: Server, plugin: &str) -> Self {
        let global = everywhere(plugin, json!({ "armed": "{prefix}/armed" }));
        let name = server.name;
        // Each crash counts for itself here; the breaker has tests of its own.
        let server =
            server.event_timeout(EVENT_TIMEOUT).with("connect_timeout", "30s").with("breaker_failures", "0");
        let conf = format!("plugins = {plugin}\npluginserver_names = {name}\n{}", server.conf);
        let bench = Bench::start(&conf, &[global], Phase::ALL.map(|_| plugin.to_owned()));
        let armed = bench.gateway.prefix().join("armed");
        Self { bench, armed }
    }

    #[track_caller]
    fn check(&self, fault: &str, sdk: Sdk, phase: Phase) {
        let Some(outcome) = expected(fault, sdk, phase) else { return };
        let case = format!("{fault} in {} of {sdk:?}", phase.as_str());
        self.bench.settle();
        match fault {
            "restarted" => self.kill(),
            "misspelt_method" => self.arm(phase, "unknown_method"),
            fault => self.arm(phase, fault),
        }
        self.bench.check(&case, phase, outcome);
        self.bench.expect_right(&case, phase, is_replaced(fault, sdk));
    }

    fn arm(&self, phase: Phase, fault: &str) {
        // Whole at once: the plugin must not find half of it.
        let draft = self.armed.with_extension("draft");
        fs::write(&draft, format!("{} {fault}", phase.as_str())).expect("the prefix is writable");
        fs::rename(&draft, &self.armed).expect("the prefix is writable");
    }

    /// Ends the process behind the gateway's back.
    fn kill(&self) {
        let [pid] = self.bench.gateway.children()[..] else { panic!("one server, one process") };
        kill(pid);
        eventually(DETACHED, "the end of the process", || {
            (!self.bench.gateway.children().contains(&pid)).then_some(())
        });
    }
}

fn every_fault(server: Server, plugin: &str, sdk: Sdk) {
    let published = Published::start(server, plugin);
    for fault in FAULTS.iter().filter(|fault| !fault.is_scripted) {
        for phase in Phase::ALL {
            published.check(fault.name, sdk, phase);
        }
    }
}

#[test]
fn faults_of_go() {
    every_fault(go("faults-go"), "faults-go", Sdk::Go);
}

#[test]
fn faults_of_go_over_messagepack() {
    every_fault(go_lm(), "faults-go-lm", Sdk::GoMsgPack);
}

#[test]
fn faults_of_javascript() {
    every_fault(javascript(), "faults-js", Sdk::JavaScript);
}

#[test]
fn faults_of_python_with_threads() {
    every_fault(python(""), "faults-py", Sdk::Python);
}

#[test]
fn faults_of_python_with_greenlets() {
    every_fault(python("-g"), "faults-py", Sdk::PythonGevent);
}

#[test]
fn faults_of_python_with_processes() {
    every_fault(python("-m"), "faults-py", Sdk::PythonProcesses);
}
