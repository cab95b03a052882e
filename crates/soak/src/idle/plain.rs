//! Of HTTP/1 in the clear.

use std::io;

use polygate_testkit::{Connection, Request};

use crate::idle::cost::{Idle, used};
use crate::plain::{Plain, ROUTES};
use crate::report::Report;

/// Those that were never used, and those that were.
pub fn run(connections: usize) -> Report {
    let mut report = Report::default();
    for (what, is_used) in [("unused", false), ("used", true)] {
        let plain = Plain::start();
        let request = Request::get(&format!("/{}", ROUTES[0]));
        let ask = |connection: &mut Connection| -> io::Result<u16> { Ok(connection.send(&request)?.status) };
        let open = || {
            let connection = Connection::open(plain.proxy())?;
            if is_used { used(connection, ask) } else { Ok(connection) }
        };
        let idle = Idle { gateway: &plain.gateway, what, most: 10 * 1024, connections };
        idle.lie_twice(&mut report, open, ask);
        plain.check_innocent(&mut report);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connections_cost_little() {
        let report = run(200);
        assert!(report.is_good(), "{report}");
    }
}
