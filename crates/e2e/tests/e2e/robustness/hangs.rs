//! Handlers that never end: the request gets its answer in time, and a process that is wedged is replaced.

use std::time::{Duration, Instant};

use polygate_testkit::Request;
use serde_json::json;

use crate::declarative::{plugin, route};
use crate::program::{PY, Program};
use crate::robustness::site::{Server, Site, faulty, gate, go, javascript, python, with_key};
use crate::servers;

/// Long enough for a handler that works on a busy machine.
const LIMIT: &str = "2s";

#[test]
fn r03_python_raising_first_is_replaced_at_once() {
    let routes =
        [faulty("faults-py", "raise_before"), faulty("faults-py", "none"), route("gate", &[gate("gate-go")])];
    let site = Site::start(&[python(""), go("gate-go")], &routes);
    let start = Instant::now();
    site.expect_failure("/faults-py.raise_before", 500, "plugin_crashed");
    site.send(&with_key("/gate")).expect(200);
    site.expect_recovery("/faults-py.none");
    // Long before any deadline.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(site.starts("py"), 2);
    assert_eq!(site.starts("gate-go"), 1);
}

#[test]
fn r04_python_raising_later_costs_its_own_request_only() {
    let routes = [faulty("faults-py", "raise_after"), faulty("faults-py", "none")];
    let site = Site::start(&[python("").event_timeout(LIMIT)], &routes);
    for _ in 0..2 {
        site.expect_failure("/faults-py.raise_after", 504, "plugin_deadline");
        site.expect_ran("/faults-py.none");
    }
    assert_eq!(site.starts("py"), 1);
}

/// Nothing but a traceback tells, and nothing else can be meant.
#[test]
fn r04_python_raising_later_alone_is_known_by_its_traceback() {
    let routes = [faulty("faults-py", "raise_after"), faulty("faults-py", "none")];
    let site = Site::start(&[python("")], &routes);
    for _ in 0..2 {
        site.expect_failure("/faults-py.raise_after", 500, "plugin_error");
        site.expect_ran("/faults-py.none");
    }
    assert_eq!(site.starts("py"), 1);
}

#[test]
fn r06_an_answer_that_gevent_cuts_off_is_explained() {
    let server = Server { name: "py", plugins: vec![PY], conf: servers::python("py", "plugins", "-g") };
    let site = Site::start(&[server.event_timeout(LIMIT)], &[route("pdk", &[plugin(PY, json!({}))])]);
    let program = Program::new(PY).call("access", "exit_body", json!([]));
    let post = |size| site.send(&program.load_into(Request::post("/pdk", vec![b'x'; size])));
    assert_eq!(post(200_000).expect(200).body.len(), 200_000);
    let answer = post(300_000).expect(504);
    assert_eq!(answer.header("x-polygate-reason"), Some("plugin_deadline"));
    site.gateway.wait_for_log(r"an answer broke off after \d+ bytes .*gevent");
    assert_eq!(post(200_000).expect(200).body.len(), 200_000);
}

#[test]
fn r08_a_python_instance_that_no_process_can_be_sent_is_no_dead_end() {
    let routes = [faulty("faults-py", "unpicklable"), faulty("faults-py", "none")];
    let site = Site::start(&[python("-m").event_timeout(LIMIT)], &routes);
    site.expect_failure("/faults-py.unpicklable", 504, "plugin_deadline");
    site.expect_recovery("/faults-py.none");
    assert_eq!(site.starts("py"), 2);
}

/// A loop that waits for nobody stalls every event of the process.
#[test]
fn javascript_that_blocks_its_event_loop_is_replaced() {
    let routes = [faulty("faults-js", "hang_busy"), faulty("faults-js", "none")];
    let site = Site::start(&[javascript().event_timeout(LIMIT)], &routes);
    site.expect_failure("/faults-js.hang_busy", 504, "plugin_deadline");
    site.expect_recovery("/faults-js.none");
    assert_eq!(site.starts("js"), 2);
}

/// An event that waits for something leaves the others alone.
#[test]
fn javascript_that_waits_for_ever_costs_its_own_request_only() {
    let routes =
        [faulty("faults-js", "hang_before"), faulty("faults-js", "hang_after"), faulty("faults-js", "none")];
    let site = Site::start(&[javascript().event_timeout(LIMIT)], &routes);
    for fault in ["hang_before", "hang_after"] {
        site.expect_failure(&format!("/faults-js.{fault}"), 504, "plugin_deadline");
        site.expect_ran("/faults-js.none");
    }
    assert_eq!(site.starts("js"), 1);
}
