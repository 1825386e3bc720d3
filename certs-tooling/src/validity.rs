//! The validity of issued certificates. Judges no other certificate.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use time::OffsetDateTime;

/// How far the start lies in the past, to allow for clocks that are slightly off.
const BACKDATED: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The lifetime of a certificate in days: 1 to [`Lifetime::MAXIMUM`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime {
    days: u16,
}

impl Lifetime {
    /// The longest lifetime in days: ten years, because a key in a file can be copied unnoticed.
    pub const MAXIMUM: u16 = 3650;

    /// A lifetime of `days` days.
    ///
    /// # Errors
    ///
    /// [`LifetimeError`] for zero and for more than [`Lifetime::MAXIMUM`].
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
        // `parse` would accept a sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().map_or(Err(LifetimeError), Self::days)
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.days)
    }
}

/// A number that is not a [`Lifetime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a lifetime of 1 to {} days", Lifetime::MAXIMUM)]
#[non_exhaustive]
pub struct LifetimeError;

/// The validity of a certificate, in whole seconds, as it is encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
}

impl Validity {
    pub(crate) fn from_now(lifetime: Lifetime) -> Self {
        Self::around_now(BACKDATED, DAY * u32::from(lifetime.days))
    }

    /// From `before` ago until `after` ahead.
    pub(crate) fn around_now(before: Duration, after: Duration) -> Self {
        let now = OffsetDateTime::now_utc();
        let now = now.replace_nanosecond(0).unwrap_or(now);
        Self { not_before: now - before, not_after: now + after }
    }
}

/// A date in RFC 3339, in UTC.
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
    fn lifetime_is_a_plain_bounded_number() {
        for (text, days) in [("1", 1), ("030", 30), ("3650", 3650)] {
            assert_eq!(text.parse(), Lifetime::days(days), "{text}");
        }
        for text in ["", "0", "3651", "70000", "-1", "+1", " 1", "1d", "1.5", "٣"] {
            assert_eq!(text.parse::<Lifetime>(), Err(LifetimeError), "{text}");
        }
    }

    #[test]
    fn dates_are_printed_in_utc() {
        let date = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        assert_eq!(Shown(date).to_string(), "2023-11-14T22:13:20Z");
    }
}
