//! The number that ranks routes; the highest one that matches wins.
//!
//! For HTTP, from the top: 3 bits count of constrained fields, 1 bit no host has a wildcard, 8 bits count
//! of header names, 1 bit regex paths, 32 bits `regex_priority`, 19 bits length of the plain paths.

use polygate_model::entities::Endpoint;
use polygate_model::{Id, Route};

const PLAIN_HOSTS: u64 = 1 << 60;
const REGEX_PATHS: u64 = 1 << 51;
const STREAM_FIRST: u64 = 1 << 61;

/// More header names than this count as this many.
pub const MAX_HEADER_COUNT: usize = 255;

/// Sub-routes get ids of their own, since ids break ties; this namespace keeps them equal to those of
/// the reference.
const SUB_ROUTE_NAMESPACE: Id = uuid::uuid!("7f145bf9-0dce-4f91-98eb-debbce4b9f6b");

/// The paths of a route that are ranked together: all regexes, or all prefixes of one length.
#[derive(Debug, PartialEq, Eq)]
pub struct PathGroup<'a> {
    pub id: Id,
    /// As configured, regexes with their leading `~`.
    pub paths: Vec<&'a str>,
}

impl PathGroup<'_> {
    pub fn is_regex(&self) -> bool {
        self.paths.first().is_some_and(|path| path.starts_with('~'))
    }
}

/// Splits a route by its paths; one group with no paths when it has none.
pub fn path_groups(route: &Route) -> Vec<PathGroup<'_>> {
    let mut groups: Vec<(usize, Vec<&str>)> = Vec::new();
    for path in route.paths.iter().flatten() {
        let key = if path.starts_with('~') { 0 } else { path.len() };
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, paths)) => paths.push(path),
            None => groups.push((key, vec![path])),
        }
    }
    if groups.len() < 2 {
        let paths = groups.pop().map(|(_, paths)| paths).unwrap_or_default();
        return vec![PathGroup { id: route.id, paths }];
    }
    let id = |number: usize| {
        Id::new_v5(&SUB_ROUTE_NAMESPACE, format!("{}#{number}", route.id.hyphenated()).as_bytes())
    };
    (1..).zip(groups).map(|(number, (_, paths))| PathGroup { id: id(number), paths }).collect()
}

/// The rank of one path group of an HTTP route.
pub fn http_priority(route: &Route, group: &PathGroup<'_>) -> u64 {
    let hosts = route.hosts.as_deref().unwrap_or_default();
    let headers = route.headers.as_ref().map_or(0, |headers| headers.len());
    let fields = [
        !hosts.is_empty(),
        headers > 0,
        !group.paths.is_empty(),
        is_set(&route.methods),
        is_set(&route.snis),
    ];
    let mut priority = (fields.into_iter().filter(|set| *set).count() as u64) << 61;
    if !hosts.is_empty() && !hosts.iter().any(|host| host.contains('*')) {
        priority |= PLAIN_HOSTS;
    }
    priority |= (headers.min(MAX_HEADER_COUNT) as u64) << 52;
    if group.is_regex() {
        priority |= REGEX_PATHS | ((route.regex_priority as u64 & 0xffff_ffff) << 19);
    } else {
        priority |= group.paths.first().map_or(0, |path| path.len() as u64 & 0x7_ffff);
    }
    priority
}

/// The rank of a stream route: a server name or both ends first, then how exact the ends are.
pub fn stream_priority(route: &Route) -> u64 {
    let first = is_set(&route.snis) || (is_set(&route.sources) && is_set(&route.destinations));
    let top = if first { STREAM_FIRST } else { 0 };
    top | (exactness(&route.sources) << 4) | exactness(&route.destinations)
}

/// Exact address 8, port 4, range 1, taken over all entries.
fn exactness(endpoints: &Option<Vec<Endpoint>>) -> u64 {
    endpoints.iter().flatten().fold(0, |bits, endpoint| {
        let address = endpoint.ip.as_ref().map_or(0, |ip| if ip.contains('/') { 1 } else { 8 });
        bits | address | if endpoint.port.is_some() { 4 } else { 0 }
    })
}

fn is_set<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

#[cfg(test)]
mod tests;
