//! A router that tries every route, and a comparison of it with the index over generated routes.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use polygate_model::Route;
use regex::Regex;

use crate::fixture::route;
use crate::priority::{PathGroup, http_priority, path_groups};
use crate::query::Query;
use crate::router::Router;

/// Numerical Recipes' generator: the same sequence on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// None two times out of three, else one to three of `list`.
    fn some(&mut self, list: &[&str]) -> Option<Vec<String>> {
        (self.below(3) == 0).then(|| (0..=self.below(3)).map(|_| self.pick(list).to_owned()).collect())
    }
}

const METHODS: &[&str] = &["GET", "POST"];
const HOSTS: &[&str] = &[
    "a.com",
    "b.com",
    "x.a.com",
    "y.x.a.com",
    "*.a.com",
    "*.x.a.com",
    "*.com",
    "a.*",
    "x.*",
    "x.a.*",
    "a.com:80",
    "*.a.com:81",
    "a.*:80",
];
const PATHS: &[&str] = &[
    "/",
    "/a",
    "/ab",
    "/abc",
    "/a/",
    "/a/b",
    "/a/c",
    "/a/bc",
    "/b",
    "/b/a",
    "/ä",
    "~/a",
    "~/a/(b|c)",
    "~/b/.*$",
    "~/(?<x>[ab])/",
    "~/a|/c",
    "~.*c$",
    "~/ä?b",
    "~(?i)/A",
];
const VALUES: &[&str] = &["1", "2", "One", "~*^o", "~*[0-9]"];
const SNIS: &[&str] = &["a.com", "b.com.", "*.a.com", "a.*"];

fn random_route(random: &mut Random, number: usize) -> Route {
    let headers = (random.below(4) == 0).then(|| {
        let mut headers = BTreeMap::new();
        for _ in 0..=random.below(2) {
            let name = random.pick(&["x-a", "X_B"]).to_owned();
            headers.insert(name, (0..=random.below(2)).map(|_| random.pick(VALUES).to_owned()).collect());
        }
        headers
    });
    Route {
        methods: random.some(METHODS),
        hosts: random.some(HOSTS),
        paths: random.some(PATHS),
        headers,
        snis: random.some(SNIS),
        regex_priority: random.below(3) as i64,
        ..route(number as u128)
    }
}

fn name_matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(suffix), _) => name.ends_with(suffix),
        (_, Some(prefix)) => name.starts_with(prefix),
        _ => name == pattern,
    }
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    match pattern.split_once(':') {
        Some((pattern, wanted)) => name_matches(pattern, name) && wanted == port,
        None => name_matches(pattern, name),
    }
}

/// Compiling is what would make the test slow.
fn compiled(pattern: &str) -> Regex {
    thread_local! {
        static KNOWN: RefCell<HashMap<String, Regex>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        known.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).unwrap()).clone()
    })
}

fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_prefix('~') {
        Some(regex) => compiled(&format!("^{regex}")).is_match(path),
        None => path.starts_with(pattern),
    }
}

fn value_matches(pattern: &str, value: &str) -> bool {
    match pattern.strip_prefix("~*") {
        Some(regex) => compiled(&regex.to_lowercase()).is_match(&value.to_lowercase()),
        None => pattern.to_lowercase() == value.to_lowercase(),
    }
}

fn one_of(list: &Option<Vec<String>>, matches: impl Fn(&str) -> bool) -> bool {
    list.as_ref().is_none_or(|list| list.iter().any(|text| matches(text)))
}

fn matches(route: &Route, group: &PathGroup<'_>, query: &Query<'_>, headers: &[(&str, &str)]) -> bool {
    let header_matches = |name: &str, values: &[String]| {
        let name = name.to_lowercase().replace('_', "-");
        let sent = headers.iter().filter(|(key, _)| *key == name);
        sent.into_iter().any(|(_, value)| values.iter().any(|pattern| value_matches(pattern, value)))
    };
    let sni_matches = |pattern: &str| {
        query.sni.is_some_and(|sni| name_matches(pattern.strip_suffix('.').unwrap_or(pattern), sni))
    };
    one_of(&route.methods, |method| method == query.method)
        && one_of(&route.hosts, |host| host_matches(host, query.host))
        && (group.paths.is_empty() || group.paths.iter().any(|path| path_matches(path, query.path)))
        && route.headers.iter().flatten().all(|(name, values)| header_matches(name, values))
        && (!query.is_tls || one_of(&route.snis, sni_matches))
}

fn select(routes: &[Route], query: &Query<'_>, headers: &[(&str, &str)]) -> Option<u128> {
    let all = routes.iter().flat_map(|route| path_groups(route).into_iter().map(move |group| (route, group)));
    let matching = all.filter(|(route, group)| matches(route, group, query, headers));
    let best = matching.max_by_key(|(route, group)| (http_priority(route, group), group.id))?;
    Some(best.0.id.as_u128())
}

#[test]
fn the_index_agrees_with_trying_every_route() {
    let mut random = Random(20_240_601);
    let mut hits = 0;
    for round in 0..40 {
        let routes: Vec<_> = (0..1 + round * 5).map(|number| random_route(&mut random, number)).collect();
        let shared: Vec<_> = routes.iter().map(|route| (Arc::new(route.clone().into()), None)).collect();
        let router = Router::build(&shared).unwrap();
        for _ in 0..60 {
            let value = random.pick(&["1", "2", "ONE", "x"]);
            let other = random.pick(&["1", "oNe"]);
            let headers = [("x-a", value), ("x-b", other)];
            let query = Query {
                method: random.pick(&["GET", "POST", "PUT"]),
                host: random.pick(&[
                    "a.com",
                    "b.com:80",
                    "x.a.com:81",
                    "y.x.a.com",
                    "a.org:80",
                    "x.a.de",
                    "c",
                    "",
                ]),
                path: random.pick(&["/", "/a", "/abcd", "/a/b/c", "/b/a/c", "/c", "/ä", "/äb", "/A", "/zc"]),
                headers: &headers,
                is_tls: random.below(2) == 0,
                sni: Some(random.pick(&["a.com", "b.com", "x.a.com", "c"])).filter(|name| *name != "c"),
                source: None,
                destination: None,
            };
            let expected = select(&routes, &query, &headers);
            let found = router.select(&query).map(|found| found.route.id.as_u128());
            hits += usize::from(found.is_some());
            assert_eq!(found, expected, "{} {} {} {headers:?}", query.method, query.host, query.path);
        }
    }
    assert!(hits > 1000, "the generator must produce matches, got {hits}");
}
