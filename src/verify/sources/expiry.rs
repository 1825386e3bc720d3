//! The moment at which a manifest expires. Reads no clock: the caller passes the time.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};
use toml::value::{Datetime, Offset};

/// A moment in UTC, in whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(OffsetDateTime);

impl Expiry {
    /// The moment without its fraction of a second.
    pub fn at(moment: SystemTime) -> Self {
        let moment = OffsetDateTime::from(moment);
        Self(moment.replace_nanosecond(0).unwrap_or(moment))
    }

    /// Whether the moment is at or before `now`.
    pub fn has_passed(self, now: SystemTime) -> bool {
        // Compared as `SystemTime`: a clock can be set to a year with more than four digits, which
        // `OffsetDateTime` does not hold.
        now >= SystemTime::from(self.0)
    }

    /// From a TOML value, which needs a date, a time and an offset: a local time names no moment.
    /// Its year must have four digits in UTC too, so that it can be written again.
    pub(crate) fn from_toml(written: &Datetime) -> Option<Self> {
        let (date, time, offset) = (written.date?, written.time?, written.offset?);
        let date = Date::from_calendar_date(date.year.into(), Month::try_from(date.month).ok()?, date.day).ok()?;
        // A leap second counts as the second before it: an expiry needs no more precision.
        let time = Time::from_hms(time.hour, time.minute, time.second.unwrap_or(0).min(59)).ok()?;
        let offset = match offset {
            Offset::Z => UtcOffset::UTC,
            Offset::Custom { minutes } => UtcOffset::from_whole_seconds(i32::from(minutes) * 60).ok()?,
        };
        let moment = OffsetDateTime::new_in_offset(date, time, offset).checked_to_offset(UtcOffset::UTC)?;
        (0..=9999).contains(&moment.year()).then_some(Self(moment))
    }
}

impl fmt::Display for Expiry {
    /// In UTC, in the format of RFC 3339 and TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(utc) = self;
        let (year, month, day) = (utc.year(), u8::from(utc.month()), utc.day());
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", utc.hour(), utc.minute(), utc.second())
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expiry({self})")
    }
}

impl FromStr for Expiry {
    type Err = ExpiryError;

    /// From RFC 3339, such as `2027-01-31T12:00:00Z`.
    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        text.parse().ok().and_then(|written| Self::from_toml(&written)).ok_or(ExpiryError)
    }
}

/// A text is not an [`Expiry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an expiry needs a date, a time and an offset, such as 2027-01-31T12:00:00Z")]
#[non_exhaustive]
pub struct ExpiryError;

impl<'de> serde::Deserialize<'de> for Expiry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Datetime::deserialize(deserializer)?;
        Self::from_toml(&written).ok_or_else(|| serde::de::Error::custom(ExpiryError))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Expiry> {
        text.parse().ok()
    }

    #[test]
    fn expiry_is_the_same_in_every_offset() {
        let expiry = read("2027-01-31T12:00:00Z").unwrap();
        assert_eq!(read("2027-01-31T13:30:00+01:30"), Some(expiry));
        assert_eq!(expiry.to_string(), "2027-01-31T12:00:00Z");
        assert_eq!(read(&Expiry::at(SystemTime::UNIX_EPOCH).to_string()), Some(Expiry::at(SystemTime::UNIX_EPOCH)));
    }

    #[test]
    fn incomplete_moment_is_rejected() {
        for text in ["2027-01-31", "12:00:00", "2027-01-31T12:00:00", "2027-02-30T12:00:00Z", "2027-13-01T00:00:00Z"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn expiry_without_four_digit_utc_year_is_refused() {
        for (text, shown) in [
            ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00Z")),
            ("0000-01-01T00:00:00+00:01", None),
            ("9999-12-31T23:59:60Z", Some("9999-12-31T23:59:59Z")),
            ("9999-12-31T23:59:00-00:01", None),
            ("9999-12-31T23:58:59-00:01", Some("9999-12-31T23:59:59Z")),
        ] {
            assert_eq!(read(text).map(|expiry| expiry.to_string()).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn expiry_passes_at_its_second() {
        let moment = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        let expiry = Expiry::at(moment);
        assert!(expiry.has_passed(moment));
        assert!(!expiry.has_passed(moment - std::time::Duration::from_nanos(1)));
        assert!(expiry.has_passed(moment + std::time::Duration::from_secs(1 << 40)));
    }
}
