use polygate_model::Id;
use serde_json::json;
use tokio::task::LocalSet;

use super::*;
use crate::counters::Period;
use crate::shards::SHARDS;
use crate::tests::outside;

fn window(identifier: &str, start: u64) -> Window {
    let key = Key { plugin: Id::nil(), name: String::new(), identifier: identifier.to_owned() };
    Window { key, period: Period::Second, start }
}

/// Whose Redis refuses connections.
fn ledger() -> Ledger {
    let shared = outside();
    let config = serde_json::from_value(json!({"host": "redis.test"})).unwrap();
    let redis = Redis::new(config, shared.services.clone());
    Ledger::new(redis, &shared)
}

/// How many windows wait.
fn waiting(ledger: &Ledger) -> usize {
    ledger.owed.iter().map(|owed| owed.len()).sum()
}

#[test]
fn what_waits_has_a_bound() {
    let ledger = ledger();
    let most = MOST_OWED * SHARDS;
    ledger.owe((0..3 * most as u64).map(|start| (window("a", start), 1.0)));
    assert_eq!(waiting(&ledger), most);
    ledger.owe([(window("a", 0), 2.0)]);
    assert_eq!(ledger.owed.of(&window("a", 0))[&window("a", 0)], 3.0, "one that waits already goes on");
}

#[tokio::test]
async fn what_redis_refused_waits_on_unless_its_window_has_passed() {
    let (ledger, future) = (ledger(), Moment::now().0 + 1_000);
    // More than a batch, of which none is lost.
    ledger.owe((0..2_500).map(|count| (window(&count.to_string(), future), 1.0)));
    ledger.owe([(window("passed", 1_000), 1.0)]);
    LocalSet::new().run_until(ledger.tell()).await;
    assert_eq!(waiting(&ledger), 2_500);
    let passed = window("passed", 1_000);
    assert!(!ledger.owed.of(&passed).contains_key(&passed));
}

#[test]
fn what_was_counted_since_is_added_to_what_others_counted() {
    let (ledger, window) = (ledger(), window("a", 1_000));
    let limits = [Limit { period: Period::Second, most: 10.0 }];
    let used = || ledger.shared.counters.used(&window.key, &limits, Moment(1_000));
    ledger.owe([(window.clone(), 2.0)]);
    ledger.learn(&[(window.clone(), 3.0)], &[5.0]);
    assert_eq!(used(), [7.0]);
    ledger.learn(&[(window.clone(), 0.0)], &[1.0]);
    assert_eq!(used(), [7.0], "counts do not fall");
    ledger.shared.counters.learn(&window.key, Period::Second, 999, 9.0);
    assert_eq!(used(), [7.0], "a window that has passed changes nothing");
}
