//! What each fault comes to, and the page that says so.

use std::fmt::Write as _;

use self::Outcome::{Answers, AnswersOrCrashes, Refused, Runs};
use self::Sdk::{Go, GoMsgPack, JavaScript, Python, PythonGevent, PythonProcesses};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    Go,
    GoMsgPack,
    JavaScript,
    Python,
    PythonGevent,
    PythonProcesses,
}

/// In the order of [`Phase::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Rewrite,
    Access,
    Response,
    Log,
    Certificate,
    Preread,
}

/// What the client sees. In `log` it has its response already, and a refusal is only counted; in `certificate` and
/// `preread` it sees no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The request fails for one of these reasons, with the status that belongs to it.
    Refused(&'static [&'static str]),
    /// The plugin's own answer stands.
    Answers(u16),
    /// It stands if it was sent before the SDK ended the process over the next call.
    AnswersOrCrashes(u16),
    /// The handler comes to its end; nobody notices anything.
    Runs,
}

/// One row.
pub struct Fault {
    pub name: &'static str,
    pub title: &'static str,
    /// Whether it takes a scripted server to have it.
    pub is_scripted: bool,
}

const CRASHED: Outcome = Refused(&["plugin_crashed"]);
/// The SDK answers an error, ends, or waits for ever, as its processes happen to notice: one that was forked meanwhile
/// keeps the dead one's pipe open.
const ENDS_SOMEHOW: Outcome = Refused(&["plugin_crashed", "plugin_error", "plugin_deadline"]);
const ERROR: Outcome = Refused(&["plugin_error"]);
const ERROR_OR_CRASH: Outcome = Refused(&["plugin_error", "plugin_crashed"]);
const PROTOCOL: Outcome = Refused(&["plugin_protocol_error"]);
const DEADLINE: Outcome = Refused(&["plugin_deadline"]);
const UNAVAILABLE: Outcome = Refused(&["plugin_server_unavailable"]);

const fn published(name: &'static str, title: &'static str) -> Fault {
    Fault { name, title, is_scripted: false }
}

const fn scripted(name: &'static str, title: &'static str) -> Fault {
    Fault { name, title, is_scripted: true }
}

pub const FAULTS: [Fault; 24] = [
    scripted("refused", "the socket is there, nobody listens"),
    scripted("missing", "the socket is missing"),
    published("die_before", "the process exits before the first PDK call"),
    published("die_after", "the process exits after a PDK call"),
    scripted("eof_before", "the connection is closed before the first PDK call, the process lives"),
    scripted("eof_after", "the connection is closed after a PDK call, the process lives"),
    published("raise_before", "panic or exception before the first PDK call"),
    published("raise_after", "panic or exception after a PDK call"),
    published("hang_before", "hangs before the first PDK call"),
    published("hang_after", "hangs after a PDK call"),
    published("slow", "slow, but in time"),
    scripted("nonsense", "a frame of nonsense"),
    scripted("truncated", "a frame that breaks off"),
    scripted("oversized", "a frame that announces 4 GiB"),
    scripted("wrong_id", "an answer with another request's number"),
    scripted("unknown_method", "a PDK function that does not exist"),
    published("misspelt_method", "a PDK function that does not exist, from an SDK that lets it pass"),
    published("bad_argument", "a PDK function that refuses its argument, or is not for the phase"),
    scripted("unknown_instance", "the server has forgotten the instance"),
    scripted("duplicate", "the answer comes twice"),
    published("exit_then_calls", "`kong.response.exit`, then more PDK calls"),
    published("restarted", "the process is killed between two requests"),
    published("oom", "the process is killed in the event, as for want of memory"),
    scripted("unread", "the process ends before it reads the event"),
];

impl Phase {
    pub const ALL: [Phase; 6] =
        [Phase::Rewrite, Phase::Access, Phase::Response, Phase::Log, Phase::Certificate, Phase::Preread];

    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Rewrite => "rewrite",
            Phase::Access => "access",
            Phase::Response => "response",
            Phase::Log => "log",
            Phase::Certificate => "certificate",
            Phase::Preread => "preread",
        }
    }
}

impl Sdk {
    const ALL: [Sdk; 6] = [Go, GoMsgPack, JavaScript, Python, PythonGevent, PythonProcesses];
    /// A scripted server speaks like each of these: Python's modes have the same protocol.
    pub const SPOKEN: [Sdk; 4] = [Go, GoMsgPack, JavaScript, Python];

    fn title(self) -> &'static str {
        match self {
            Go => "Go, ProtoBuf",
            GoMsgPack => "Go, MessagePack",
            JavaScript => "JavaScript",
            Python => "Python, threads",
            PythonGevent => "Python `-g`",
            PythonProcesses => "Python `-m`",
        }
    }
}

/// What the client gets for a reason.
pub fn status(reason: &str) -> u16 {
    match reason {
        "plugin_deadline" => 504,
        "plugin_server_unavailable" => 503,
        _ => 500,
    }
}

/// What a fault comes to; `None` where an SDK cannot have it.
pub fn expected(fault: &str, sdk: Sdk, phase: Phase) -> Option<Outcome> {
    let is_go = matches!(sdk, Go | GoMsgPack);
    let outcome = match fault {
        "refused" | "missing" => UNAVAILABLE,
        "die_before" if sdk == PythonProcesses => DEADLINE,
        "die_after" | "oom" if sdk == PythonProcesses => ENDS_SOMEHOW,
        "die_before" | "die_after" | "eof_before" | "eof_after" | "truncated" | "oom" => CRASHED,
        "raise_before" | "raise_after" if is_go => CRASHED,
        "raise_before" | "raise_after" if sdk == JavaScript => ERROR,
        // The traceback tells; what a process of the pool raises is not printed.
        "raise_before" if sdk != PythonProcesses => CRASHED,
        "raise_before" | "raise_after" | "hang_before" | "hang_after" => DEADLINE,
        "nonsense" | "oversized" | "wrong_id" => PROTOCOL,
        "unknown_method" if sdk == Go => ERROR,
        "misspelt_method" if is_go => return None,
        "bad_argument" => ERROR,
        // The response is out, or nobody has asked yet: there is nothing to answer.
        "exit_then_calls" if matches!(phase, Phase::Log | Phase::Certificate) => {
            if sdk == GoMsgPack {
                ERROR_OR_CRASH
            } else {
                ERROR
            }
        }
        "exit_then_calls" if sdk == GoMsgPack => AnswersOrCrashes(403),
        "exit_then_calls" => Answers(403),
        "slow" | "unknown_method" | "misspelt_method" | "unknown_instance" | "duplicate" | "restarted"
        | "unread" => Runs,
        other => panic!("no fault {other}"),
    };
    Some(outcome)
}

/// Whether the next event may fail too, because the process is replaced meanwhile.
pub fn is_replaced(fault: &str, sdk: Sdk) -> bool {
    let is_python = matches!(sdk, Python | PythonGevent | PythonProcesses);
    is_python
        && matches!(fault, "raise_before" | "hang_before" | "hang_after" | "die_before" | "die_after" | "oom")
}

/// docs/faults.md.
pub fn page() -> String {
    let mut page = String::from(
        "# What a fault comes to\n\n\
         Every cell is a test in `crates/e2e/tests/e2e/faults`, in each of the phases certificate, preread, rewrite, access,\n\
         response and log: the status and the `X-Polygate-Reason` header of the response, the counter\n\
         `polygate_plugin_failures_total`, whether the upstream was asked, and that the next request, handshake or stream is\n\
         right. This page is written by them.\n\n\
         - In rewrite and access a refused request never reaches the upstream; in response the upstream's answer is\n\
         \x20 replaced; in log the client has its response already, and the failure is only counted and logged.\n\
         - In preread a stream that is refused is closed without a byte, as is one that a plugin answers with a status other\n\
         \x20 than 200; the status is what the access log and `polygate_stream_sessions_total` have.\n\
         - In certificate a handshake that is refused ends with the alert `internal_error` and counts as `plugin` in\n\
         \x20 `polygate_tls_handshakes_total`. Nobody has asked for anything yet, so that `kong.response.exit` is a\n\
         \x20 `plugin_error` there, as it is in log.\n\
         - With `on_error = open` the same failures are counted, and the request goes on without the plugin.\n\
         - *runs*: the handler comes to its end and the client notices nothing.\n\
         - The JavaScript SDK keeps an exception to itself, but prints it; the gateway reads that before it believes that\n\
         \x20 the handler has ended. Of a server that somebody else runs it cannot see the output: there the request goes on.\n\
         - No fault is offered to a second process, unless the first one never read the event.\n\n",
    );
    let titles: Vec<_> = Sdk::ALL.map(Sdk::title).into();
    writeln!(page, "| fault | {} |", titles.join(" | ")).expect("a string takes it");
    writeln!(page, "|---{}|", "|---".repeat(titles.len())).expect("a string takes it");
    for fault in &FAULTS {
        let cells = Sdk::ALL.map(|sdk| cell(fault.name, sdk));
        writeln!(page, "| {} | {} |", fault.title, cells.join(" | ")).expect("a string takes it");
    }
    page.push_str(
        "\nA process that ended is started again at once if it was of use, and the next event waits for it. A Python server\n\
         whose handler raised or hangs before its first PDK call takes no event any more. What raised leaves a\n\
         traceback, which is followed by a probe at once: the process is replaced within two seconds, and its events\n\
         fail then. What hangs may be at work, so it has the time that an event has; then the process is probed, and\n\
         replaced. In `-m` mode nothing is printed, and a worker that dies before its first call takes its event with\n\
         it without a word, so the deadline tells. The deadlines here are those of `event_timeout`; without that, the\n\
         default, they are `step_timeout` after the server's last message.\n",
    );
    page
}

fn cell(fault: &str, sdk: Sdk) -> String {
    match expected(fault, sdk, Phase::Access) {
        None => "-".to_owned(),
        Some(Refused(reasons)) => {
            let each = reasons.iter().map(|reason| format!("{} `{reason}`", status(reason)));
            each.collect::<Vec<_>>().join(" or ")
        }
        Some(Answers(status)) => format!("{status}, the plugin's"),
        Some(AnswersOrCrashes(status)) => format!("{status}, the plugin's, or 500 `plugin_crashed`"),
        Some(Runs) => "runs".to_owned(),
    }
}
