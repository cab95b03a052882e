//! Calendar time from the system clock, in the shapes that log lines use. UTC only.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Time since the Unix epoch; zero when the clock stands before it.
pub fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A date and time of day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    pub year: i64,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

impl DateTime {
    pub fn now() -> Self {
        Self::from_unix(unix_now().as_secs())
    }

    /// Civil date from days, after the well-known algorithm with eras of 400 years.
    pub fn from_unix(seconds: u64) -> Self {
        let (days, rest) = ((seconds / 86_400) as i64, seconds % 86_400);
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u8;
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day,
            hour: (rest / 3_600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
        }
    }

    /// `23/Nov/2026:09:00:00 +0000`, as access logs have it.
    pub fn common_log(self) -> impl fmt::Display {
        let Self { year, month, day, hour, minute, second } = self;
        let month = MONTHS[usize::from(month - 1)];
        fmt::from_fn(move |f| write!(f, "{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000"))
    }

    /// `Mon, 23 Nov 2026 09:00:00 GMT`, as HTTP has it.
    pub fn http(self) -> impl fmt::Display {
        let Self { year, month, day, hour, minute, second } = self;
        let (month, weekday) = (MONTHS[usize::from(month - 1)], DAYS[usize::from(self.weekday())]);
        fmt::from_fn(move |f| {
            write!(f, "{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
        })
    }

    /// 0 is Monday. After Sakamoto's method.
    fn weekday(self) -> u8 {
        const SHIFTS: [i64; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let year = self.year - i64::from(self.month < 3);
        let days = year + year / 4 - year / 100
            + year / 400
            + SHIFTS[usize::from(self.month - 1)]
            + i64::from(self.day);
        ((days + 6) % 7) as u8
    }

    /// `2026-11-23T09:00:00+00:00`.
    pub fn iso8601(self) -> impl fmt::Display {
        let Self { year, month, day, hour, minute, second } = self;
        fmt::from_fn(move |f| write!(f, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00"))
    }
}

/// `2026/11/23 09:00:00`, as the error log has it.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_around_leap_days() {
        for (seconds, text) in [
            (0, "1970/01/01 00:00:00"),
            (951_782_399, "2000/02/28 23:59:59"),
            (951_782_400, "2000/02/29 00:00:00"),
            (1_709_251_199, "2024/02/29 23:59:59"),
            (4_107_542_400, "2100/03/01 00:00:00"),
            (1_795_424_400, "2026/11/23 09:00:00"),
        ] {
            assert_eq!(DateTime::from_unix(seconds).to_string(), text);
        }
        let date = DateTime::from_unix(1_795_424_400);
        assert_eq!(date.common_log().to_string(), "23/Nov/2026:09:00:00 +0000");
        assert_eq!(date.http().to_string(), "Mon, 23 Nov 2026 09:00:00 GMT");
        assert_eq!(DateTime::from_unix(784_111_777).http().to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(DateTime::from_unix(951_782_399).http().to_string(), "Mon, 28 Feb 2000 23:59:59 GMT");
        assert_eq!(date.iso8601().to_string(), "2026-11-23T09:00:00+00:00");
    }
}
