//! What a resolver is made of.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How names are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Empty: those of the system, as are the search list and its options in any case.
    pub servers: Vec<SocketAddr>,
    pub hosts_file: Option<PathBuf>,
    /// The record types to ask for, until one has an answer.
    pub order: Vec<RecordKind>,
    /// Replaces the TTL of answers.
    pub valid_ttl: Option<Duration>,
    /// How long after its TTL an answer may still be used.
    pub stale_ttl: Duration,
    /// How long to believe that a name or its records do not exist.
    pub not_found_ttl: Duration,
    /// How long not to ask again after any other error.
    pub error_ttl: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            hosts_file: Some("/etc/hosts".into()),
            order: vec![RecordKind::Last, RecordKind::Srv, RecordKind::A, RecordKind::Cname],
            valid_ttl: None,
            stale_ttl: Duration::from_secs(3600),
            not_found_ttl: Duration::from_secs(30),
            error_ttl: Duration::from_secs(1),
        }
    }
}

/// An entry of the order in which record types are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// The type that had an answer for this name the last time.
    Last,
    Srv,
    A,
    Aaaa,
    /// No query of its own: aliases are followed in the queries for addresses.
    Cname,
}

/// Why a resolver cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("cannot read the hosts file {}, correct dns_hostsfile", path.display())]
    HostsFile { path: PathBuf, source: std::io::Error },
    #[error("cannot set up name resolution: {0}")]
    Servers(String),
}
