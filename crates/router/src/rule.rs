//! One route, compiled: the exact conditions of one of its path groups.
//!
//! The index only narrows down; a rule alone decides whether it matches.

use std::collections::BTreeMap;
use std::sync::Arc;

use polygate_model::Route;
use regex::Regex;

use crate::error::RouterError;
use crate::priority::PathGroup;
use crate::query::{Query, split_host_port};

/// A query with its host taken apart.
pub struct Request<'q> {
    pub query: &'q Query<'q>,
    pub host: &'q str,
    pub port: Option<u16>,
}

impl<'q> Request<'q> {
    pub fn new(query: &'q Query<'q>) -> Self {
        let (host, port) = split_host_port(query.host);
        Self { query, host, port: port.or(query.destination.map(|address| address.port())) }
    }
}

/// A name that may have a wildcard at one end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NamePattern {
    Exact(Box<str>),
    /// `*.example.com` as `.example.com`.
    Suffix(Box<str>),
    /// `example.*` as `example.`.
    Prefix(Box<str>),
}

impl NamePattern {
    pub fn new(text: &str) -> Self {
        if let Some(suffix) = text.strip_prefix('*') {
            Self::Suffix(suffix.into())
        } else if let Some(prefix) = text.strip_suffix('*') {
            Self::Prefix(prefix.into())
        } else {
            Self::Exact(text.into())
        }
    }

    /// A server name pattern: its trailing dot means nothing.
    pub fn server_name(text: &str) -> Self {
        Self::new(if text.len() > 1 { text.strip_suffix('.').unwrap_or(text) } else { text })
    }

    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == &**exact,
            Self::Suffix(suffix) => name.ends_with(&**suffix),
            Self::Prefix(prefix) => name.starts_with(&**prefix),
        }
    }
}

#[derive(Debug)]
pub struct HostPattern {
    pub name: NamePattern,
    port: Option<u16>,
}

impl HostPattern {
    fn new(text: &str) -> Self {
        let (name, port) = split_host_port(text);
        Self { name: NamePattern::new(name), port }
    }

    fn matches(&self, request: &Request<'_>) -> bool {
        self.name.matches(request.host) && self.port.is_none_or(|port| request.port == Some(port))
    }
}

#[derive(Debug)]
pub enum PathPattern {
    Prefix(Arc<str>),
    Regex(Regex),
}

impl PathPattern {
    fn new(route: &Route, path: &str) -> Result<Self, RouterError> {
        let Some(pattern) = path.strip_prefix('~') else { return Ok(Self::Prefix(path.into())) };
        // Without a group around it, as in the reference: `^` binds to the first alternative only.
        let regex = Regex::new(&format!("^{pattern}")).map_err(|source| RouterError::PathRegex {
            route: label(route),
            pattern: path.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self::Regex(regex))
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) => path.starts_with(&**prefix),
            Self::Regex(regex) => regex.is_match(path),
        }
    }
}

#[derive(Debug)]
pub enum ValuePattern {
    Exact(Box<[u8]>),
    Regex(Regex),
}

impl ValuePattern {
    fn new(route: &Route, header: &str, value: &str) -> Result<Self, RouterError> {
        let lower = value.to_ascii_lowercase();
        let Some(pattern) = lower.strip_prefix("~*") else {
            return Ok(Self::Exact(lower.into_bytes().into()));
        };
        let regex = Regex::new(pattern).map_err(|source| RouterError::HeaderRegex {
            route: label(route),
            header: header.to_owned(),
            pattern: value.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self::Regex(regex))
    }

    fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => value.eq_ignore_ascii_case(exact),
            Self::Regex(regex) => {
                str::from_utf8(value).is_ok_and(|text| regex.is_match(&text.to_ascii_lowercase()))
            }
        }
    }
}

#[derive(Debug)]
pub struct HeaderPattern {
    /// Lower-case with dashes.
    pub name: Box<str>,
    pub values: Vec<ValuePattern>,
}

impl HeaderPattern {
    fn matches(&self, request: &Request<'_>) -> bool {
        let accept = &mut |value: &[u8]| self.values.iter().any(|pattern| pattern.matches(value));
        request.query.headers.any_value(&self.name, accept)
    }
}

/// Conditions between the fields are joined by AND, inside a field by OR; an empty field is no condition.
#[derive(Debug)]
pub struct Rule {
    methods: Vec<Box<str>>,
    pub hosts: Vec<HostPattern>,
    pub paths: Vec<PathPattern>,
    pub headers: Vec<HeaderPattern>,
    pub snis: Vec<NamePattern>,
}

impl Rule {
    pub fn new(route: &Route, group: &PathGroup<'_>) -> Result<Self, RouterError> {
        Ok(Self {
            methods: route.methods.iter().flatten().map(|method| method.as_str().into()).collect(),
            hosts: route.hosts.iter().flatten().map(|host| HostPattern::new(host)).collect(),
            paths: group.paths.iter().map(|path| PathPattern::new(route, path)).collect::<Result<_, _>>()?,
            headers: header_patterns(route)?,
            snis: route.snis.iter().flatten().map(|sni| NamePattern::server_name(sni)).collect(),
        })
    }

    pub fn matches(&self, request: &Request<'_>) -> bool {
        let query = request.query;
        any(&self.methods, |method| **method == *query.method)
            && any(&self.hosts, |host| host.matches(request))
            && any(&self.paths, |path| path.matches(query.path))
            && (!query.is_tls || server_name_matches(&self.snis, query.sni))
            && self.headers.iter().all(|header| header.matches(request))
    }

    /// The alternative that decides what was matched: the first in list order. `path` is one that the
    /// rule matches.
    pub fn matching_path(&self, path: &str) -> Option<&PathPattern> {
        match &self.paths[..] {
            [only] => Some(only),
            paths => paths.iter().find(|pattern| pattern.matches(path)),
        }
    }
}

pub fn server_name_matches(patterns: &[NamePattern], name: Option<&str>) -> bool {
    any(patterns, |pattern| name.is_some_and(|name| pattern.matches(name)))
}

pub fn any<T>(alternatives: &[T], matches: impl FnMut(&T) -> bool) -> bool {
    alternatives.is_empty() || alternatives.iter().any(matches)
}

fn header_patterns(route: &Route) -> Result<Vec<HeaderPattern>, RouterError> {
    // Names that differ in case or in dashes and underscores are one header here.
    let mut by_name: BTreeMap<String, Vec<Vec<ValuePattern>>> = BTreeMap::new();
    for (name, values) in route.headers.iter().flatten() {
        let patterns =
            values.iter().map(|value| ValuePattern::new(route, name, value)).collect::<Result<_, _>>()?;
        by_name.entry(name.to_ascii_lowercase().replace('_', "-")).or_default().push(patterns);
    }
    let flat = by_name.into_iter().flat_map(|(name, lists)| {
        lists.into_iter().map(move |values| HeaderPattern { name: name.as_str().into(), values })
    });
    Ok(flat.collect())
}

/// How messages name a route.
pub fn label(route: &Route) -> String {
    match &route.name {
        Some(name) => format!("{name} ({})", route.id),
        None => route.id.to_string(),
    }
}
