//! The HTTP router: routes in, the one that a request takes out.

use std::cmp::Reverse;
use std::sync::Arc;

use polygate_model::{Route, Service, Written};
use regex::Regex;

use crate::error::RouterError;
use crate::index::Index;
use crate::priority::{MAX_HEADER_COUNT, http_priority, path_groups};
use crate::query::Query;
use crate::rule::{PathPattern, Request, Rule, label};
use crate::served::ServedRoute;

/// The outcome of [`Router::select`].
#[derive(Debug, Clone)]
pub struct Match {
    pub route: Arc<Written<Route>>,
    pub service: Option<Arc<Written<Service>>>,
    /// The text of the path that the route matched; none for a route without `paths`.
    pub matched_prefix: Option<Arc<str>>,
    /// The groups of the path regex; none when the path is no regex or has no groups.
    pub captures: Option<Captures>,
}

/// The groups of a path regex, as in the normalised path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures {
    /// All groups by number, named ones too; index 0 is the whole match. Nothing for a group that took no part.
    pub unnamed: Vec<Option<String>>,
    /// The named groups that took part.
    pub named: Vec<(String, String)>,
}

/// The HTTP routes of one configuration.
#[derive(Debug, Default)]
pub struct Router {
    /// Best first, so that a smaller position is a higher rank.
    rules: Vec<Rule>,
    /// By the position of the rule.
    targets: Vec<ServedRoute>,
    index: Index,
    warnings: Vec<String>,
}

impl Router {
    /// Compiles the HTTP routes among `routes`; stream routes are passed over.
    pub fn build(routes: &[ServedRoute]) -> Result<Self, RouterError> {
        let mut ranked = Vec::with_capacity(routes.len());
        let mut router = Self::default();
        for target in routes.iter().filter(|(route, _)| route.protocols.first().is_some_and(|p| p.is_http()))
        {
            let route = &target.0;
            router.warnings.extend(header_count_warning(route));
            for group in path_groups(route) {
                let key = (http_priority(route, &group), group.id);
                ranked.push((key, Rule::new(route, &group)?, target.clone()));
            }
        }
        ranked.sort_by_key(|(key, ..)| Reverse(*key));
        (router.rules, router.targets) = ranked.into_iter().map(|(_, rule, target)| (rule, target)).unzip();
        router.index = Index::build(&router.rules);
        Ok(router)
    }

    /// What a log should say about the routes, one line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The best route for a request.
    pub fn select(&self, query: &Query<'_>) -> Option<Match> {
        let position = self.index.find(&self.rules, &Request::new(query))?;
        let (route, service) = self.targets[position].clone();
        let (matched_prefix, captures) = match self.rules[position].matching_path(query.path) {
            Some(PathPattern::Prefix(prefix)) => (Some(prefix.clone()), None),
            Some(PathPattern::Regex(regex)) => regex_match(regex, query.path),
            None => (None, None),
        };
        Some(Match { route, service, matched_prefix, captures })
    }
}

fn regex_match(regex: &Regex, path: &str) -> (Option<Arc<str>>, Option<Captures>) {
    let Some(found) = regex.captures(path) else { return (None, None) };
    let whole = Some(Arc::from(&found[0]));
    if found.len() == 1 {
        return (whole, None);
    }
    let unnamed = found.iter().map(|group| group.map(|group| group.as_str().to_owned())).collect();
    let named = regex.capture_names().flatten();
    let named = named.filter_map(|name| Some((name.into(), found.name(name)?.as_str().into()))).collect();
    (whole, Some(Captures { unnamed, named }))
}

fn header_count_warning(route: &Route) -> Option<String> {
    let count = route.headers.as_ref()?.len();
    (count > MAX_HEADER_COUNT).then(|| {
        format!(
            "route {}: headers: {count} names count as {MAX_HEADER_COUNT} when routes are ranked",
            label(route)
        )
    })
}

#[cfg(test)]
mod tests;
