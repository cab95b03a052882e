//! Times as text.

use std::time::SystemTime;

use crate::counters::window;

/// `2026-11-26T20:30:00Z` (RFC 3339).
pub fn rfc3339(time: SystemTime) -> String {
    let (year, month, day, second) = parts(time);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `Nov 26 20:30:00` (RFC 3164, section 4.1.2).
pub fn rfc3164(time: SystemTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, month, day, second) = parts(time);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{} {day:2} {hour:02}:{minute:02}:{second:02}", MONTHS[month as usize - 1])
}

/// Year, month, day, and second of the day.
fn parts(time: SystemTime) -> (u64, u64, u64, u64) {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = window::date(seconds / 86_400);
    (year, month, day, seconds % 86_400)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_of_day() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_251_198);
        assert_eq!(rfc3339(time), "2024-02-29T23:59:58Z");
        assert_eq!(rfc3164(time + Duration::from_secs(2)), "Mar  1 00:00:00");
    }
}
