//! Events over time, counted in at most [`TIMELINE_SLOTS`] slots, however long the log is. Renders
//! nothing.

use std::collections::BTreeMap;

use portcullis::event::{Event, VerificationVerdict};

use crate::limits::report::TIMELINE_SLOTS;

/// The possible slot lengths in microseconds. Each divides the next, so that slots can be merged.
const MILLISECOND: u64 = 1000;
const SECOND: u64 = 1000 * MILLISECOND;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const LENGTHS: [u64; 24] = [
    MILLISECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    5 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
    3640 * DAY,
    36_400 * DAY,
];

/// The events that are marked below the calls, each in its own lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Launches,
    Exits,
    Refusals,
    FailedCalls,
    Limits,
}

impl Lane {
    pub(super) const ALL: [Self; 5] = [Self::Launches, Self::Exits, Self::Refusals, Self::FailedCalls, Self::Limits];

    fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Launch(_) => Some(Self::Launches),
            Event::Exit(_) => Some(Self::Exits),
            Event::LaunchFailed(_) => Some(Self::Refusals),
            Event::Verification(it) if it.verdict != VerificationVerdict::Allowed => Some(Self::Refusals),
            Event::Returned(it) if it.outcome != "OK" => Some(Self::FailedCalls),
            Event::Limit(_) => Some(Self::Limits),
            _ => None,
        }
    }
}

/// The events of one slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) calls: u64,
    /// In the order of [`Lane::ALL`].
    pub(super) marks: [u64; Lane::ALL.len()],
}

#[derive(Debug, Default)]
pub(super) struct Timeline {
    slots: BTreeMap<u64, Slot>,
    /// The index of the slot length in [`LENGTHS`].
    length: usize,
}

impl Timeline {
    /// Counts an event at `micros`, in microseconds since 1970.
    pub(super) fn take(&mut self, micros: u64, event: Option<&Event>) {
        let slot = self.slots.entry(micros / LENGTHS[self.length]).or_default();
        if let Some(event) = event {
            slot.calls += u64::from(matches!(event, Event::Call(_)));
            if let Some(lane) = Lane::of(event) {
                slot.marks[lane as usize] += 1;
            }
        }
        while self.span() > TIMELINE_SLOTS && self.length + 1 < LENGTHS.len() {
            self.lengthen();
        }
    }

    fn lengthen(&mut self) {
        let together = LENGTHS[self.length + 1] / LENGTHS[self.length];
        self.length += 1;
        for (number, slot) in std::mem::take(&mut self.slots) {
            let sum = self.slots.entry(number / together).or_default();
            sum.calls += slot.calls;
            sum.marks.iter_mut().zip(slot.marks).for_each(|(sum, marks)| *sum += marks);
        }
    }

    /// The number of slots from the first to the last.
    pub(super) fn span(&self) -> u64 {
        let last = self.slots.last_key_value().map_or(0, |(last, _)| last + 1);
        last - self.first()
    }

    /// The number of the first slot.
    pub(super) fn first(&self) -> u64 {
        self.slots.first_key_value().map_or(0, |(first, _)| *first)
    }

    /// The length of a slot in microseconds.
    pub(super) fn length(&self) -> u64 {
        LENGTHS[self.length]
    }

    /// The slots that contain a record.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u64, &Slot)> {
        self.slots.iter().map(|(number, slot)| (*number, slot))
    }

    /// The shortest slot length that fits at most `times` times into the whole.
    pub(super) fn step(&self, times: u64) -> u64 {
        let whole = self.span() * self.length();
        let fitting = LENGTHS.into_iter().filter(|length| *length >= self.length());
        fitting.into_iter().find(|length| whole / length <= times).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(times: &[u64]) -> Timeline {
        let mut timeline = Timeline::default();
        let limit: Event = serde_json::from_str(r#"{"type":"limit","limit":"x","allowed":1}"#).unwrap();
        times.iter().for_each(|micros| timeline.take(*micros, Some(&limit)));
        timeline
    }

    #[test]
    fn timeline_slots_are_bounded_and_lose_nothing() {
        let year_9999 = 253_402_300_799_999_999;
        for times in [&[][..], &[5], &[7 * HOUR, 3, 5 * DAY], &[0, year_9999], &[year_9999, 1, 2 * SECOND]] {
            let timeline = counted(times);
            assert!(timeline.span() <= TIMELINE_SLOTS, "{times:?}");
            let marks: u64 = timeline.slots().map(|(_, slot)| slot.marks[Lane::Limits as usize]).sum();
            assert_eq!(marks, times.len() as u64);
        }
        for pair in LENGTHS.windows(2) {
            assert_eq!(pair[1] % pair[0], 0);
        }
    }

    #[test]
    fn slots_are_as_short_as_possible() {
        let timeline = counted(&[DAY, DAY + 90 * MINUTE]);
        assert_eq!((timeline.length(), timeline.span(), timeline.step(8)), (MINUTE, 91, 15 * MINUTE));
        let apart = [counted(&[DAY - 1]), counted(&[DAY - 1, DAY])].map(|timeline| timeline.span());
        assert_eq!(apart, [1, 2]);
    }
}
