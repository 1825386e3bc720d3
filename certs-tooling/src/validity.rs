//! From when to when a certificate of ours is valid. Judges no other's.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use time::OffsetDateTime;

/// How far a beginning lies in the past: room for a clock that is a little off.
const BACKDATED: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// For how many days a certificate is valid: from one to [`Lifetime::MAXIMUM`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime {
    days: u16,
}

impl Lifetime {
    /// The longest lifetime in days: ten years. A key in a file should not live longer.
    pub const MAXIMUM: u16 = 3650;

    /// A lifetime of so many days.
    ///
    /// # Errors
    ///
    /// [`LifetimeError`] for no day and for more than [`Lifetime::MAXIMUM`].
    pub const fn days(days: u16) -> Result<Self, LifetimeError> {
        if days == 0 || days > Self::MAXIMUM { Err(LifetimeError) } else { Ok(Self { days }) }
    }
}

impl Default for Lifetime {
    /// Thirty days.
    fn default() -> Self {
        Self { days: 30 }
    }
}

impl FromStr for Lifetime {
    type Err = LifetimeError;

    fn from_str(text: &str) -> Result<Self, LifetimeError> {
        // `parse` would take a sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().map_or(Err(LifetimeError), Self::days)
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.days)
    }
}

/// A number is no [`Lifetime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a lifetime is 1 to {} days", Lifetime::MAXIMUM)]
#[non_exhaustive]
pub struct LifetimeError;

/// The two dates of a certificate, in whole seconds as they are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
}

impl Validity {
    pub(crate) fn from_now(lifetime: Lifetime) -> Self {
        Self::around_now(BACKDATED, DAY * u32::from(lifetime.days))
    }

    /// From so long ago until so far ahead.
    pub(crate) fn around_now(before: Duration, after: Duration) -> Self {
        let now = OffsetDateTime::now_utc();
        let now = now.replace_nanosecond(0).unwrap_or(now);
        Self { not_before: now - before, not_after: now + after }
    }
}

/// A date as people and machines read it (RFC 3339, in UTC).
pub(crate) struct Shown(pub(crate) OffsetDateTime);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.0.to_offset(time::UtcOffset::UTC);
        let (year, month, day) = (utc.year(), u8::from(utc.month()), utc.day());
        let (hour, minute, second) = utc.to_hms();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_plain_number_within_bounds() {
        for (text, days) in [("1", 1), ("030", 30), ("3650", 3650)] {
            assert_eq!(text.parse(), Lifetime::days(days), "{text}");
        }
        for text in ["", "0", "3651", "70000", "-1", "+1", " 1", "1d", "1.5", "٣"] {
            assert_eq!(text.parse::<Lifetime>(), Err(LifetimeError), "{text}");
        }
    }

    #[test]
    fn dates_are_shown_in_utc() {
        let date = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        assert_eq!(Shown(date).to_string(), "2023-11-14T22:13:20Z");
    }
}
