//! The counts, and how they are shown (Prometheus, text format 0.0.4). Labels stand in the reference's order.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use polygate_model::Id;

/// Upper bounds of buckets, milliseconds.
const KONG_BUCKETS: [u32; 17] = [1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000];
const BUCKETS: [u32; 13] = [25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10_000, 30_000, 60_000];

const LATENCIES: [(&str, &str, &[u32]); 4] = [
    (
        "kong_kong_latency_ms",
        "Latency added by Kong and enabled plugins for each service/route in Kong",
        &KONG_BUCKETS,
    ),
    (
        "kong_upstream_latency_ms",
        "Latency added by upstream response for each service/route in Kong",
        &BUCKETS,
    ),
    (
        "kong_request_latency_ms",
        "Total latency incurred during requests for each service/route in Kong",
        &BUCKETS,
    ),
    (
        "kong_session_duration_ms",
        "latency incurred in stream session for each service/route in Kong",
        &BUCKETS,
    ),
];

/// Over the life of the process.
#[derive(Default)]
pub struct Table(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// The labels of places and consumers, written once.
    places: HashMap<Place, String>,
    consumers: HashMap<Id, String>,
    requests: BTreeMap<(Place, u16, bool, Id), u64>,
    streams: BTreeMap<(Place, u16, bool), u64>,
    /// In and out.
    bytes: BTreeMap<(Place, Option<Id>), [u64; 2]>,
    latencies: [BTreeMap<Place, Histogram>; LATENCIES.len()],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub service: Id,
    pub route: Option<Id>,
}

/// A consumer, or nil for nobody. Streams have neither.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    pub id: Id,
    pub name: &'a str,
}

#[derive(Default)]
struct Histogram {
    /// By bucket, those of smaller ones not included; the last one is beyond all bounds.
    counts: Vec<u64>,
    sum: u64,
}

/// What is read when somebody asks.
pub struct Facts {
    pub node: Id,
    pub http: Traffic,
    /// `None` where nobody listens for streams.
    pub streams: Option<Traffic>,
}

/// Of one subsystem, over the life of the process.
#[derive(Default)]
pub struct Traffic {
    pub connections: u64,
    /// Of them, now.
    pub active: u64,
    pub requests: u64,
}

impl Table {
    pub fn count(
        &self,
        place: Place,
        status: u16,
        by_service: bool,
        who: Option<Who>,
        names: impl Fn() -> (String, String),
    ) {
        let mut counts = self.counts();
        counts.know(place, names);
        *match counts.know_consumer(who) {
            Some(consumer) => counts.requests.entry((place, status, by_service, consumer)).or_default(),
            None => counts.streams.entry((place, status, by_service)).or_default(),
        } += 1;
    }

    pub fn bytes(
        &self,
        place: Place,
        in_and_out: [u64; 2],
        who: Option<Who>,
        names: impl Fn() -> (String, String),
    ) {
        let mut counts = self.counts();
        counts.know(place, names);
        let consumer = counts.know_consumer(who);
        let sums = counts.bytes.entry((place, consumer)).or_default();
        sums.iter_mut().zip(in_and_out).for_each(|(sum, bytes)| *sum += bytes);
    }

    /// In the order of [`LATENCIES`].
    pub fn latencies(&self, place: Place, values: [Option<i64>; 4], names: impl Fn() -> (String, String)) {
        let mut counts = self.counts();
        counts.know(place, names);
        let values = values.into_iter().zip(LATENCIES).zip(&mut counts.latencies);
        for ((value, (_, _, bounds)), table) in values {
            if let Some(value) = value.and_then(|value| u64::try_from(value).ok()) {
                table.entry(place).or_default().add(value, bounds);
            }
        }
    }

    pub fn render(&self, facts: &Facts) -> String {
        let counts = self.counts();
        let mut out = String::new();
        facts.render(&mut out);
        // Writing to a text does not fail.
        let _ = counts.render(&mut out);
        out
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn know(&mut self, place: Place, names: impl Fn() -> (String, String)) {
        self.places.entry(place).or_insert_with(|| {
            let (service, route) = names();
            format!("service=\"{}\",route=\"{}\"", escaped(&service), escaped(&route))
        });
    }

    fn know_consumer(&mut self, who: Option<Who>) -> Option<Id> {
        let who = who?;
        self.consumers.entry(who.id).or_insert_with(|| escaped(who.name));
        Some(who.id)
    }

    fn render(&self, out: &mut String) -> std::fmt::Result {
        if !self.requests.is_empty() {
            let help = "HTTP status codes per consumer/service/route in Kong";
            family(out, "kong_http_requests_total", help, "counter");
        }
        for ((place, status, by_service, consumer), count) in &self.requests {
            let (labels, consumer) = (self.ended(place, *status, *by_service), &self.consumers[consumer]);
            writeln!(out, "kong_http_requests_total{{{labels},consumer=\"{consumer}\"}} {count}")?;
        }
        if !self.streams.is_empty() {
            family(
                out,
                "kong_stream_sessions_total",
                "Stream status codes per service/route in Kong",
                "counter",
            );
        }
        for ((place, status, by_service), count) in &self.streams {
            let labels = self.ended(place, *status, *by_service);
            writeln!(out, "kong_stream_sessions_total{{{labels}}} {count}")?;
        }
        if !self.bytes.is_empty() {
            let help = "Total bandwidth (ingress/egress) throughput in bytes";
            family(out, "kong_bandwidth_bytes", help, "counter");
        }
        for ((place, consumer), sums) in &self.bytes {
            let place = &self.places[place];
            let consumer =
                consumer.map(|id| format!(",consumer=\"{}\"", self.consumers[&id])).unwrap_or_default();
            for (direction, sum) in ["ingress", "egress"].into_iter().zip(sums) {
                writeln!(
                    out,
                    "kong_bandwidth_bytes{{{place},direction=\"{direction}\",workspace=\"default\"{consumer}}} {sum}"
                )?;
            }
        }
        for ((name, help, bounds), table) in LATENCIES.into_iter().zip(&self.latencies) {
            if !table.is_empty() {
                family(out, name, help, "histogram");
            }
            for (place, histogram) in table {
                histogram.render(out, name, &self.places[place], bounds)?;
            }
        }
        Ok(())
    }

    /// The labels of requests or streams that ended so.
    fn ended(&self, place: &Place, status: u16, by_service: bool) -> String {
        let (place, source) = (&self.places[place], if by_service { "service" } else { "kong" });
        format!("{place},code=\"{status}\",source=\"{source}\",workspace=\"default\"")
    }
}

impl Histogram {
    fn add(&mut self, value: u64, bounds: &[u32]) {
        self.counts.resize(bounds.len() + 1, 0);
        let bucket = bounds.iter().position(|bound| value <= u64::from(*bound)).unwrap_or(bounds.len());
        self.counts[bucket] += 1;
        self.sum += value;
    }

    /// Buckets below the smallest value are left out, as in the reference.
    fn render(&self, out: &mut String, name: &str, place: &str, bounds: &[u32]) -> std::fmt::Result {
        let labels = format!("{place},workspace=\"default\"");
        let mut total = 0;
        for (count, bound) in self.counts.iter().zip(bounds) {
            total += count;
            if total > 0 {
                writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {total}")?;
            }
        }
        let total: u64 = self.counts.iter().sum();
        writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {total}")?;
        writeln!(out, "{name}_count{{{labels}}} {total}")?;
        writeln!(out, "{name}_sum{{{labels}}} {}", self.sum)
    }
}

impl Facts {
    fn render(&self, out: &mut String) {
        let Self { node, http, streams } = self;
        let subsystems = [("http", Some(http)), ("stream", streams.as_ref())];
        let lines = |of: fn(&Traffic, &str) -> Vec<(String, u64)>| {
            let lines = |(subsystem, traffic): (_, Option<&Traffic>)| {
                Some(of(traffic?, &format!("node_id=\"{node}\",subsystem=\"{subsystem}\"")))
            };
            subsystems.into_iter().filter_map(lines).flatten().collect::<Vec<_>>()
        };
        let mut gauge = |name: &str, help: &str, lines: &[(String, u64)]| {
            family(out, name, help, "gauge");
            for (labels, value) in lines {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        gauge(
            "kong_datastore_reachable",
            "Datastore reachable from Kong, 0 is unreachable",
            &[(String::new(), 1)],
        );
        gauge(
            "kong_nginx_connections_total",
            "Number of connections by subsystem",
            &lines(Traffic::connections),
        );
        gauge("kong_nginx_requests_total", "Number of requests total", &lines(Traffic::requests));
        gauge(
            "kong_nginx_timers",
            "Number of nginx timers",
            &[("{state=\"pending\"}".to_owned(), 0), ("{state=\"running\"}".to_owned(), 0)],
        );
        let info = format!("{{node_id=\"{node}\",version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
        gauge("kong_node_info", "Kong Node metadata information", &[(info, 1)]);
    }
}

impl Traffic {
    fn connections(&self, own: &str) -> Vec<(String, u64)> {
        let states = [
            ("accepted", self.connections),
            ("active", self.active),
            ("handled", self.connections),
            ("total", self.requests),
        ];
        states.map(|(state, value)| (format!("{{{own},state=\"{state}\"}}"), value)).into()
    }

    fn requests(&self, own: &str) -> Vec<(String, u64)> {
        vec![(format!("{{{own}}}"), self.requests)]
    }
}

fn family(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_is_not_above_their_bound() {
        let (mut histogram, mut out) = (Histogram::default(), String::new());
        for value in [25, 26, 70_000] {
            histogram.add(value, &BUCKETS);
        }
        histogram.render(&mut out, "x", "service=\"a\"", &BUCKETS).unwrap();
        let counts: Vec<_> = out.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(counts[..3], ["1", "2", "2"]);
        assert_eq!(counts[12..], ["2", "3", "3", "70051"]);
    }

    #[test]
    fn labels_are_escaped() {
        let table = Table::default();
        let place = Place { service: Id::nil(), route: None };
        let who = Who { id: Id::nil(), name: "" };
        table.count(place, 200, true, Some(who), || ("a\"b\\c\nd".to_owned(), "r".to_owned()));
        let text = table.render(&Facts { node: Id::nil(), http: Traffic::default(), streams: None });
        assert!(text.contains(r#"{service="a\"b\\c\nd",route="r",code="200""#), "{text}");
    }
}
