//! The upstream's path: the service's joined with the request's.

use polygate_model::Route;

/// The path for the upstream, not yet encoded: the service's path joined with the request's.
///
/// `normalized` is the request's path and `matched` the part of it that the route matched (none for a
/// route without `paths`), which `strip_path` takes off. `path_handling` `v1` behaves like `v0`, as in
/// the reference's default router flavour.
pub fn upstream_path(
    service_path: Option<&str>,
    route: &Route,
    normalized: &str,
    matched: Option<&str>,
) -> String {
    let base = service_path.filter(|path| !path.is_empty()).unwrap_or("/");
    if !route.strip_path {
        return join_whole(base, normalized);
    }
    let matched = matched.unwrap_or("/");
    join_rest(base, normalized, trim_dots(normalized.get(matched.len()..).unwrap_or_default()))
}

/// A prefix match can leave `..` at the front (`/route` of `/route../x`); it must not climb out of the
/// service's path.
fn trim_dots(rest: &str) -> &str {
    match rest {
        "." | ".." => "",
        _ => rest.strip_prefix("../").or_else(|| rest.strip_prefix("./")).unwrap_or(rest),
    }
}

fn join_whole(base: &str, path: &str) -> String {
    if base.ends_with('/') {
        [base, path.strip_prefix('/').unwrap_or(path)].concat()
    } else if path == "/" {
        base.to_owned()
    } else {
        [base, path].concat()
    }
}

fn join_rest(base: &str, path: &str, rest: &str) -> String {
    let bare = base.strip_suffix('/');
    match (bare, rest) {
        (Some(""), "") => base.to_owned(),
        (Some(_), "") if path.ends_with('/') => base.to_owned(),
        (Some(bare), "") => bare.to_owned(),
        (None, "") if path.len() > 1 && path.ends_with('/') => [base, "/"].concat(),
        (None, "") => base.to_owned(),
        (bare, _) if rest.starts_with('/') => [bare.unwrap_or(base), rest].concat(),
        (Some(_), _) => [base, rest].concat(),
        (None, _) => [base, "/", rest].concat(),
    }
}

#[cfg(test)]
mod tests;
