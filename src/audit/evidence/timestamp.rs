//! The time of a record: UTC, in microseconds, in one canonical form of RFC 3339.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime};

/// Microseconds since 1970, up to the end of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Time(u64);

impl Time {
    /// The length of its text in bytes.
    pub(super) const LENGTH: usize = "2026-11-25T06:58:00.123456Z".len();

    /// 9999-12-31T23:59:59.999999Z.
    const LAST: u64 = 253_402_300_799_999_999;

    pub(super) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(Self::LAST).min(Self::LAST))
    }

    pub(super) fn moment(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.0)
    }

    /// How many microseconds it is later than `other`. `None` if it is not later.
    pub(super) fn ahead_of(self, other: Self) -> Option<u64> {
        self.0.checked_sub(other.0).filter(|micros| *micros > 0)
    }

    /// Parses the canonical form only.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
        let small = |range| u8::try_from(number(range)?).ok();
        let month = Month::try_from(small(5..7)?).ok()?;
        let date = Date::from_calendar_date(number(0..4)?.try_into().ok()?, month, small(8..10)?).ok()?;
        let time = date.with_hms_micro(small(11..13)?, small(14..16)?, small(17..19)?, number(20..26)?).ok()?;
        let micros = PrimitiveDateTime::assume_utc(time).unix_timestamp_nanos() / 1000;
        let read = Self(u64::try_from(micros).ok()?);
        // Rejects signs, white space and other separators, which the parsing above accepts.
        (read.to_string() == text).then_some(read)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second, micro) = time.to_hms_micro();
        write!(f, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z", u8::from(month))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_text_round_trips() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_764_053_880_123_456, "2025-11-25T06:58:00.123456Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (Time::LAST, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!((Time(micros).to_string().as_str(), Time::parse(text)), (text, Some(Time(micros))));
            assert_eq!((text.len(), Time::of(Time(micros).moment())), (Time::LENGTH, Time(micros)));
        }
    }

    #[test]
    fn noncanonical_time_is_rejected() {
        for text in [
            "",
            "1970-01-01T00:00:00.000000",
            "1970-01-01T00:00:00.000000z",
            "1970-01-01 00:00:00.000000Z",
            "1970-13-01T00:00:00.000000Z",
            "1970-02-29T00:00:00.000000Z",
            "1970-01-01T24:00:00.000000Z",
            "1970-01-01T00:00:60.000000Z",
            "1970-01-01T00:00:00.00000+Z",
            "1970-01-01T00:00:+0.000000Z",
            "1969-12-31T23:59:59.999999Z",
            "1970-01-01T00:00:00.000000Z ",
            "1970-01-0\u{e4}T00:00:00.00000Z",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn clock_outside_1970_to_9999_is_clamped() {
        assert_eq!(Time::of(UNIX_EPOCH - Duration::from_secs(1)), Time(0));
        assert_eq!(Time::of(UNIX_EPOCH + Duration::from_secs(1 << 40)), Time(Time::LAST));
        assert_eq!(Time::of(UNIX_EPOCH + Duration::from_nanos(1_999)), Time(1));
        assert_eq!(
            (Time(3).ahead_of(Time(1)), Time(1).ahead_of(Time(1)), Time(1).ahead_of(Time(3))),
            (Some(2), None, None)
        );
    }
}
