//! Of HTTP/1 within TLS, each of which has had a request.

use polygate_testkit::Request;
use polygate_tls::generate;

use crate::encrypted::{self, Connection, Site};
use crate::idle::cost::{Idle, used};
use crate::report::Report;

pub fn run(connections: usize) -> Report {
    let mut report = Report::default();
    let site = Site::start(&generate().expect("a pair"));
    let (config, request) = (encrypted::client(), Request::get("/"));
    let ask = |connection: &mut Connection| connection.send(&request);
    let open = || used(Connection::open(site.gateway.proxy(), &config)?, ask);
    let idle = Idle { gateway: &site.gateway, what: "TLS", most: 24 * 1024, connections };
    idle.lie_twice(&mut report, open, ask);
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connections_within_tls_cost_little() {
        let report = run(200);
        assert!(report.is_good(), "{report}");
    }
}
