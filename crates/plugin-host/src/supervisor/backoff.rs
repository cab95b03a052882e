//! How long to wait before a process is started again.

use std::time::Duration;

use polygate_telemetry::clock;

/// A process that lived this long did not fail at its start.
const HEALTHY: Duration = Duration::from_secs(10);
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// So many short lives in a row are a crash loop.
const CRASH_LOOP: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct Backoff {
    short_lives: u32,
}

impl Backoff {
    /// A process that lived for `life` ended; answers how long to wait. At once after a long life or
    /// one that was of use, else twice as long each time, up to 30 s, a fifth more or less by chance.
    pub(super) fn ended(&mut self, life: Duration, has_served: bool) -> Duration {
        self.ended_with(life, has_served, clock::unix_now().subsec_nanos() % 401)
    }

    /// `chance` is 0 to 400.
    fn ended_with(&mut self, life: Duration, has_served: bool, chance: u32) -> Duration {
        if has_served || life >= HEALTHY {
            self.short_lives = 0;
            return Duration::ZERO;
        }
        self.short_lives += 1;
        let doubled = FIRST * (1 << (self.short_lives - 1).min(10));
        doubled.min(LONGEST) * (800 + chance) / 1000
    }

    pub(super) fn is_crash_loop(&self) -> bool {
        self.short_lives >= CRASH_LOOP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let mut backoff = Backoff::default();
        let second = Duration::from_secs(1);
        let pauses: Vec<_> = (0..9).map(|_| backoff.ended_with(second, false, 200).as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert!(backoff.is_crash_loop());
        assert_eq!(backoff.ended_with(HEALTHY, false, 0), Duration::ZERO);
        assert!(!backoff.is_crash_loop());
    }

    #[test]
    fn a_process_that_served_is_started_again_at_once() {
        let mut backoff = Backoff::default();
        assert!(!backoff.ended_with(Duration::ZERO, false, 0).is_zero());
        assert_eq!(backoff.ended_with(Duration::ZERO, true, 0), Duration::ZERO);
        assert!(!backoff.is_crash_loop());
    }

    #[test]
    fn chance_spreads_the_pauses_by_a_fifth() {
        let pause = |chance| Backoff::default().ended_with(Duration::ZERO, false, chance).as_millis();
        assert_eq!((pause(0), pause(400)), (200, 300));
    }
}
