//! Authentication plugins, on which the whole matter turns: nobody gets in because something failed.

use polygate_testkit::gateway::kill;
use polygate_testkit::{Load, Request, Response, eventually};

use crate::declarative::route;
use crate::robustness::site::{GATES, RECOVERY, Site, common, gate, go, go_lm, javascript, python, with_key};

#[test]
fn gates_open_to_their_key_only() {
    let site = common();
    for name in GATES {
        let target = format!("/gates/{name}");
        let path = format!("/{name}{target}");
        assert_eq!(site.get(&path).expect(401).text(), "no key", "{name}");
        site.send(&Request::get(&path).header("X-Key", "opening")).expect(401);
        assert_eq!(site.get(&format!("/closed-{name}{target}")).expect(403).text(), "closed", "{name}");
        assert_eq!(site.upstream.hits(&target), 0, "{name}");
        site.send(&with_key(&path)).expect(200);
        let opened_by = name.trim_start_matches("gate-").as_bytes();
        assert_eq!(site.upstream.last(&target).header_bytes("x-gate"), [opened_by]);
    }
}

#[test]
fn gates_stay_shut_while_their_servers_are_killed() {
    let routes = GATES.map(|name| route(name, &[gate(name)]));
    let site = Site::start(&[go("gate-go"), go_lm(), javascript(), python("")], &routes);
    let refused = |answer: &Response| match answer.status {
        401 | 500 | 503 => Ok(()),
        status => Err(format!("{status} {}", answer.text())),
    };
    let loads = GATES
        .map(|name| Load::start(site.gateway.proxy(), 2, &Request::get(&format!("/{name}/shut")), refused));
    for _ in 0..2 {
        site.gateway.children().into_iter().for_each(kill);
        for name in GATES {
            eventually(RECOVERY, &format!("{name} is back"), || {
                (site.send(&with_key(&format!("/{name}"))).status == 200).then_some(())
            });
        }
    }
    for (name, load) in GATES.iter().zip(loads) {
        let outcome = load.stop();
        assert_eq!(outcome.failures, [""; 0], "{name}: of {} requests", outcome.answered);
    }
    assert_eq!(site.upstream.hits("/shut"), 0);
}
