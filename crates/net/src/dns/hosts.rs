//! The hosts file.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::dns::settings::{RecordKind, SetupError};

/// The names in the hosts file as it was read last; clones share them.
#[derive(Debug, Clone)]
pub struct HostsFile {
    path: Option<Arc<Path>>,
    pub(super) names: Arc<ArcSwap<Hosts>>,
}

impl HostsFile {
    /// Without a path only `localhost` has a name.
    pub fn read(path: Option<&Path>) -> Result<Self, SetupError> {
        let names = Arc::new(ArcSwap::from_pointee(Hosts::read(path)?));
        Ok(Self { path: path.map(Arc::from), names })
    }

    /// Reads the file again, for everybody who shares it. After an error the names stay as they were.
    pub fn reload(&self) -> Result<(), SetupError> {
        self.names.store(Arc::new(Hosts::read(self.path.as_deref())?));
        Ok(())
    }
}

/// Lower-case names with their first address of each family.
#[derive(Debug)]
pub struct Hosts {
    names: HashMap<Box<str>, Families>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Families {
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
}

impl Hosts {
    /// `localhost` is known without a file, too.
    pub fn read(path: Option<&Path>) -> Result<Self, SetupError> {
        let text = match path {
            Some(path) => std::fs::read(path)
                .map_err(|source| SetupError::HostsFile { path: path.to_owned(), source })?,
            None => Vec::new(),
        };
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    fn parse(text: &str) -> Self {
        let mut hosts = Self { names: HashMap::new() };
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(ip) = words.next().and_then(|word| word.parse().ok()) else { continue };
            words.for_each(|name| hosts.add(name, ip));
        }
        hosts.add("localhost", Ipv4Addr::LOCALHOST.into());
        hosts.add("localhost", Ipv6Addr::LOCALHOST.into());
        hosts
    }

    fn add(&mut self, name: &str, ip: IpAddr) {
        let families = self.names.entry(name.to_ascii_lowercase().into()).or_default();
        let family = if ip.is_ipv4() { &mut families.ipv4 } else { &mut families.ipv6 };
        family.get_or_insert(ip);
    }

    /// The address of a lower-case name, of the family that `order` has first.
    pub fn get(&self, name: &str, order: &[RecordKind]) -> Option<IpAddr> {
        let families = self.names.get(name.strip_suffix('.').unwrap_or(name))?;
        let in_order = order.iter().find_map(|kind| match kind {
            RecordKind::A => families.ipv4,
            RecordKind::Aaaa => families.ipv6,
            RecordKind::Last | RecordKind::Srv | RecordKind::Cname => None,
        });
        // A name that the file has must not go to the servers because of its family.
        in_order.or(families.ipv4).or(families.ipv6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_comments_are_read() {
        let hosts = Hosts::parse(
            "# 10.0.0.9 nobody\n10.0.0.1 Web web.local # alias\n10.0.0.2 web\nfd00::1\tweb six\nnonsense x\n\n",
        );
        let get = |name, order: &[RecordKind]| hosts.get(name, order).map(|ip| ip.to_string());
        let ipv4 = &[RecordKind::Srv, RecordKind::A];
        assert_eq!(get("web", ipv4).as_deref(), Some("10.0.0.1"));
        assert_eq!(get("web.local.", ipv4).as_deref(), Some("10.0.0.1"));
        assert_eq!(get("web", &[RecordKind::Aaaa, RecordKind::A]).as_deref(), Some("fd00::1"));
        assert_eq!(get("six", ipv4).as_deref(), Some("fd00::1"));
        assert_eq!(get("nobody", ipv4), None);
        assert_eq!(get("x", ipv4), None);
    }

    #[test]
    fn localhost_is_known_and_can_be_changed() {
        let get = |text: &str| Hosts::parse(text).get("localhost", &[RecordKind::A]).map(|ip| ip.to_string());
        assert_eq!(get("").as_deref(), Some("127.0.0.1"));
        assert_eq!(get("127.0.0.2 localhost").as_deref(), Some("127.0.0.2"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Hosts::read(Some(Path::new("/nonexistent/hosts"))).unwrap_err();
        let expected = "cannot read the hosts file /nonexistent/hosts, correct dns_hostsfile";
        assert_eq!(error.to_string(), expected);
    }
}
