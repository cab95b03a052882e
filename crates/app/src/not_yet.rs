//! What a configuration may ask for and does not get yet.
//!
//! Everything that is accepted is in this list or works: nothing is passed over silently. The warnings of a load
//! are made from it, and so is the part "Not yet" of `docs/compatibility.md`. Whoever builds one of these things
//! takes its entry away.

use std::fmt::Display;

use polygate_config::Settings;
use polygate_config::settings::Listen;

/// One thing.
struct Entry {
    /// What it is, in Markdown.
    what: &'static str,
    /// What happens instead.
    instead: &'static str,
    found: Found,
    /// Properties and a declarative text that ask for it, for the tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests read it"))]
    example: Example,
}

/// How it is noticed.
enum Found {
    /// Where the value is read, which refuses it.
    Refused,
    /// Where the property is read, which warns of it.
    Warned,
    /// By its traces in the settings; answers where they are.
    Settings(fn(&Settings) -> Option<String>),
}

use Found::{Refused, Settings as InSettings, Warned};

#[derive(Default)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests read it"))]
struct Example {
    properties: &'static [(&'static str, &'static str)],
    entities: &'static str,
}

const fn properties(properties: &'static [(&'static str, &'static str)]) -> Example {
    Example { properties, entities: "" }
}

const fn entities(entities: &'static str) -> Example {
    Example { properties: &[], entities }
}

/// The list, in the order of the page.
static ENTRIES: &[Entry] = &[
    Entry {
        what: "`database = postgres` or `cassandra`",
        instead: "refused",
        found: Refused,
        example: properties(&[("database", "postgres")]),
    },
    Entry {
        what: "`router_flavor` other than `traditional_compatible`",
        instead: "refused",
        found: Refused,
        example: properties(&[("router_flavor", "expressions")]),
    },
    Entry {
        what: "`role` other than `traditional` (hybrid mode)",
        instead: "refused",
        found: Refused,
        example: properties(&[("role", "data_plane")]),
    },
    Entry { what: "`wasm = on`", instead: "refused", found: Refused, example: properties(&[("wasm", "on")]) },
    Entry {
        what: "`admin_listen`",
        instead: "nothing listens there",
        found: InSettings(|settings| chosen(settings, "admin_listen", &settings.admin_listen)),
        example: properties(&[("admin_listen", "127.0.0.1:8001")]),
    },
    Entry {
        what: "the flag `http2` of `status_listen`",
        instead: "HTTP/1.1 is served",
        found: InSettings(|settings| listed(settings.status_listen.iter().filter(|it| it.http2))),
        example: properties(&[("status_listen", "127.0.0.1:8007 http2")]),
    },
    Entry {
        what: "the flag `deferred` of a listener",
        instead: "connections are accepted before they send anything",
        found: InSettings(|settings| flagged(settings, |listen| listen.deferred)),
        example: properties(&[("proxy_listen", "127.0.0.1:8000 deferred")]),
    },
    Entry {
        what: "logs to `syslog:...`",
        instead: "no access log; errors go to `logs/error.log`",
        found: Warned,
        example: properties(&[("proxy_access_log", "syslog:server=127.0.0.1")]),
    },
    Entry {
        what: "formats of access logs",
        instead: "the usual format is written",
        found: Warned,
        example: properties(&[("proxy_access_log", "logs/access.log mine")]),
    },
    Entry {
        what: "all other properties of the reference, with the reason in [configuration.md](configuration.md)",
        instead: "no effect",
        found: Warned,
        example: properties(&[("pg_host", "db")]),
    },
    Entry {
        what: "`keys`, `key_sets`, `filter_chains`, `sessions`, `acme_storage`, `oauth2_authorization_codes`",
        instead: "refused, unless they are empty",
        found: Refused,
        example: entities("key_sets: [{name: k}]"),
    },
    Entry {
        what: "`acme`, `ai-*`, `aws-lambda`, `azure-functions`, `grpc-gateway` and `standard-webhooks` of the plugins \
               bundled with the reference",
        instead: "refused in `plugins` and in a declarative file; `bundled` stands for the others",
        found: Refused,
        example: entities("plugins: [{name: acme}]"),
    },
];

/// One line for each thing that settings ask for and do not get.
pub fn warnings(settings: &Settings) -> Vec<String> {
    let line = |entry: &Entry| {
        let place = match entry.found {
            Refused | Warned => None,
            InSettings(find) => find(settings),
        }?;
        Some(format!("not built yet: {} ({place}): {}", entry.what, entry.instead).replace('`', "'"))
    };
    ENTRIES.iter().filter_map(line).collect()
}

/// Nobody is to be told of what he did not write.
fn chosen(settings: &Settings, property: &str, entries: &[Listen]) -> Option<String> {
    listed(entries.iter().filter(|_| !settings.values.is_default(property)))
}

/// Entries of listeners of the user's that are served, but not as their flags say.
fn flagged(settings: &Settings, has_flag: fn(&Listen) -> bool) -> Option<String> {
    let listeners =
        [("proxy_listen", &settings.proxy_listen), ("status_listen", &settings.status_listen)].into_iter();
    let places = listeners.filter_map(|(property, entries)| {
        let flagged: Vec<_> = entries.iter().filter(|entry| has_flag(entry)).cloned().collect();
        Some(format!("{property} {}", chosen(settings, property, &flagged)?))
    });
    listed(places)
}

/// At most this many names are in a line.
const NAMES: usize = 10;

fn listed(names: impl IntoIterator<Item = impl Display>) -> Option<String> {
    let mut names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    names.sort();
    let more = names.len().saturating_sub(NAMES);
    let first = names[..names.len() - more].join(", ");
    match (names.len(), more) {
        (0, _) => None,
        (_, 0) => Some(first),
        (_, more) => Some(format!("{first} and {more} more")),
    }
}

#[cfg(test)]
mod tests;
