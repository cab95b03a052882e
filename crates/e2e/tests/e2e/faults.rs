//! The fault matrix: every fault in every SDK in every phase. Each cell names the response's status, the reason header
//! and the counter, and that the next request is right.
//!
//! `table` says what is expected and writes docs/faults.md. `published` plays the faults that a plugin can have, through
//! the published SDKs; `scripted` those that only a server can have, with a server that speaks like each of them.

mod published;
mod scripted;
mod table;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use polygate_testkit::{EchoUpstream, Gateway, Request, Response, eventually};

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
    upstream: EchoUpstream,
    /// The plugin of each phase.
    plugins: [String; Phase::ALL.len()],
    sent: Cell<u64>,
}

/// How often the plugin failed in a phase, by reason.
type Failures = BTreeMap<String, u64>;

impl Bench {
    fn new(gateway: Gateway, upstream: EchoUpstream, plugins: [String; Phase::ALL.len()]) -> Self {
        Self { gateway, upstream, plugins, sent: Cell::new(0) }
    }

    #[track_caller]
    fn get(&self, target: &str) -> Response {
        self.sent.set(self.sent.get() + 1);
        Request::get(target).send(self.gateway.proxy())
    }

    /// Waits until the log phase of every request has ended: none must meet the next fault.
    #[track_caller]
    fn settle(&self) {
        let logged =
            || self.counts("polygate_plugin_events_total", Phase::Log, "phase").values().sum::<u64>();
        eventually(DETACHED, "the end of all log phases", || (logged() == self.sent.get()).then_some(()));
    }

    /// Sends the request in which the fault happens and holds everything that follows against `expected`.
    #[track_caller]
    fn check(&self, case: &str, phase: Phase, expected: Outcome) {
        let before = self.failures(phase);
        let target = format!("/{}", case.replace(' ', "-"));
        let answer = self.get(&target);
        let seen = (answer.status, answer.header("x-polygate-reason"));
        let reasons: &[&str] = match expected {
            Outcome::Refused(reasons) if phase == Phase::Log => reasons,
            Outcome::AnswersOrCrashes(_) if phase == Phase::Log => &["plugin_error", "plugin_crashed"],
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
        assert_eq!(
            self.upstream.hits(&target),
            usize::from(is_forwarded),
            "{case}: requests to the upstream"
        );
        self.expect_counted(case, phase, &before, reasons);
    }

    /// The failure was counted, once and under one of the reasons; or none was.
    #[track_caller]
    fn expect_counted(&self, case: &str, phase: Phase, before: &Failures, reasons: &[&str]) {
        let with = |reason: &&str| {
            let mut counts = before.clone();
            *counts.entry((*reason).to_owned()).or_default() += 1;
            counts
        };
        let wanted =
            if reasons.is_empty() { vec![before.clone()] } else { reasons.iter().map(with).collect() };
        let limit = if phase == Phase::Log { DETACHED } else { Duration::from_secs(2) };
        eventually(
            limit,
            &format!("{case}: failures as in {wanted:?}, not {:?}", self.failures(phase)),
            || wanted.contains(&self.failures(phase)).then_some(()),
        );
    }

    fn failures(&self, phase: Phase) -> Failures {
        self.counts("polygate_plugin_failures_total", phase, "reason")
    }

    /// Counts of one metric of a phase's plugin, by the value of a label; those that are not 0.
    fn counts(&self, metric: &str, phase: Phase, by: &str) -> BTreeMap<String, u64> {
        let label = |line: &str, name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\""))?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let text = Request::get("/metrics").send(self.gateway.status()).expect(200).text();
        text.lines()
            .filter(|line| line.starts_with(&format!("{metric}{{")))
            .filter(|line| label(line, "plugin").as_ref() == Some(&self.plugins[phase as usize]))
            .filter(|line| label(line, "phase").as_deref() == Some(phase.as_str()))
            .filter_map(|line| Some((label(line, by)?, line.rsplit_once(' ')?.1.parse().ok()?)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// The next request is right, if only after the server was replaced.
    #[track_caller]
    fn expect_right(&self, case: &str, is_replaced: bool) {
        let limit = if is_replaced { RECOVERY } else { Duration::ZERO };
        eventually(limit, &format!("{case}: the next request is right"), || {
            let answer = self.get("/next");
            let marks =
                ["rewrite", "access", "response"].map(|phase| answer.header(&format!("x-faults-{phase}")));
            (answer.status == 200 && marks == [Some("ran"); 3]).then_some(())
        });
    }
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
