//! CPU nanoseconds per match, with few and with many routes of the same kind.
//!
//! `cargo run --release -p polygate-router --example match_cost`

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use polygate_model::{Id, Protocol, Route, entities::DEFAULT_WORKSPACE};
use polygate_router::{Query, Router};

const MATCHES: usize = 200_000;

/// Makes the route of that number.
type Kind = fn(usize) -> Route;

fn main() {
    println!("{:<14} {:>10} {:>10} {:>10}", "routes by", "10", "1000", "10000");
    let kinds: [(&str, Kind); 7] = [
        ("host", by_host),
        ("wildcard", by_wildcard),
        ("path", by_path),
        ("host + path", by_host_and_path),
        ("regex", by_regex),
        ("header", by_header),
        ("mixed", mixed),
    ];
    for (name, route) in kinds {
        let costs = [10, 1000, 10_000].map(|count| cost(count, route));
        println!("{name:<14} {:>7} ns {:>7} ns {:>7} ns", costs[0], costs[1], costs[2]);
    }
}

/// The requests are spread over all routes, so that caches are as cold as the number of routes makes them.
fn cost(count: usize, route: Kind) -> u64 {
    let routes: Vec<_> = (0..count).map(|number| (Arc::new(route(number).into()), None)).collect();
    let router = Router::build(&routes).expect("the routes are valid");
    let requests: Vec<_> = (0..1024).map(|number| Request::new(number * 7919 % count)).collect();
    let start = cpu_nanoseconds();
    for request in requests.iter().cycle().take(MATCHES) {
        let found = router.select(black_box(&request.query()));
        assert!(black_box(found).is_some(), "no route for {}{}", request.host, request.path);
    }
    (cpu_nanoseconds() - start) / MATCHES as u64
}

struct Request {
    host: String,
    path: String,
    headers: [(&'static str, String); 4],
}

impl Request {
    fn new(number: usize) -> Self {
        Self {
            host: format!("api{number}.example.com"),
            path: format!("/service-{number}/users/{number}/orders"),
            headers: [
                ("user-agent", "curl/8".into()),
                ("accept", "*/*".into()),
                ("x-tenant", format!("tenant-{number}")),
                ("x-request-id", "1".into()),
            ],
        }
    }

    fn query(&self) -> Query<'_> {
        Query {
            method: "GET",
            host: &self.host,
            path: &self.path,
            headers: &self.headers,
            is_tls: false,
            sni: None,
            source: None,
            destination: None,
        }
    }
}

fn by_host(number: usize) -> Route {
    Route { hosts: Some(vec![format!("api{number}.example.com")]), ..plain(number) }
}

fn by_wildcard(number: usize) -> Route {
    Route { hosts: Some(vec![format!("api{number}.*")]), ..plain(number) }
}

fn by_path(number: usize) -> Route {
    Route { paths: Some(vec![format!("/service-{number}/users")]), ..plain(number) }
}

/// Ten paths per host.
fn by_host_and_path(number: usize) -> Route {
    let hosts = Some(vec![format!("api{number}.example.com"), format!("api{}.example.com", number / 10)]);
    Route { hosts, ..by_path(number) }
}

fn by_regex(number: usize) -> Route {
    Route { paths: Some(vec![format!(r"~/service-{number}/users/(?<id>\d+)")]), ..plain(number) }
}

fn by_header(number: usize) -> Route {
    let headers = BTreeMap::from([("X-Tenant".to_owned(), vec![format!("Tenant-{number}")])]);
    Route { headers: Some(headers), ..plain(number) }
}

fn mixed(number: usize) -> Route {
    let kinds: [Kind; 6] = [by_host, by_wildcard, by_path, by_host_and_path, by_regex, by_header];
    let methods = Some(vec!["GET".to_owned(), "POST".to_owned()]);
    Route { methods, ..kinds[number % kinds.len()](number) }
}

fn plain(number: usize) -> Route {
    Route {
        id: Id::from_u128(number as u128),
        created_at: 0,
        updated_at: 0,
        name: None,
        protocols: vec![Protocol::Http],
        methods: None,
        hosts: None,
        paths: None,
        headers: None,
        https_redirect_status_code: 426,
        regex_priority: 0,
        strip_path: true,
        path_handling: "v0".into(),
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        snis: None,
        sources: None,
        destinations: None,
        tags: None,
        service: None,
        ws_id: DEFAULT_WORKSPACE,
    }
}

/// Time this thread has spent on a CPU, unlike wall time steady on a busy machine.
fn cpu_nanoseconds() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this benchmark needs Linux");
    stat.split(' ').next().and_then(|field| field.parse().ok()).expect("schedstat begins with a number")
}
