//! The phases in which a client is sent no status: a handshake that is refused ends with an alert, a stream without a
//! byte. What it was is told by counters.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use polygate_testkit::{Request, eventually};

use super::table::{Outcome, Phase, status};
use super::{Bench, Counts, DETACHED, with_one_more};
use crate::tls::run;

/// How a connection may end: the reason of the plugin's failure if there is one, and the label of the connection's end.
type End = (Option<&'static str>, String);

impl Bench {
    /// Opens the connection that the fault happens to; the request to `target` follows if nobody refuses it.
    #[track_caller]
    pub fn check_connection(&self, case: &str, target: &str, phase: Phase, expected: Outcome) {
        let (failures, ends, marks) = (self.failures(phase), self.ends(phase), self.marks(phase));
        let heard = self.connect(phase, target);
        let after = |(reason, end): End| {
            let failures = reason.map_or(failures.clone(), |reason| with_one_more(&failures, reason));
            (failures, with_one_more(&ends, &end))
        };
        let wanted: Vec<_> = allowed(phase, expected).into_iter().map(after).collect();
        let counted = || (self.failures(phase), self.ends(phase));
        eventually(DETACHED, &format!("{case}: {wanted:?}, not {:?}; heard {heard:?}", counted()), || {
            wanted.contains(&counted()).then_some(())
        });
        let is_through = expected == Outcome::Runs;
        if is_through {
            assert!(is_answer(&heard), "{case}: {heard}");
            eventually(DETACHED, &format!("{case}: the handler's mark"), || {
                (self.marks(phase) > marks).then_some(())
            });
        } else if phase == Phase::Certificate {
            assert!(heard.contains("alert internal error"), "{case}: {heard}");
        } else {
            assert_eq!(heard, "", "{case}: a stream that is refused has no byte");
        }
        assert_eq!(self.upstream.hits(target), usize::from(is_through), "{case}: requests to the upstream");
    }

    /// Whether a connection is let through.
    pub fn is_through(&self, phase: Phase) -> bool {
        is_answer(&self.connect(phase, "/next"))
    }

    /// What the client hears. A handshake that was refused has no log phase.
    fn connect(&self, phase: Phase, target: &str) -> String {
        if phase == Phase::Preread {
            self.count_sent();
            return self.stream(target);
        }
        let url = format!("https://{}{target}", self.tls);
        let (heard, succeeded) = run(Command::new("curl").args(["-ksSi", "--max-time", "20", &url]));
        if succeeded {
            self.count_sent();
        }
        heard
    }

    /// A request as a stream, which ends with the answer.
    fn stream(&self, target: &str) -> String {
        let request = Request::get(target).to_bytes();
        let mut stream = TcpStream::connect(self.streams).expect("the gateway listens");
        stream.set_read_timeout(Some(DETACHED)).expect("a time that is not 0");
        let mut heard = Vec::new();
        let asked = stream.write_all(&request).and_then(|()| stream.shutdown(Shutdown::Write));
        // Whoever is refused may find the connection broken.
        if let Err(error) = asked.and_then(|()| stream.read_to_end(&mut heard)) {
            println!("{target} broke off: {error}");
        }
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// How often connections ended in each way.
    fn ends(&self, phase: Phase) -> Counts {
        match phase {
            Phase::Certificate => self.counts("polygate_tls_handshakes_total", &[], "end"),
            _ => self.counts("polygate_stream_sessions_total", &[("transport", "TCP")], "code"),
        }
    }

    /// How many handlers of the phase came to their end.
    fn marks(&self, phase: Phase) -> usize {
        self.gateway.error_log().matches(&format!("X-Faults-{}: ran", phase.as_str())).count()
    }
}

fn is_answer(heard: &str) -> bool {
    heard.starts_with("HTTP/1.1 200 ")
}

/// The ends that an outcome allows.
fn allowed(phase: Phase, expected: Outcome) -> Vec<End> {
    let end = |status: u16| match (phase, status) {
        (Phase::Certificate, 200) => "done".to_owned(),
        (Phase::Certificate, _) => "plugin".to_owned(),
        _ => status.to_string(),
    };
    let refused = |reason: &'static str| (Some(reason), end(status(reason)));
    match expected {
        Outcome::Refused(reasons) => reasons.iter().map(|reason| refused(reason)).collect(),
        Outcome::Answers(status) => vec![(None, end(status))],
        Outcome::AnswersOrCrashes(status) => vec![(None, end(status)), refused("plugin_crashed")],
        Outcome::Runs => vec![(None, end(200))],
    }
}
