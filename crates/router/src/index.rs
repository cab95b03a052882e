//! Finds the best matching rule without looking at all of them.
//!
//! Three steps, each by lookup: the host (exact, wildcard, none), then the path (every configured prefix
//! of it; a regex counts as the text it must begin with), then a header value where rules have one. What
//! is left are a few candidates, best first; the search stops where a candidate could not beat the best
//! rule found so far. A rule stands in every bucket that one of its alternatives asks for.

use std::collections::{BTreeMap, HashMap};

use crate::literal::literal_prefixes;
use crate::rule::{HeaderPattern, NamePattern, PathPattern, Request, Rule, ValuePattern};

/// Positions in the list of rules, smallest (best) first.
type Positions = Vec<u32>;

#[derive(Debug, Default)]
pub struct Index {
    exact: HashMap<Box<str>, PathIndex>,
    /// By what follows the `*`, which begins with a dot.
    suffix: HashMap<Box<str>, PathIndex>,
    /// By what precedes the `*`, which ends with a dot.
    prefix: HashMap<Box<str>, PathIndex>,
    any_host: PathIndex,
}

impl Index {
    /// `rules` are in order of rank, best first.
    pub fn build(rules: &[Rule]) -> Self {
        let mut builder = Builder::default();
        for (position, rule) in (0..).zip(rules) {
            builder.add(position, rule);
        }
        builder.finish(rules)
    }

    /// The position of the best rule that matches.
    pub fn find(&self, rules: &[Rule], request: &Request<'_>) -> Option<usize> {
        let mut search = Search { rules, request, best: u32::MAX };
        let host = request.host;
        if let Some(paths) = self.exact.get(host) {
            paths.visit(&mut search);
        }
        if !self.suffix.is_empty() || !self.prefix.is_empty() {
            for (dot, _) in host.match_indices('.') {
                self.suffix.get(&host[dot..]).inspect(|paths| paths.visit(&mut search));
                self.prefix.get(&host[..=dot]).inspect(|paths| paths.visit(&mut search));
            }
        }
        self.any_host.visit(&mut search);
        (search.best != u32::MAX).then_some(search.best as usize)
    }
}

struct Search<'s> {
    rules: &'s [Rule],
    request: &'s Request<'s>,
    best: u32,
}

impl Search<'_> {
    fn candidates(&mut self, positions: &[u32]) {
        for &position in positions {
            if position >= self.best {
                return;
            }
            if self.rules[position as usize].matches(self.request) {
                self.best = position;
            }
        }
    }
}

/// Collects the positions of every bucket; `None` stands for rules without hosts.
#[derive(Default)]
struct Builder {
    buckets: HashMap<Option<NamePattern>, BTreeMap<Vec<u8>, Positions>>,
}

impl Builder {
    fn add(&mut self, position: u32, rule: &Rule) {
        let prefixes = path_keys(&rule.paths);
        for host in host_keys(rule) {
            let paths = self.buckets.entry(host).or_default();
            for prefix in &prefixes {
                push_once(paths.entry(prefix.clone()).or_default(), position);
            }
        }
    }

    fn finish(self, rules: &[Rule]) -> Index {
        let mut index = Index::default();
        for (host, paths) in self.buckets {
            let paths = PathIndex::build(paths, rules);
            match host {
                Some(NamePattern::Exact(name)) => drop(index.exact.insert(name, paths)),
                Some(NamePattern::Suffix(name)) => drop(index.suffix.insert(name, paths)),
                Some(NamePattern::Prefix(name)) => drop(index.prefix.insert(name, paths)),
                None => index.any_host = paths,
            }
        }
        index
    }
}

fn push_once(positions: &mut Positions, position: u32) {
    if positions.last() != Some(&position) {
        positions.push(position);
    }
}

fn host_keys(rule: &Rule) -> Vec<Option<NamePattern>> {
    if rule.hosts.is_empty() {
        return vec![None];
    }
    // A wildcard that stands for less than whole labels is not found label by label.
    let indexable = |name: &NamePattern| match name {
        NamePattern::Exact(_) => true,
        NamePattern::Suffix(suffix) => suffix.starts_with('.'),
        NamePattern::Prefix(prefix) => prefix.ends_with('.'),
    };
    rule.hosts.iter().map(|host| Some(host.name.clone()).filter(indexable)).collect()
}

fn path_keys(paths: &[PathPattern]) -> Vec<Vec<u8>> {
    if paths.is_empty() {
        return vec![Vec::new()];
    }
    let keys = paths.iter().flat_map(|path| match path {
        PathPattern::Prefix(prefix) => vec![prefix.as_bytes().to_vec()],
        PathPattern::Regex(regex) => literal_prefixes(regex.as_str()),
    });
    keys.collect()
}

/// The rules of one host by path prefix.
///
/// The prefixes are sorted, and each knows the longest other one that it begins with. Of the prefixes of
/// a path, the longest is then the last one not greater than the path, or an ancestor of that one; the
/// others are its ancestors.
#[derive(Debug, Default)]
struct PathIndex {
    nodes: Vec<PathNode>,
}

#[derive(Debug)]
struct PathNode {
    prefix: Box<[u8]>,
    parent: Option<u32>,
    leaf: Leaf,
}

impl PathIndex {
    fn build(paths: BTreeMap<Vec<u8>, Positions>, rules: &[Rule]) -> Self {
        let mut nodes: Vec<PathNode> = Vec::with_capacity(paths.len());
        for (prefix, positions) in paths {
            let mut parent = nodes.len().checked_sub(1).map(|last| last as u32);
            while let Some(node) = parent.map(|at| &nodes[at as usize])
                && !prefix.starts_with(&node.prefix)
            {
                parent = node.parent;
            }
            nodes.push(PathNode { prefix: prefix.into(), parent, leaf: Leaf::build(positions, rules) });
        }
        Self { nodes }
    }

    fn visit(&self, search: &mut Search<'_>) {
        let path = search.request.query.path.as_bytes();
        let mut next = self.nodes.partition_point(|node| *node.prefix <= *path).checked_sub(1);
        while let Some(node) = next.map(|at| &self.nodes[at]) {
            if path.starts_with(&node.prefix) {
                node.leaf.visit(search);
            }
            next = node.parent.map(|at| at as usize);
        }
    }
}

/// Up to this many rules are tried one by one.
const SMALL_LEAF: usize = 8;

/// The rules of one host and path prefix.
#[derive(Debug, Default)]
struct Leaf {
    /// Those that are only found by trying.
    plain: Positions,
    /// Those that ask for one of some exact values of a header, by that value.
    by_header: Vec<HeaderTable>,
    /// Those that ask for one of some exact server names.
    by_server_name: HashMap<Box<str>, Positions>,
    /// All of `by_server_name`, for plain connections, which server names do not constrain.
    with_server_name: Positions,
}

#[derive(Debug)]
struct HeaderTable {
    name: Box<str>,
    by_value: HashMap<Box<[u8]>, Positions>,
}

impl Leaf {
    fn build(positions: Positions, rules: &[Rule]) -> Self {
        if positions.len() <= SMALL_LEAF {
            return Self { plain: positions, ..Self::default() };
        }
        let mut leaf = Self::default();
        for position in positions {
            leaf.add(position, &rules[position as usize]);
        }
        leaf
    }

    fn add(&mut self, position: u32, rule: &Rule) {
        if let Some((name, values)) = rule.headers.iter().find_map(exact_values) {
            let table = self.header_table(name);
            for value in values {
                push_once(table.by_value.entry(value.into()).or_default(), position);
            }
        } else if let Some(names) = exact_names(&rule.snis) {
            self.with_server_name.push(position);
            for name in names {
                push_once(self.by_server_name.entry(name.into()).or_default(), position);
            }
        } else {
            self.plain.push(position);
        }
    }

    fn header_table(&mut self, name: &str) -> &mut HeaderTable {
        let at = self.by_header.iter().position(|table| *table.name == *name).unwrap_or_else(|| {
            self.by_header.push(HeaderTable { name: name.into(), by_value: HashMap::new() });
            self.by_header.len() - 1
        });
        &mut self.by_header[at]
    }

    fn visit(&self, search: &mut Search<'_>) {
        search.candidates(&self.plain);
        let query = search.request.query;
        for table in &self.by_header {
            query.headers.any_value(&table.name, &mut |value| {
                search.candidates(table.candidates(value));
                false
            });
        }
        match (query.is_tls, query.sni) {
            (false, _) => search.candidates(&self.with_server_name),
            (true, Some(name)) => search.candidates(self.by_server_name.get(name).map_or(&[], Vec::as_slice)),
            (true, None) => {}
        }
    }
}

impl HeaderTable {
    /// Values are compared in lower case.
    fn candidates(&self, value: &[u8]) -> &[u32] {
        let found = if value.iter().any(u8::is_ascii_uppercase) {
            self.by_value.get(value.to_ascii_lowercase().as_slice())
        } else {
            self.by_value.get(value)
        };
        found.map_or(&[], Vec::as_slice)
    }
}

fn exact_values(header: &HeaderPattern) -> Option<(&str, Vec<&[u8]>)> {
    let values = header.values.iter().map(|value| match value {
        ValuePattern::Exact(value) => Some(&**value),
        ValuePattern::Regex(_) => None,
    });
    Some((&header.name, values.collect::<Option<_>>()?))
}

fn exact_names(patterns: &[NamePattern]) -> Option<Vec<&str>> {
    let names = patterns.iter().map(|pattern| match pattern {
        NamePattern::Exact(name) => Some(&**name),
        NamePattern::Suffix(_) | NamePattern::Prefix(_) => None,
    });
    names.collect::<Option<Vec<_>>>().filter(|names| !names.is_empty())
}
