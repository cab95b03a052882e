//! Spares a plugin that keeps failing, and the requests that would wait for it.
//!
//! One breaker per plugin, over all replicas: it opens after so many events in a row that ended in a
//! crash, a deadline or a protocol error. While it is open, events fail at once; after a pause, or
//! as soon as there is a new process, one event is let through, and what becomes of it decides.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use polygate_telemetry::log;
use serde::Serialize;
use tokio::time::Instant;

use crate::lock::locked;
use crate::reason::{EventError, Reason};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Failures since the last success.
    failures: AtomicU32,
    /// The generation whose end was counted last: one crash fails many events.
    crashed: AtomicU64,
    is_open: AtomicBool,
    pause: Mutex<Option<Pause>>,
}

/// While it is open.
#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
    /// The process that failed last.
    generation: u64,
    /// An event was let through, and `until` is how long its end is waited for.
    on_trial: bool,
}

/// Whether events reach the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    Closed,
    /// Events fail at once.
    Open,
    /// The next event is let through, or one is on its way.
    HalfOpen,
}

impl BreakerState {
    pub const ALL: [BreakerState; 3] = [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen];

    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half_open",
        }
    }
}

impl Breaker {
    /// Lets an event through, or not. Its end is waited for up to `trial_time` when it is a trial.
    /// `newest` is the number of the newest process: one that has not failed yet is tried at once.
    pub(crate) fn admit(
        &self,
        plugin: &str,
        trial_time: Duration,
        newest: impl FnOnce() -> u64,
    ) -> Result<(), EventError> {
        if !self.is_open.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut pause = locked(&self.pause);
        let Some(pause) = pause.as_mut() else { return Ok(()) };
        let now = Instant::now();
        let is_over = now >= pause.until || (!pause.on_trial && newest() > pause.generation);
        if !is_over {
            let left = (pause.until - now).as_millis();
            return Err(Reason::CircuitOpen.error(format!(
                "plugin \"{plugin}\" failed too often in a row and is left alone for {left} ms"
            )));
        }
        *pause = Pause { until: now + trial_time, on_trial: true, ..*pause };
        Ok(())
    }

    /// The plugin answered, if only with an error of its own.
    pub(crate) fn answered(&self, plugin: &str) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.is_open.load(Ordering::Relaxed) && locked(&self.pause).take().is_some() {
            self.is_open.store(false, Ordering::Relaxed);
            log!(Notice, "[pluginserver] plugin \"{plugin}\" answers again: its circuit breaker is closed");
        }
    }

    /// An event in `generation` did not end; `threshold` of them in a row open the breaker, 0 never do.
    pub(crate) fn failed(&self, plugin: &str, reason: Reason, generation: u64, threshold: u32) {
        let is_known =
            reason == Reason::Crashed && self.crashed.swap(generation, Ordering::Relaxed) == generation;
        if threshold == 0 || is_known {
            return;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let mut pause = locked(&self.pause);
        let length = match &*pause {
            None if failures < threshold => return,
            None => FIRST_PAUSE,
            // The event began before the breaker opened and tells nothing new.
            Some(Pause { on_trial: false, .. }) => return,
            Some(pause) => (pause.length * 2).min(LONGEST_PAUSE),
        };
        *pause = Some(Pause { until: Instant::now() + length, length, generation, on_trial: false });
        self.is_open.store(true, Ordering::Relaxed);
        log!(
            Error,
            "[pluginserver] plugin \"{plugin}\" failed {failures} times in a row ({}): its circuit breaker is \
             open for {} ms",
            reason.as_str(),
            length.as_millis()
        );
    }

    pub(crate) fn state(&self) -> BreakerState {
        match &*locked(&self.pause) {
            None => BreakerState::Closed,
            Some(pause) if pause.on_trial || pause.until <= Instant::now() => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: Duration = Duration::from_secs(5);

    fn admits(breaker: &Breaker) -> bool {
        breaker.admit("x", TRIAL, || 1).is_ok()
    }

    fn fail(breaker: &Breaker, times: u32) {
        (0..times).for_each(|_| breaker.failed("x", Reason::Deadline, 1, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_only() {
        let breaker = Breaker::default();
        fail(&breaker, 2);
        breaker.answered("x");
        fail(&breaker, 2);
        assert!(admits(&breaker));
        fail(&breaker, 1);
        assert_eq!((admits(&breaker), breaker.state()), (false, BreakerState::Open));
    }

    #[tokio::test(start_paused = true)]
    async fn one_event_tries_and_decides() {
        let breaker = Breaker::default();
        fail(&breaker, 3);
        tokio::time::advance(FIRST_PAUSE).await;
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert_eq!([admits(&breaker), admits(&breaker)], [true, false]);
        fail(&breaker, 1);
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(!admits(&breaker), "the second pause is twice as long");
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(admits(&breaker));
        breaker.answered("x");
        assert_eq!((admits(&breaker), breaker.state()), (true, BreakerState::Closed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_process_is_tried_at_once() {
        let breaker = Breaker::default();
        fail(&breaker, 3);
        assert!(!admits(&breaker));
        let admits_new = || breaker.admit("x", TRIAL, || 2).is_ok();
        assert_eq!([admits_new(), admits_new()], [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_without_an_end_is_followed_by_another() {
        let breaker = Breaker::default();
        fail(&breaker, 3);
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(admits(&breaker));
        tokio::time::advance(TRIAL).await;
        assert!(admits(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crash_counts_once_however_many_events_it_ends() {
        let breaker = Breaker::default();
        (0..9).for_each(|_| breaker.failed("x", Reason::Crashed, 7, 3));
        assert!(admits(&breaker));
        breaker.failed("x", Reason::Crashed, 8, 3);
        breaker.failed("x", Reason::Crashed, 9, 3);
        assert!(!admits(&breaker));
    }

    #[tokio::test]
    async fn a_threshold_of_0_never_opens() {
        let breaker = Breaker::default();
        (0..9).for_each(|_| breaker.failed("x", Reason::Deadline, 1, 0));
        assert!(admits(&breaker));
    }
}
