//! Values that an SDK cannot take or cannot send, and calls that nobody waits for.

use polygate_testkit::Request;
use serde_json::json;

use crate::declarative::{plugin, route};
use crate::fleet::fleet;
use crate::program::{JS, LANGUAGES, PY, Program, ROUTE};
use crate::robustness::site::{FAULTS, Site, common, javascript};

#[test]
fn r16_a_call_that_go_could_not_encode_is_dropped() {
    let site = common();
    for _ in 0..2 {
        let answer = site.get("/faults-go.not_utf8").expect(200);
        assert_eq!(answer.header("x-faults-bytes"), None);
        assert_eq!(answer.header("x-faults-access"), Some("ran"));
    }
    assert_eq!(site.starts("faults-go"), 1);
}

#[test]
fn r17_query_arguments_without_a_value_keep_their_names() {
    let fleet = fleet();
    for name in LANGUAGES {
        let (every, one) = ("kong.request.get_query", "kong.request.get_query_arg");
        let program =
            Program::new(name).call("access", every, json!([10])).call("access", one, json!(["flag"]));
        let request = program.load_into(Request::get(&format!("{ROUTE}?flag&a=x&a")));
        let answer = request.send(fleet.gateway.proxy()).expect(200);
        // Go knows lists of strings only.
        let nothing = if [JS, PY].contains(&name) { json!(true) } else { json!("") };
        let every = json!({ "flag": [], "a": ["x", nothing] });
        let want = [every, nothing].map(|result| json!({ "result": result }));
        assert_eq!(program.outcomes(&answer, "access"), want, "{name}");
    }
}

#[test]
fn r18_a_route_with_headers_is_readable() {
    let fleet = fleet();
    for name in LANGUAGES {
        let program = Program::new(name).call("access", "kong.router.get_route", json!([]));
        let request = program.load_into(Request::get("/headers").header("x-pick", "yes"));
        let answer = request.send(fleet.gateway.proxy()).expect(200);
        assert_eq!(program.outcomes(&answer, "access")[0]["result"]["name"], "headers", "{name}");
    }
}

#[test]
fn r19_an_empty_map_is_a_map() {
    let fleet = fleet();
    for name in LANGUAGES {
        let program = Program::new(name).call("access", "kong.request.get_query", json!([10]));
        let answer = program.load_into(Request::get(ROUTE)).send(fleet.gateway.proxy()).expect(200);
        assert_eq!(program.outcomes(&answer, "access"), [json!({ "result": {} })], "{name}");
    }
}

#[test]
fn r25_an_argument_that_cannot_be_sent_fails_its_request() {
    let site = common();
    for (name, server) in [("faults-js", "js"), ("faults-py", "py")] {
        site.expect_failure(&format!("/{name}.unencodable"), 500, "plugin_error");
        site.expect_ran(&format!("/{name}.none"));
        assert_eq!(site.starts(server), 1, "{name}");
    }
}

#[test]
fn r26_calls_that_nobody_awaits_count_until_the_handler_ends() {
    let site = common();
    for _ in 0..2 {
        let answer = site.get("/faults-js.unawaited").expect(200);
        for name in ["x-faults-first", "x-faults-second"] {
            assert_eq!(answer.header(name), Some("ran"), "{name}");
        }
        assert_eq!(answer.header("x-faults-late"), None);
        site.expect_ran("/faults-js.none");
    }
    assert_eq!(site.starts("js"), 1);
}

/// A server that takes its time over a large body is at work, not hanging.
#[test]
fn r27_the_time_limit_allows_for_a_large_body() {
    let slow = json!({ "phase": "access", "fault": "slow_body", "ms": 2000 });
    let routes = [route("slow", &[plugin("faults-js", slow)])];
    let site = Site::start(&[javascript().event_timeout("1s")], &routes);
    let post = |size| site.send(&Request::post("/slow", vec![b'x'; size]));
    assert_eq!(post(10 << 20).expect(200).header("x-faults-access"), Some("ran"));
    assert_eq!(post(10).expect(504).header("x-polygate-reason"), Some("plugin_deadline"));
}

#[test]
fn r28_a_handler_without_calls_is_an_event_too() {
    let site = common();
    for name in FAULTS {
        for _ in 0..2 {
            let answer = site.get(&format!("/{name}.silent")).expect(200);
            assert_eq!(answer.header("x-faults-access"), None, "{name}");
            site.expect_ran(&format!("/{name}.none"));
        }
    }
}
