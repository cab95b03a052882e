//! The grammar of `*_listen`.

use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::reader::Reader;
use crate::units::time;

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// IP address without brackets, or a name to resolve.
    pub host: String,
    pub port: u16,
    pub ssl: bool,
    pub http2: bool,
    pub proxy_protocol: bool,
    /// TCP_DEFER_ACCEPT.
    pub deferred: bool,
    pub reuseport: bool,
    pub backlog: Option<u32>,
    pub ipv6only: Option<bool>,
    /// `None` leaves the system's setting.
    pub so_keepalive: Option<SoKeepalive>,
    /// Datagrams; stream listeners only.
    pub udp: bool,
}

/// TCP keepalive of accepted connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoKeepalive {
    Off,
    /// Parts left out keep the system's value.
    On {
        idle: Option<Duration>,
        interval: Option<Duration>,
        count: Option<u32>,
    },
}

/// What a listener may say, by the kind of traffic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    Http,
    Stream,
}

impl fmt::Display for Listen {
    /// `host:port`, as for binding; IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// The entries of the property `name`; none when the first is `off`.
pub(super) fn resolve(reader: &mut Reader<'_>, name: &str, traffic: Traffic) -> Vec<Listen> {
    let entries = reader.list(name);
    if entries.first().is_some_and(|first| first == "off") {
        return Vec::new();
    }
    if entries.is_empty() {
        reader.refuse(format!("{name} {}, got nothing", usage(traffic)));
    }
    let mut listeners = Vec::new();
    for entry in entries {
        match parse(&entry, traffic) {
            Ok(listen) => listeners.push(listen),
            Err(why) => reader.refuse(format!("{name} {}, got '{entry}': {why}", usage(traffic))),
        }
    }
    listeners
}

/// Refuses an address that is listed twice: the sockets of both would share its connections at random.
pub(super) fn refuse_repeated<'l>(
    reader: &mut Reader<'_>,
    lists: impl IntoIterator<Item = (&'static str, &'l Vec<Listen>)>,
) {
    let mut known = HashMap::new();
    let entries = lists.into_iter().flat_map(|(name, list)| list.iter().map(move |listen| (name, listen)));
    // The system chooses another port for each 0.
    for (name, listen) in entries.filter(|(_, listen)| listen.port > 0) {
        if let Some(first) = known.insert((&listen.host, listen.port, listen.udp), name) {
            reader.refuse(format!("{name}: {listen} is in use by {first} already, choose another port"));
        }
    }
}

fn usage(traffic: Traffic) -> String {
    let flags = match traffic {
        Traffic::Http => "[ssl] [http2] [proxy_protocol] [deferred]",
        Traffic::Stream => "[udp] [ssl] [proxy_protocol]",
    };
    format!(
        "must be of form: [off] | <ip>:<port> {flags} [bind] [reuseport] [backlog=N] [ipv6only=on|off] \
         [so_keepalive=on|off|idle:interval:count], [... next entry ...]"
    )
}

fn parse(entry: &str, traffic: Traffic) -> Result<Listen, String> {
    // The address may stand anywhere between the flags.
    let mut words = entry.split_ascii_whitespace();
    let mut address = None;
    let mut listen = Listen {
        host: String::new(),
        port: 0,
        ssl: false,
        http2: false,
        proxy_protocol: false,
        deferred: false,
        reuseport: false,
        backlog: None,
        ipv6only: None,
        so_keepalive: None,
        udp: false,
    };
    for word in &mut words {
        if listen.take_flag(word, traffic)? {
            continue;
        }
        if address.replace(word).is_some() {
            return Err(format!("unknown flag '{word}'"));
        }
    }
    (listen.host, listen.port) = host_and_port(address.ok_or("no address")?)?;
    match listen.flag_of_connections() {
        Some(flag) if listen.udp => Err(format!("'{flag}' cannot be combined with 'udp'")),
        _ => Ok(listen),
    }
}

impl Listen {
    /// The first of its flags that means nothing to datagrams.
    fn flag_of_connections(&self) -> Option<&'static str> {
        [
            ("ssl", self.ssl),
            ("proxy_protocol", self.proxy_protocol),
            ("backlog", self.backlog.is_some()),
            ("so_keepalive", self.so_keepalive.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, is_set)| is_set.then_some(flag))
    }

    /// Whether `word` is a flag, which is then noted.
    fn take_flag(&mut self, word: &str, traffic: Traffic) -> Result<bool, String> {
        let http = traffic == Traffic::Http;
        match word {
            "ssl" => self.ssl = true,
            "proxy_protocol" => self.proxy_protocol = true,
            "reuseport" => self.reuseport = true,
            // Every address is bound by itself anyway.
            "bind" => {}
            "http2" if http => self.http2 = true,
            "deferred" if http => self.deferred = true,
            "udp" if !http => self.udp = true,
            _ => {
                let Some((name, value)) = word.split_once('=') else { return Ok(false) };
                let wrong = || format!("unknown flag '{word}'");
                match name {
                    "backlog" => self.backlog = Some(value.parse().map_err(|_| wrong())?),
                    "ipv6only" => self.ipv6only = Some(switch(value).ok_or_else(wrong)?),
                    "so_keepalive" => self.so_keepalive = Some(so_keepalive(value).ok_or_else(wrong)?),
                    _ => return Err(wrong()),
                }
            }
        }
        Ok(true)
    }
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn so_keepalive(value: &str) -> Option<SoKeepalive> {
    match switch(value) {
        Some(false) => return Some(SoKeepalive::Off),
        Some(true) => return Some(SoKeepalive::On { idle: None, interval: None, count: None }),
        None => {}
    }
    let parts: Vec<&str> = value.split(':').collect();
    let [idle, interval, count] = parts.as_slice() else { return None };
    let part = |text: &str| match text {
        "" => Some(None),
        text => time(text).map(Some),
    };
    let count = match *count {
        "" => None,
        count => Some(count.parse().ok()?),
    };
    Some(SoKeepalive::On { idle: part(idle)?, interval: part(interval)?, count })
}

fn host_and_port(address: &str) -> Result<(String, u16), String> {
    if address.starts_with("unix:") {
        return Err("unix sockets cannot be listened on".to_owned());
    }
    let (host, port) = address.rsplit_once(':').ok_or("the port is missing")?;
    let port = port.parse().map_err(|_| format!("'{port}' is not a port"))?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => {
            let inner = bracketed.strip_suffix(']').ok_or("a bracket is missing")?;
            inner.parse::<Ipv6Addr>().map_err(|_| format!("'{inner}' is not an IPv6 address"))?.to_string()
        }
        None if host.is_empty() => return Err("the host is missing".to_owned()),
        None if host.contains(':') => return Err("an IPv6 address needs brackets".to_owned()),
        None if looks_like_ipv4(host) && host.parse::<Ipv4Addr>().is_err() => {
            return Err(format!("'{host}' is not an IPv4 address"));
        }
        None => host.to_owned(),
    };
    Ok((host, port))
}

fn looks_like_ipv4(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests;
