//! When one peer is to be probed.

use std::time::{Duration, Instant};

/// Probes of one peer come at intervals, which depend on its state, and are a little further apart than these, by chance.
#[derive(Debug, Default)]
pub struct Schedule {
    /// The next probe is due so many intervals after that; `None` before the first.
    counted_from: Option<(Instant, f64)>,
    is_probed: bool,
}

impl Schedule {
    /// When the next probe is due, or was; `None` while one is under way. `chance` is a part of an interval: the
    /// first probe comes at once but for that.
    pub fn due(&mut self, interval: Duration, now: Instant, chance: f64) -> Option<Instant> {
        let (start, intervals) = *self.counted_from.get_or_insert((now, chance));
        (!self.is_probed).then(|| start + interval.mul_f64(intervals))
    }

    /// A probe begins.
    pub fn begin(&mut self, now: Instant, chance: f64) {
        *self = Self { counted_from: Some((now, 1.0 + chance)), is_probed: true };
    }

    /// The probe under way has ended.
    pub fn end(&mut self) {
        self.is_probed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_come_at_the_interval_of_the_state_one_at_a_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs_f64(seconds);
        let (long, short) = (Duration::from_secs(10), Duration::from_secs(2));
        let mut schedule = Schedule::default();
        assert_eq!(schedule.due(long, start, 0.1), Some(at(1.0)), "the first one is early");
        assert_eq!(schedule.due(long, at(0.5), 0.0), Some(at(1.0)), "chance decides once");
        schedule.begin(at(1.0), 0.1);
        assert_eq!(schedule.due(long, at(2.0), 0.0), None, "it is under way");
        schedule.end();
        assert_eq!(schedule.due(long, at(3.0), 0.0), Some(at(12.0)));
        assert_eq!(schedule.due(short, at(3.0), 0.0), Some(at(3.2)), "of the other state");
    }
}
