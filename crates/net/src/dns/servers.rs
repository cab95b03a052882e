//! Questions to DNS servers, one record type after the other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as ServerError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;

use crate::dns::address::DnsError;
use crate::dns::settings::{RecordKind, SetupError};

pub struct Servers {
    client: TokioResolver,
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Servers").finish_non_exhaustive()
    }
}

/// An answer; `hosts` has at least one.
pub struct Found {
    pub hosts: Vec<Host>,
    pub kind: RecordKind,
    pub ttl: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub ip: IpAddr,
    /// These three are of an SRV record.
    pub port: Option<u16>,
    pub weight: Option<u16>,
    pub srv_target: Option<Arc<str>>,
}

impl Servers {
    /// `servers` replace those of resolv.conf; its search list and options count all the same.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, SetupError> {
        let (config, mut options) = read_system_conf().unwrap_or_else(|_| system_defaults());
        let (mut domain, mut search, mut name_servers) = config.into_parts();
        if !servers.is_empty() {
            name_servers = servers.iter().map(|&address| name_server(address)).collect();
        }
        if let Ok(list) = std::env::var("LOCALDOMAIN") {
            (domain, search) = (None, search_list(&list));
        }
        if let Ok(list) = std::env::var("RES_OPTIONS") {
            set_options(&mut options, &list);
        }
        let config = ResolverConfig::from_parts(domain, search, name_servers);
        // Ours know how to stay stale and what dns_valid_ttl says; one cache is enough.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let client = builder.build().map_err(|error| SetupError::Servers(error.to_string()))?;
        Ok(Self { client })
    }

    /// The answer of the first record type in `order` that has one; `last` is what `Last` stands for.
    pub async fn query(
        &self,
        name: &str,
        order: &[RecordKind],
        last: Option<RecordKind>,
    ) -> Result<Found, DnsError> {
        // Relaxed: names of containers often have underscores.
        let parsed = Name::from_str_relaxed(name)
            .map_err(|error| DnsError::Other(format!("'{name}' is no host name: {error}")))?;
        let mut outcome = Err(DnsError::Empty);
        for kind in in_order(order, last) {
            outcome = match kind {
                RecordKind::Srv => self.query_srv(parsed.clone(), order).await,
                kind => self.query_addresses(parsed.clone(), kind).await,
            };
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn query_addresses(&self, name: Name, kind: RecordKind) -> Result<Found, DnsError> {
        let lookup = self.lookup(name, record_type(kind)).await?;
        let host = |ip| Host { ip, port: None, weight: None, srv_target: None };
        let hosts: Vec<_> = lookup.answers().iter().filter_map(address).map(host).collect();
        if hosts.is_empty() { Err(DnsError::Empty) } else { Ok(Found { hosts, kind, ttl: ttl(&lookup) }) }
    }

    async fn query_srv(&self, name: Name, order: &[RecordKind]) -> Result<Found, DnsError> {
        let lookup = self.lookup(name, RecordType::SRV).await?;
        let records = preferred(&lookup);
        let mut found = Found { hosts: Vec::new(), kind: RecordKind::Srv, ttl: ttl(&lookup) };
        let mut failure = DnsError::Empty;
        for record in records {
            match self.query_srv_target(&lookup, record, order).await {
                Ok((ips, ttl)) => {
                    found.ttl = found.ttl.min(ttl);
                    found.hosts.extend(ips.into_iter().map(|ip| srv_host(record, ip)));
                }
                Err(error) => failure = error,
            }
        }
        if found.hosts.is_empty() { Err(failure) } else { Ok(found) }
    }

    /// The addresses of a target, without asking when the server has sent them along.
    async fn query_srv_target(
        &self,
        lookup: &Lookup,
        record: &SRV,
        order: &[RecordKind],
    ) -> Result<(Vec<IpAddr>, Duration), DnsError> {
        let mut failure = DnsError::Empty;
        for kind in in_order(order, None).filter(|kind| *kind != RecordKind::Srv) {
            let wanted = record_type(kind);
            let sent = lookup.additionals().iter();
            let sent = sent.filter(|extra| extra.name == record.target && extra.record_type() == wanted);
            let sent: Vec<_> = sent.filter_map(address).collect();
            if !sent.is_empty() {
                return Ok((sent, ttl(lookup)));
            }
            match self.query_addresses(record.target.clone(), kind).await {
                Ok(found) => return Ok((found.hosts.into_iter().map(|host| host.ip).collect(), found.ttl)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn lookup(&self, name: Name, kind: RecordType) -> Result<Lookup, DnsError> {
        self.client.lookup(name, kind).await.map_err(|error| match error {
            NetError::Dns(ServerError::NoRecordsFound(none)) => match none.response_code {
                ResponseCode::NXDomain => DnsError::NameError,
                _ => DnsError::Empty,
            },
            NetError::Dns(ServerError::ResponseCode(ResponseCode::NXDomain)) => DnsError::NameError,
            error => DnsError::Other(format!("dns server error: {error}")),
        })
    }
}

/// What resolv.conf(5) says of a missing file: a server on this machine.
fn system_defaults() -> (ResolverConfig, ResolverOpts) {
    let local = name_server(SocketAddr::from((Ipv4Addr::LOCALHOST, 53)));
    (ResolverConfig::from_name_servers(vec![local]), ResolverOpts::default())
}

/// The value of LOCALDOMAIN; resolv.conf(5) has it replace the search list.
fn search_list(list: &str) -> Vec<Name> {
    list.split_whitespace().filter_map(|domain| Name::from_str_relaxed(domain).ok()).collect()
}

/// The value of RES_OPTIONS, see resolv.conf(5); options that are not listed here have no effect.
fn set_options(options: &mut ResolverOpts, list: &str) {
    for (name, value) in list.split_whitespace().filter_map(|option| option.split_once(':')) {
        let Ok(value) = value.parse::<u16>() else { continue };
        match name {
            "ndots" => options.ndots = value.into(),
            "timeout" => options.timeout = Duration::from_secs(value.max(1).into()),
            "attempts" => options.attempts = value.max(1).into(),
            _ => {}
        }
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

/// The record types to ask for, each once.
fn in_order(order: &[RecordKind], last: Option<RecordKind>) -> impl Iterator<Item = RecordKind> {
    let mut kinds = Vec::with_capacity(order.len());
    for &kind in order {
        let kind = if kind == RecordKind::Last { last } else { Some(kind) };
        let asked = kind.filter(|kind| *kind != RecordKind::Cname && !kinds.contains(kind));
        kinds.extend(asked);
    }
    kinds.into_iter()
}

fn record_type(kind: RecordKind) -> RecordType {
    if kind == RecordKind::Aaaa { RecordType::AAAA } else { RecordType::A }
}

fn address(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(ip) => Some(IpAddr::V4(**ip)),
        RData::AAAA(ip) => Some(IpAddr::V6(**ip)),
        _ => None,
    }
}

/// The records of the lowest priority; a target of `.` says that there is no service.
fn preferred(lookup: &Lookup) -> Vec<&SRV> {
    let records = lookup.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(srv) if !srv.target.is_root() => Some(srv),
        _ => None,
    });
    let records: Vec<_> = records.collect();
    let lowest = records.iter().map(|record| record.priority).min();
    records.into_iter().filter(|record| Some(record.priority) == lowest).collect()
}

fn srv_host(record: &SRV, ip: IpAddr) -> Host {
    let target = record.target.to_utf8();
    Host {
        ip,
        port: Some(record.port),
        weight: Some(record.weight.max(1)),
        srv_target: Some(target.strip_suffix('.').unwrap_or(&target).into()),
    }
}

/// The smallest TTL on the way, aliases included.
fn ttl(lookup: &Lookup) -> Duration {
    let seconds = lookup.answers().iter().map(|record| record.ttl).min();
    Duration::from_secs(seconds.unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_changes_search_list_and_options() {
        let search: Vec<_> = search_list("a.test  b.test.").iter().map(Name::to_ascii).collect();
        assert_eq!(search, ["a.test", "b.test."]);
        let mut options = ResolverOpts::default();
        set_options(&mut options, "ndots:5 rotate timeout:0 attempts:x use-vc:1");
        assert_eq!((options.ndots, options.timeout.as_secs()), (5, 1));
        assert_eq!(options.attempts, ResolverOpts::default().attempts);
    }

    #[test]
    fn each_type_is_asked_for_once() {
        use RecordKind::{A, Aaaa, Cname, Last, Srv};
        let kinds = |last| in_order(&[Last, Srv, A, Cname, Aaaa, A], last).collect::<Vec<_>>();
        assert_eq!(kinds(None), [Srv, A, Aaaa]);
        assert_eq!(kinds(Some(A)), [A, Srv, Aaaa]);
    }
}
