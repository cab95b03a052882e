//! Seconds, minutes, hours, days, months and years of the calendar (UTC).

use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

impl Period {
    pub const ALL: [Self; 6] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Year];

    /// As in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub u64);

impl Moment {
    pub fn now() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }

    /// When the window of the period began.
    pub fn start_of(self, period: Period) -> u64 {
        let seconds = self.0;
        let day = seconds / 86_400;
        match period {
            Period::Second => seconds,
            Period::Minute => seconds - seconds % 60,
            Period::Hour => seconds - seconds % 3_600,
            Period::Day => day * 86_400,
            Period::Month => {
                let (_, _, of_month) = date(day);
                (day - (of_month - 1)) * 86_400
            }
            Period::Year => day_of(date(day).0, 1) * 86_400,
        }
    }

    /// Seconds until the window ends, at least one.
    pub fn until_end_of(self, period: Period) -> u64 {
        let end = match period {
            Period::Second => self.0 + 1,
            Period::Minute => self.start_of(period) + 60,
            Period::Hour => self.start_of(period) + 3_600,
            Period::Day => self.start_of(period) + 86_400,
            Period::Month => {
                let (year, month, _) = date(self.0 / 86_400);
                let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                day_of(year, month) * 86_400
            }
            Period::Year => day_of(date(self.0 / 86_400).0 + 1, 1) * 86_400,
        };
        (end - self.0).max(1)
    }
}

/// Year, month and day of the month of a day since 1970, in the Gregorian calendar. Years are counted from March on here,
/// so that the leap day is the last.
pub fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    match month {
        0..10 => (era * 400 + year, month + 3, of_month),
        _ => (era * 400 + year + 1, month - 9, of_month),
    }
}

/// The first day of a month, since 1970: [`date`] the other way round.
fn day_of(year: u64, month: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year / 400, year % 400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_the_calendar() {
        // 2024-02-29 23:59:58, a leap day; 2026-12-31 00:00:00; 1970-01-01; 2100-03-01, after no leap day.
        for (now, month, year, to_month, to_year) in [
            (1_709_251_198, 1_706_745_600, 1_704_067_200, 2, 26_438_402),
            (1_798_675_200, 1_796_083_200, 1_767_225_600, 86_400, 86_400),
            (0, 0, 0, 31 * 86_400, 365 * 86_400),
            (4_107_542_400, 4_107_542_400, 4_102_444_800, 31 * 86_400, 306 * 86_400),
        ] {
            let now = Moment(now);
            assert_eq!((now.start_of(Period::Month), now.start_of(Period::Year)), (month, year), "{now:?}");
            let left = (now.until_end_of(Period::Month), now.until_end_of(Period::Year));
            assert_eq!(left, (to_month, to_year), "{now:?}");
        }
        let now = Moment(1_709_251_198);
        assert_eq!(Period::ALL.map(|period| now.until_end_of(period))[..4], [1, 2, 2, 2]);
    }
}
