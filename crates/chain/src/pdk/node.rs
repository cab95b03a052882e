//! `kong.node`: this process.

use std::fs;

use crate::pdk::PdkError;
use crate::{Key, Session, Value};

pub fn get_id(session: &Session) -> String {
    session.environment.node.id.to_string()
}

pub fn get_hostname(session: &Session) -> &str {
    &session.environment.node.hostname
}

/// [`memory`] in one of the units `b`, `k`, `m` and `g`; `scale` is the number of decimals in text.
pub fn get_memory_stats(
    _session: &Session,
    unit: Option<&str>,
    scale: Option<usize>,
) -> Result<Value, PdkError> {
    Ok(memory(Unit::parse(unit.unwrap_or("b"))?, scale.unwrap_or(2)))
}

/// The reference's shared dictionaries. There are none here, but the Go SDK needs the first two to be told of, and who
/// watches the others finds them.
const DICTIONARIES: [&str; 11] = [
    "kong",
    "kong_db_cache",
    "kong_cluster_events",
    "kong_core_db_cache",
    "kong_core_db_cache_miss",
    "kong_db_cache_miss",
    "kong_healthchecks",
    "kong_locks",
    "kong_rate_limiting_counters",
    "kong_secrets",
    "prometheus_metrics",
];

/// The process's memory in the shape of the reference's answer; dictionaries have a size of 0.
pub fn memory(unit: Unit, scale: usize) -> Value {
    let bytes = |count| unit.show(count, scale);
    let empty = || map([("allocated_slabs", bytes(0)), ("capacity", bytes(0))]);
    let worker =
        map([("http_allocated_gc", bytes(resident_bytes())), ("pid", Value::Int(std::process::id().into()))]);
    map([
        ("lua_shared_dicts", map(DICTIONARIES.map(|name| (name, empty())))),
        ("workers_lua_vms", Value::List(vec![worker])),
    ])
}

/// What sizes are shown in.
#[derive(Clone, Copy)]
pub struct Unit {
    size: u64,
    name: &'static str,
}

impl Unit {
    pub const MEBIBYTES: Self = Self { size: 1 << 20, name: "MiB" };

    fn parse(unit: &str) -> Result<Self, PdkError> {
        let (size, name) = match unit {
            "b" | "B" => (1, ""),
            "k" | "K" => (1 << 10, "KiB"),
            "m" | "M" => return Ok(Self::MEBIBYTES),
            "g" | "G" => (1 << 30, "GiB"),
            _ => {
                return Err(PdkError::thrown(format!(
                    "invalid unit '{unit}' (expected 'k/K', 'm/M', 'g/G' or 'b/B')"
                )));
            }
        };
        Ok(Self { size, name })
    }

    /// A number for bytes, else text such as `12.00 KiB`.
    fn show(self, bytes: u64, scale: usize) -> Value {
        match self.size {
            1 => Value::Int(bytes as i64),
            size => format!("{:.scale$} {}", bytes as f64 / size as f64, self.name).into(),
        }
    }
}

/// 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (Key::from(name), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, call, thrown};

    #[test]
    fn units() {
        for (unit, scale, expected) in [
            ("b", 2, Value::Int(1536)),
            ("k", 2, "1.50 KiB".into()),
            ("M", 3, "0.001 MiB".into()),
            ("g", 0, "0 GiB".into()),
        ] {
            assert_eq!(Unit::parse(unit).unwrap().show(1536, scale), expected, "of {unit}");
        }
    }

    #[test]
    fn memory_stats_are_complete() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        let stats = call(exchange, "kong.node.get_memory_stats", &[]).unwrap();
        for name in DICTIONARIES {
            assert_eq!(stats.get("lua_shared_dicts").get(name).get("capacity"), &Value::Int(0));
        }
        let Value::List(workers) = stats.get("workers_lua_vms") else { panic!("no list: {stats:?}") };
        assert_eq!(workers[0].get("pid").as_int(), Some(std::process::id().into()));
        assert!(workers[0].get("http_allocated_gc").as_int().unwrap() > 0);
        let error = thrown("invalid unit 'x' (expected 'k/K', 'm/M', 'g/G' or 'b/B')");
        assert_eq!(call(exchange, "kong.node.get_memory_stats", &["x".into()]), error);
    }
}
