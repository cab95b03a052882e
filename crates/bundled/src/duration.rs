//! Times of configurations; what is below zero or beyond all measure is none.

use std::time::Duration;

pub fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

pub fn milliseconds(value: f64) -> Duration {
    seconds(value / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_a_time() {
        assert_eq!(milliseconds(1500.0), Duration::from_millis(1500));
        for odd in [-1.0, f64::INFINITY, f64::NAN, 1e300] {
            assert_eq!(seconds(odd), Duration::ZERO);
        }
    }
}
