//! Durations in a few words.

use std::time::Duration;

/// A table cell of milliseconds: smallest, median and largest.
pub fn spread(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    match sorted.as_slice() {
        [] => "none".to_owned(),
        sorted => {
            let [min, median, max] = [0.0, 0.5, 1.0].map(|share| ms(quantile(sorted, share)));
            format!("{min} / {median} / {max} ms ({} times)", sorted.len())
        }
    }
}

/// Median and 99th percentile.
pub fn percentiles(times: &[Duration]) -> (Duration, Duration) {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    (quantile(&sorted, 0.5), quantile(&sorted, 0.99))
}

pub fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// Of sorted times; zero if there are none.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let times: Vec<_> = (1..=101).rev().map(Duration::from_millis).collect();
        assert_eq!(percentiles(&times), (Duration::from_millis(51), Duration::from_millis(100)));
        assert_eq!(spread(&times), "1.0 / 51.0 / 101.0 ms (101 times)");
        assert_eq!(spread(&[]), "none");
        assert_eq!(percentiles(&[]), (Duration::ZERO, Duration::ZERO));
    }
}
