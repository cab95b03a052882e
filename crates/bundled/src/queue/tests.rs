use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use polygate_telemetry::metrics::Scrape;
use serde_json::json;
use tokio::time::advance;

use super::*;
use crate::tests::outside;

/// Keeps batches; refuses as many first as it is told.
#[derive(Default, Clone)]
struct Kept {
    batches: Arc<Mutex<Vec<Vec<String>>>>,
    refusals: Arc<AtomicUsize>,
    tries: Arc<AtomicUsize>,
}

impl Sink for Kept {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        self.tries.fetch_add(1, Relaxed);
        if self.refusals.load(Relaxed) > 0 {
            self.refusals.fetch_sub(1, Relaxed);
            return Err("refused".to_owned());
        }
        self.batches
            .lock()
            .unwrap()
            .push(batch.iter().map(|entry| str::from_utf8(entry).unwrap().to_owned()).collect());
        Ok(())
    }
}

impl Kept {
    fn refusing(times: usize) -> Self {
        let kept = Self::default();
        kept.refusals.store(times, Relaxed);
        kept
    }

    fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().iter().map(Vec::len).collect()
    }
}

fn queue(config: serde_json::Value, kept: &Kept) -> (Queue, Arc<Shared>) {
    let shared = outside();
    let config: QueueConfig = serde_json::from_value(config).unwrap();
    (Queue::start("test", &config, kept.clone(), &shared), shared)
}

fn push(queue: &Queue, count: usize) {
    (0..count).for_each(|number| queue.push(number.to_string()));
}

/// Time passes, and everybody does what they can.
async fn pass(seconds: f64) {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    advance(Duration::from_secs_f64(seconds)).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_batch_waits_for_its_size_or_its_delay() {
    run(async {
        let kept = Kept::default();
        let (queue, _shared) = queue(json!({"max_batch_size": 3, "max_coalescing_delay": 5}), &kept);
        push(&queue, 2);
        pass(4.9).await;
        assert_eq!(kept.batches(), [0; 0]);
        pass(0.2).await;
        assert_eq!(kept.batches(), [2]);
        push(&queue, 7);
        pass(0.0).await;
        assert_eq!(kept.batches(), [2, 3, 3]);
        pass(5.1).await;
        assert_eq!(kept.batches(), [2, 3, 3, 1]);
    });
}

#[test]
fn the_oldest_make_room() {
    run(async {
        let kept = Kept::default();
        let (queue, shared) = queue(json!({"max_entries": 2}), &kept);
        push(&queue, 5);
        pass(0.0).await;
        assert_eq!(*kept.batches.lock().unwrap(), [["3"], ["4"]]);
        let scrape = Scrape::default();
        shared.counts.show(&scrape);
        let text = scrape.render();
        assert!(
            text.contains("polygate_plugin_queue_entries_total{outcome=\"full\",plugin=\"test\"} 3"),
            "{text}"
        );
        assert!(
            text.contains("polygate_plugin_queue_entries_total{outcome=\"sent\",plugin=\"test\"} 2"),
            "{text}"
        );
        assert!(text.contains("polygate_plugin_queue_entries{plugin=\"test\"} 0"), "{text}");
    });
}

#[test]
fn bytes_are_limited_as_well() {
    run(async {
        let kept = Kept::default();
        let (queue, _shared) =
            queue(json!({"max_bytes": 6, "max_batch_size": 9, "max_coalescing_delay": 1}), &kept);
        ["aaa", "bbb", "cccc", "much too large"].into_iter().for_each(|entry| queue.push(entry.to_owned()));
        pass(1.1).await;
        assert_eq!(*kept.batches.lock().unwrap(), [["cccc"]]);
    });
}

#[test]
fn what_is_refused_is_tried_again_for_a_while() {
    run(async {
        let config = json!({"initial_retry_delay": 1, "max_retry_delay": 4, "max_retry_time": 20});
        let kept = Kept::refusing(3);
        let (queue, _shared) = queue(config.clone(), &kept);
        push(&queue, 1);
        // After 1, 2 and 4 seconds.
        for (seconds, tries) in [(0.9, 1), (0.2, 2), (1.8, 2), (0.2, 3), (4.1, 4)] {
            pass(seconds).await;
            assert_eq!(kept.tries.load(Relaxed), tries, "after {seconds} s more");
        }
        assert_eq!(kept.batches(), [1]);

        let kept = Kept::refusing(99);
        let (queue, shared) = self::queue(config, &kept);
        push(&queue, 1);
        for _ in 0..40 {
            pass(1.0).await;
        }
        // At 0, 1, 3, 7, 11, 15 and 19 seconds.
        assert_eq!(kept.tries.load(Relaxed), 7);
        let scrape = Scrape::default();
        shared.counts.show(&scrape);
        assert!(scrape.render().contains("{outcome=\"failed\",plugin=\"test\"} 1"));
    });
}

#[test]
fn batches_overtake_each_other_only_where_they_may() {
    run(async {
        for (limit, batches) in [(1, 0), (-1, 2)] {
            let kept = Kept::refusing(1);
            let config =
                json!({"concurrency_limit": limit, "initial_retry_delay": 10, "max_retry_delay": 10});
            let (queue, _shared) = queue(config, &kept);
            push(&queue, 3);
            pass(1.0).await;
            assert_eq!(kept.batches().len(), batches, "with {limit}");
            pass(10.0).await;
            assert_eq!(kept.batches().len(), 3, "with {limit}");
        }
    });
}

#[test]
fn nothing_is_lost_when_the_configuration_goes() {
    run(async {
        let kept = Kept::default();
        let (queue, _shared) = queue(json!({"max_batch_size": 9, "max_coalescing_delay": 60}), &kept);
        push(&queue, 4);
        drop(queue);
        pass(0.0).await;
        assert_eq!(kept.batches(), [4]);
    });
}

#[test]
fn the_end_of_the_process_waits_for_what_is_left() {
    run(async {
        let kept = Kept::refusing(1);
        let config = json!({"max_batch_size": 9, "max_coalescing_delay": 60, "initial_retry_delay": 5});
        let (queue, shared) = queue(config, &kept);
        push(&queue, 4);
        let begin = Instant::now();
        shared.drain(Duration::from_secs(30)).await;
        assert_eq!(
            (kept.batches(), begin.elapsed()),
            (vec![], Duration::ZERO),
            "it was refused, and is not tried again"
        );

        let kept = Kept::default();
        let (queue, shared) = self::queue(json!({"max_coalescing_delay": 60, "max_batch_size": 2}), &kept);
        push(&queue, 5);
        shared.drain(Duration::from_secs(30)).await;
        assert_eq!(kept.batches(), [2, 2, 1]);
        push(&queue, 1);
        pass(99.0).await;
        assert_eq!(kept.batches(), [2, 2, 1], "there is nobody any more");
    });
}
