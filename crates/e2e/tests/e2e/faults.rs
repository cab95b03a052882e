//! The fault matrix: every fault in every SDK in every phase. Each cell names the response's status, the reason header
//! and the counter, and that the next request is right.
//!
//! `table` says what is expected and writes docs/faults.md. `published` plays the faults that a plugin can have, through
//! the published SDKs; `scripted` those that only a server can have, with a server that speaks like each of them.
//! `connections` checks the phases in which no response tells what happened.

mod connections;
mod published;
mod scripted;
mod table;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use polygate_testkit::gateway::free_address;
use polygate_testkit::{EchoUpstream, Gateway, Request, Response, eventually};
use serde_json::{Value, json};

use self::table::{Outcome, Phase};

/// Of an event, in these tests: longer than it takes to find out that a handler which raised has wedged its server.
const EVENT_TIMEOUT: &str = "2s";
/// Until a server that was wedged is back: a deadline, a probe, a start.
const RECOVERY: Duration = Duration::from_secs(40);
/// Until the log phase, which is detached, has been counted.
const DETACHED: Duration = Duration::from_secs(20);

/// A gateway with a plugin in every phase that fails when it is told to.
struct Bench {
    gateway: Gateway,
    /// The listener for TLS, and the one for streams.
    tls: SocketAddr,
    streams: SocketAddr,
    /// Of requests, and of streams that are requests.
    upstream: EchoUpstream,
    /// The plugin of each phase.
    plugins: [String; Phase::ALL.len()],
    /// Requests and streams that have a log phase.
    sent: Cell<u64>,
}

/// Values of one metric, by one of its labels.
type Counts = BTreeMap<String, u64>;

/// A global plugin for requests, handshakes and streams.
fn everywhere(name: &str, config: Value) -> Value {
    json!({ "name": name, "config": config, "protocols": ["http", "https", "tcp"] })
}

impl Bench {
    /// `global` are the entries of `plugins`.
    #[track_caller]
    fn start(conf: &str, global: &[Value], plugins: [String; Phase::ALL.len()]) -> Self {
        let (upstream, tls, streams) = (EchoUpstream::start(), free_address(), free_address());
        let over_tcp = format!("tcp://{}", upstream.address());
        let to_streams = json!({ "protocols": ["tcp"], "destinations": [{ "port": streams.port() }] });
        let file = json!({ "_format_version": "3.0", "plugins": global, "services": [
            { "name": "requests", "url": upstream.url(), "routes": [{ "paths": ["/"] }] },
            { "name": "streams", "url": over_tcp, "routes": [to_streams] },
        ]});
        let listen = format!("proxy_listen = {{proxy}}, {tls} ssl\nstream_listen = {streams}\n");
        let gateway =
            Gateway::builder().conf(&format!("{listen}{conf}")).declarative(&file.to_string()).start();
        Self { gateway, tls, streams, upstream, plugins, sent: Cell::new(0) }
    }

    /// One more has a log phase.
    fn count_sent(&self) {
        self.sent.set(self.sent.get() + 1);
    }

    #[track_caller]
    fn get(&self, target: &str) -> Response {
        self.count_sent();
        Request::get(target).send(self.gateway.proxy())
    }

    /// Waits until the log phase of everything sent has ended: none must meet the next fault.
    #[track_caller]
    fn settle(&self) {
        let logged =
            || self.counts_of("polygate_plugin_events_total", Phase::Log, "phase").values().sum::<u64>();
        eventually(DETACHED, "the end of all log phases", || (logged() == self.sent.get()).then_some(()));
    }

    /// Sends what the fault happens to and holds everything that follows against `expected`.
    #[track_caller]
    fn check(&self, case: &str, phase: Phase, expected: Outcome) {
        let target = format!("/{}", case.replace(' ', "-"));
        match phase {
            Phase::Certificate | Phase::Preread => self.check_connection(case, &target, phase, expected),
            _ => self.check_request(case, &target, phase, expected),
        }
    }

    #[track_caller]
    fn check_request(&self, case: &str, target: &str, phase: Phase, expected: Outcome) {
        let before = self.failures(phase);
        let answer = self.get(target);
        let seen = (answer.status, answer.header("x-polygate-reason"));
        let reasons: &[&str] = match expected {
            Outcome::Refused(reasons) if phase == Phase::Log => reasons,
            Outcome::Refused(reasons) => {
                let reason = reasons.iter().find(|reason| seen == (table::status(reason), Some(**reason)));
                std::slice::from_ref(reason.unwrap_or_else(|| panic!("{case}: {seen:?}, not {reasons:?}")))
            }
            Outcome::AnswersOrCrashes(_) if seen.0 == 500 => {
                assert_eq!(seen.1, Some("plugin_crashed"), "{case}: {}", answer.text());
                &["plugin_crashed"]
            }
            Outcome::Answers(status) | Outcome::AnswersOrCrashes(status) => {
                assert_eq!(seen, (status, None), "{case}: {}", answer.text());
                &[]
            }
            Outcome::Runs => {
                assert_eq!(seen, (200, None), "{case}: {}", answer.text());
                if phase != Phase::Log {
                    let ran = answer.header(&format!("x-faults-{}", phase.as_str()));
                    assert_eq!(ran, Some("ran"), "{case}: the handler's mark");
                }
                &[]
            }
        };
        if phase == Phase::Log {
            assert_eq!(seen, (200, None), "{case}: the response does not wait for the log phase");
        }
        let is_forwarded = answer.status == 200 || matches!(phase, Phase::Response | Phase::Log);
        assert_eq!(self.upstream.hits(target), usize::from(is_forwarded), "{case}: requests to the upstream");
        self.expect_counted(case, phase, &before, reasons);
    }

    /// The failure was counted, once and under one of the reasons; or none was.
    #[track_caller]
    fn expect_counted(&self, case: &str, phase: Phase, before: &Counts, reasons: &[&str]) {
        let with = |reason: &&str| with_one_more(before, reason);
        let wanted =
            if reasons.is_empty() { vec![before.clone()] } else { reasons.iter().map(with).collect() };
        let limit = if phase == Phase::Log { DETACHED } else { Duration::from_secs(2) };
        eventually(
            limit,
            &format!("{case}: failures as in {wanted:?}, not {:?}", self.failures(phase)),
            || wanted.contains(&self.failures(phase)).then_some(()),
        );
    }

    /// How often the phase's plugin failed, by reason.
    fn failures(&self, phase: Phase) -> Counts {
        self.counts_of("polygate_plugin_failures_total", phase, "reason")
    }

    /// Counts of one metric of a phase's plugin.
    fn counts_of(&self, metric: &str, phase: Phase, by: &str) -> Counts {
        let labels = [("plugin", &*self.plugins[phase as usize]), ("phase", phase.as_str())];
        self.counts(metric, &labels, by)
    }

    /// Counts of one metric where it has these labels, by the value of another one; those that are not 0.
    fn counts(&self, metric: &str, labels: &[(&str, &str)], by: &str) -> Counts {
        let label = |line: &str, name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\""))?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let text = Request::get("/metrics").send(self.gateway.status()).expect(200).text();
        text.lines()
            .filter(|line| line.starts_with(&format!("{metric}{{")))
            .filter(|line| labels.iter().all(|(name, value)| label(line, name).as_deref() == Some(value)))
            .filter_map(|line| Some((label(line, by)?, line.rsplit_once(' ')?.1.parse().ok()?)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// The next request, handshake or stream is right, if only after the server was replaced.
    #[track_caller]
    fn expect_right(&self, case: &str, phase: Phase, is_replaced: bool) {
        let limit = if is_replaced { RECOVERY } else { Duration::ZERO };
        eventually(limit, &format!("{case}: what comes next is right"), || {
            let is_right = match phase {
                Phase::Certificate | Phase::Preread => self.is_through(phase),
                _ => self.is_served(),
            };
            is_right.then_some(())
        });
    }

    /// Whether a request is answered, with the mark of every handler.
    fn is_served(&self) -> bool {
        let answer = self.get("/next");
        let marks =
            ["rewrite", "access", "response"].map(|phase| answer.header(&format!("x-faults-{phase}")));
        answer.status == 200 && marks == [Some("ran"); 3]
    }
}

fn with_one_more(counts: &Counts, of: &str) -> Counts {
    let mut counts = counts.clone();
    *counts.entry(of.to_owned()).or_default() += 1;
    counts
}

/// docs/faults.md says what the tests check. `UPDATE_FAULTS=1` writes it.
#[test]
fn the_page_is_the_table() {
    let path = polygate_testkit::peers::repository().join("docs/faults.md");
    let page = table::page();
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/faults.md is there");
    assert!(kept == page, "docs/faults.md is out of date: run this test with UPDATE_FAULTS=1");
}
