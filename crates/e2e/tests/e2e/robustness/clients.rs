//! What clients do (leave, come all at once) must not reach the plugin servers, which would not survive it.

use std::thread::available_parallelism;
use std::time::Duration;

use polygate_testkit::client::Connection;
use polygate_testkit::{Load, Request, Response, eventually};

use crate::robustness::site::{Site, common, faulty, python};

const BEGINS: &str = "X-Faults-slow: begins";
const ENDS: &str = "X-Faults-slow: ends";

/// Asks and leaves as soon as the handler of the request, the `number`th on this site, is at work.
#[track_caller]
fn leave_amid(site: &Site, path: &str, number: usize) {
    let mut connection = Connection::open(site.gateway.proxy()).expect("the gateway listens");
    connection.write(&Request::get(path).to_bytes()).expect("the gateway reads");
    eventually(Duration::from_secs(5), BEGINS, || (site.count(BEGINS) >= number).then_some(()));
}

#[test]
fn r01_a_client_that_leaves_costs_javascript_nothing() {
    let site = common();
    leave_amid(&site, "/faults-js.slow", 1);
    // Its last call is answered only if the connection was kept.
    site.gateway.wait_for_log(ENDS);
    site.expect_ran("/faults-js.none");
    assert_eq!(site.starts("js"), 1);
}

#[test]
fn r02_requests_at_the_same_time_use_connections_of_their_own() {
    let site = common();
    let check = |answer: &Response| match (answer.status, answer.header("x-faults-access")) {
        (200, Some("ran")) => Ok(()),
        _ => Err(format!("{} {:?} {}", answer.status, answer.headers, answer.text())),
    };
    let load = Load::start(site.gateway.proxy(), 16, &Request::get("/faults-js.none"), check);
    eventually(Duration::from_secs(20), "500 answers", || (load.answered() >= 500).then_some(()));
    assert_eq!(load.stop().failures, [""; 0]);
    assert_eq!(site.starts("js"), 1);
}

#[test]
fn r07_clients_that_leave_do_not_use_up_the_python_workers() {
    let routes = [faulty("faults-py", "slow"), faulty("faults-py", "none")];
    let site = Site::start(&[python("-m").event_timeout("10s")], &routes);
    // One more than the server has workers.
    let count = available_parallelism().map_or(1, usize::from) + 1;
    for number in 1..=count {
        leave_amid(&site, "/faults-py.slow", number);
    }
    site.expect_ran("/faults-py.none");
    eventually(Duration::from_secs(5), "every event ends", || (site.count(ENDS) == count).then_some(()));
    assert_eq!(site.starts("py"), 1);
}
