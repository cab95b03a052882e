use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::*;
use crate::shards::SHARDS;

fn key(identifier: &str) -> Key {
    Key { plugin: Id::nil(), name: String::new(), identifier: identifier.to_owned() }
}

fn limits(limits: &[(Period, f64)]) -> Vec<Limit> {
    limits.iter().map(|&(period, most)| Limit { period, most }).collect()
}

#[test]
fn no_limit_is_overrun_whatever_comes_at_a_time() {
    let (counters, admitted) = (Counters::default(), AtomicUsize::new(0));
    let limits = limits(&[(Period::Minute, 100.0), (Period::Hour, 150.0)]);
    let begin = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                begin.wait();
                for _ in 0..125 {
                    let (fits, _) = counters.admit(&key("a"), &limits, 1.0, Moment(1_000_000));
                    admitted.fetch_add(usize::from(fits), Relaxed);
                }
            });
        }
    });
    assert_eq!(admitted.load(Relaxed), 100);
    assert_eq!(counters.used(&key("a"), &limits, Moment(1_000_000)), [100.0, 100.0]);
    let next_minute: usize =
        (0..100).map(|_| usize::from(counters.admit(&key("a"), &limits, 1.0, Moment(1_000_060)).0)).sum();
    assert_eq!(next_minute, 50, "the hour has fifty left");
    assert_eq!(counters.used(&key("b"), &limits, Moment(1_000_000)), [0.0, 0.0]);
}

#[test]
fn what_is_refused_is_not_counted() {
    let counters = Counters::default();
    let limits = limits(&[(Period::Second, 1.0), (Period::Hour, 9.0)]);
    for (second, fits, used) in [(0, true, [0.0, 0.0]), (0, false, [1.0, 1.0]), (1, true, [0.0, 1.0])] {
        assert_eq!(counters.admit(&key("a"), &limits, 1.0, Moment(7200 + second)), (fits, used.to_vec()));
    }
}

#[test]
fn windows_that_have_passed_are_forgotten() {
    let counters = Counters::default();
    let limits = limits(&[(Period::Second, 1.0)]);
    let visitors = 4 * SHARDS * SWEEP_FROM;
    for visitor in 0..visitors {
        counters.admit(&key(&visitor.to_string()), &limits, 1.0, Moment(visitor as u64 / 100));
    }
    let kept: usize = counters.shards.iter().map(|shard| shard.entries.len()).sum();
    assert!(kept <= visitors / 3, "{kept} of {visitors}");
}

#[test]
fn of_too_many_callers_the_latest_are_known() {
    let counters = Counters::default();
    let limits = limits(&[(Period::Year, 1.0)]);
    let visitors = SHARDS * MOST_ENTRIES * 5 / 4;
    let fits = |visitor: usize| {
        counters.admit(&key(&visitor.to_string()), &limits, 1.0, Moment(1_000 + visitor as u64 / 100)).0
    };
    assert!((0..visitors).all(fits));
    for shard in counters.shards.iter() {
        assert!(shard.entries.len() <= MOST_ENTRIES);
    }
    assert!(fits(0), "the first is forgotten");
    assert!(!fits(visitors - 1), "the last is not");
}
