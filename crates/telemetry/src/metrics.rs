//! What `/metrics` shows, in Prometheus' text format.
//!
//! Metrics live where they are counted; a [`Scrape`] gathers them when somebody asks, together with
//! values that are read at that moment. No registry outlives it, so what has gone is not shown any more.

pub use prometheus::core::Collector;
pub use prometheus::{Histogram, IntCounter};

use std::sync::{Mutex, OnceLock, PoisonError};

use prometheus::{Counter, Gauge, HistogramOpts, Opts, Registry, TextEncoder};

use crate::log;

/// Names and values.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

/// One answer to `/metrics`.
#[derive(Default)]
pub struct Scrape(Registry);

/// A counter to count with, and to [add](Scrape::add) to every scrape.
pub fn counter(name: &str, help: &str, labels: Labels) -> IntCounter {
    IntCounter::with_opts(options(name, help, labels)).expect("a valid name and valid labels")
}

/// A histogram; `buckets` are upper bounds, ascending.
pub fn histogram(name: &str, help: &str, labels: Labels, buckets: &[f64]) -> Histogram {
    let options = HistogramOpts { common_opts: options(name, help, labels), buckets: buckets.to_vec() };
    Histogram::with_opts(options).expect("a valid name, valid labels and ascending buckets")
}

/// Counters of one name by status code; those that occurred are shown.
pub struct ByStatus {
    name: &'static str,
    help: &'static str,
    labels: Vec<(&'static str, &'static str)>,
    counters: [OnceLock<IntCounter>; 600],
}

impl ByStatus {
    /// `labels` are those beside `code`.
    pub fn new(name: &'static str, help: &'static str, labels: &[(&'static str, &'static str)]) -> Self {
        Self { name, help, labels: labels.to_vec(), counters: [const { OnceLock::new() }; 600] }
    }

    /// Statuses from 600 on are not counted.
    pub fn count(&self, status: u16) {
        let Some(slot) = self.counters.get(usize::from(status)) else { return };
        let new = || {
            let code = status.to_string();
            counter(self.name, self.help, &[&*self.labels, &[("code", &*code)]].concat())
        };
        slot.get_or_init(new).inc();
    }

    pub fn show(&self, scrape: &Scrape) {
        self.counters.iter().filter_map(OnceLock::get).for_each(|counter| scrape.add(counter));
    }
}

/// Counters of one name by reason; those that occurred are shown. For what is rare: a lock guards the list.
pub struct ByReason {
    name: &'static str,
    help: &'static str,
    labels: Vec<(&'static str, &'static str)>,
    counters: Mutex<Vec<(&'static str, IntCounter)>>,
}

impl ByReason {
    /// `labels` are those beside `reason`.
    pub fn new(name: &'static str, help: &'static str, labels: &[(&'static str, &'static str)]) -> Self {
        Self { name, help, labels: labels.to_vec(), counters: Mutex::default() }
    }

    pub fn count(&self, reason: &'static str) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        match counters.iter().find(|(of, _)| *of == reason) {
            Some((_, counter)) => counter.inc(),
            None => {
                let labels = [&*self.labels, &[("reason", reason)]].concat();
                let new = counter(self.name, self.help, &labels);
                new.inc();
                counters.push((reason, new));
            }
        }
    }

    pub fn show(&self, scrape: &Scrape) {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.iter().for_each(|(_, counter)| scrape.add(counter));
    }
}

impl Scrape {
    /// Metrics of one name need the same help text and the same names of labels.
    pub fn add(&self, metric: &(impl Collector + Clone + 'static)) {
        if let Err(error) = self.0.register(Box::new(metric.clone())) {
            log!(Warn, "a metric is not shown: {error}");
        }
    }

    /// A value that goes up and down.
    pub fn gauge(&self, name: &str, help: &str, labels: Labels, value: f64) {
        let gauge = Gauge::with_opts(options(name, help, labels)).expect("a valid name and valid labels");
        gauge.set(value);
        self.add(&gauge);
    }

    /// One gauge for each of `states`, with the label `state`: 1 for the current one, 0 for the others.
    pub fn state(&self, name: &str, help: &str, labels: Labels, states: &[&str], current: &str) {
        for state in states {
            let labels = [labels, &[("state", *state)]].concat();
            self.gauge(name, help, &labels, f64::from(*state == current));
        }
    }

    /// The count of something that is counted elsewhere.
    pub fn counted(&self, name: &str, help: &str, labels: Labels, count: f64) {
        let counter = Counter::with_opts(options(name, help, labels)).expect("a valid name and valid labels");
        counter.inc_by(count);
        self.add(&counter);
    }

    /// Families by name, their lines by labels.
    pub fn render(&self) -> String {
        let text = TextEncoder::new().encode_to_string(&self.0.gather());
        text.unwrap_or_else(|error| format!("# {error}\n"))
    }
}

fn options(name: &str, help: &str, labels: Labels) -> Opts {
    labels.iter().fold(Opts::new(name, help), |options, (label, value)| options.const_label(*label, *value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_of_a_name_are_one_family() {
        let scrape = Scrape::default();
        let counter = |plugin| counter("b_total", "Bs.", &[("server", "x"), ("plugin", plugin)]);
        let (one, two) = (counter("\"\\\n"), counter("a"));
        one.inc_by(2);
        scrape.add(&one);
        scrape.add(&two);
        scrape.gauge("a", "As.", &[], 0.5);
        assert_eq!(
            scrape.render(),
            "# HELP a As.\n# TYPE a gauge\na 0.5\n\
             # HELP b_total Bs.\n# TYPE b_total counter\n\
             b_total{plugin=\"\\\"\\\\\\n\",server=\"x\"} 2\nb_total{plugin=\"a\",server=\"x\"} 0\n"
        );
    }

    #[test]
    fn what_occurred_is_shown() {
        let statuses = ByStatus::new("s_total", "S.", &[("transport", "tcp")]);
        let reasons = ByReason::new("r_total", "R.", &[]);
        [200, 599, 200, 600].into_iter().for_each(|status| statuses.count(status));
        ["late", "odd", "late"].into_iter().for_each(|reason| reasons.count(reason));
        let scrape = Scrape::default();
        statuses.show(&scrape);
        reasons.show(&scrape);
        let text = scrape.render();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "r_total{reason=\"late\"} 2",
                "r_total{reason=\"odd\"} 1",
                "s_total{code=\"200\",transport=\"tcp\"} 2",
                "s_total{code=\"599\",transport=\"tcp\"} 1",
            ]
        );
    }

    #[test]
    fn a_state_is_one_of_several() {
        let scrape = Scrape::default();
        scrape.state("s", "S.", &[("server", "x")], &["up", "down"], "down");
        let text = scrape.render();
        assert!(text.contains("s{server=\"x\",state=\"down\"} 1\n"), "{text}");
        assert!(text.contains("s{server=\"x\",state=\"up\"} 0\n"), "{text}");
    }

    #[test]
    fn a_second_metric_of_the_same_labels_hides_nothing() {
        let scrape = Scrape::default();
        scrape.gauge("a", "As.", &[], 1.0);
        scrape.gauge("a", "As.", &[], 2.0);
        assert!(scrape.render().ends_with("a 1\n"));
    }
}
