//! Calls by method: how many, their outcomes, bytes and durations. Memory is bounded in methods,
//! outcomes and duration classes.

use std::collections::BTreeMap;

use portcullis::event::{CallEnded, CallIntent};

use super::bounded::TopN;
use super::untrusted::UntrustedText;
use crate::limits::report::{COUNTED_METHODS, COUNTED_OUTCOMES, WORD_CHARACTERS};

#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) methods: TopN<UntrustedText, MethodCalls, COUNTED_METHODS>,
    pub(super) begun: u64,
    /// Calls with an outcome other than `OK`.
    pub(super) failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct MethodCalls {
    pub(super) begun: u64,
    pub(super) outcomes: TopN<UntrustedText, u64, COUNTED_OUTCOMES>,
    pub(super) took: DurationHistogram,
    /// Bytes that the host sent.
    pub(super) request: u64,
    /// Bytes that the plugin sent.
    pub(super) response: u64,
}

impl Calls {
    pub(super) fn begin(&mut self, call: &CallIntent) {
        self.begun += 1;
        self.methods.entry(UntrustedText::new(&call.method)).begun += 1;
    }

    pub(super) fn end(&mut self, returned: &CallEnded) {
        self.failed += u64::from(returned.outcome != "OK");
        let method = self.methods.entry(UntrustedText::new(&returned.method));
        *method.outcomes.entry(UntrustedText::cut(&returned.outcome, WORD_CHARACTERS)) += 1;
        method.took.add(returned.took_us);
        method.request = method.request.saturating_add(returned.request.bytes);
        method.response = method.response.saturating_add(returned.response.bytes);
    }
}

/// Each power of two is divided into 2^PARTS classes, for a relative error of at most 1/32.
const PARTS: u32 = 5;

/// Counts of durations in logarithmic classes.
#[derive(Debug, Default)]
pub(super) struct DurationHistogram {
    classes: BTreeMap<u16, u64>,
    count: u64,
}

impl DurationHistogram {
    pub(super) fn add(&mut self, micros: u64) {
        *self.classes.entry(class(micros)).or_default() += 1;
        self.count += 1;
    }

    /// The duration in microseconds that `percent` of a hundred durations do not exceed.
    pub(super) fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100).max(1);
        let mut before = 0;
        self.classes.iter().find_map(|(class, count)| {
            before += u128::from(*count);
            (before >= rank).then(|| largest(*class))
        })
    }
}

/// The class of a duration. Small durations have exact classes; of others the leading bits and the
/// number of dropped bits.
fn class(micros: u64) -> u16 {
    let bits = u64::BITS - micros.leading_zeros();
    let dropped = bits.saturating_sub(PARTS + 1);
    // At most 58 * 32 + 63: it always fits.
    u16::try_from(u64::from(dropped << PARTS) + (micros >> dropped)).unwrap_or(u16::MAX)
}

/// The largest duration in a class.
fn largest(class: u16) -> u64 {
    let (class, part) = (u64::from(class), 1 << PARTS);
    let dropped = (class / part).saturating_sub(1);
    let first = class - dropped * part;
    u64::try_from((u128::from(first + 1) << dropped) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_round_trips_within_three_percent() {
        for micros in (0..5000).chain((0..64).map(|bit| 1 << bit)).chain([u64::MAX, u64::MAX - 1, 123_456_789]) {
            let read = largest(class(micros));
            assert!(read >= micros && read - micros <= micros / 32, "{micros}: {read}");
        }
    }

    #[test]
    fn percentiles_follow_the_counts() {
        let mut durations = DurationHistogram::default();
        assert_eq!(durations.percentile(50), None);
        (1..=50).for_each(|micros| durations.add(micros));
        assert_eq!((durations.percentile(50), durations.percentile(99)), (Some(25), Some(50)));
        (0..5000).for_each(|_| durations.add(u64::MAX));
        assert_eq!((durations.percentile(0), durations.percentile(50)), (Some(1), Some(u64::MAX)));
    }
}
