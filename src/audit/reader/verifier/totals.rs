//! Counts over the records of a log: losses, quarantined tails, and calls and launches without an
//! end. Only verified records are counted.

use std::collections::BTreeMap;

use crate::event::{Event, LaunchId, text};
use crate::limits::audit::{METHOD_BYTES, OPEN_ACTIONS};

/// Counts over the records of a log.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LogTotals {
    /// How often a writer opened the log.
    pub openings: u64,
    /// How many torn tails were quarantined.
    pub torn: u64,
    /// How many records were lost, as the log itself reports.
    pub lost: u64,
    /// How many copies and checkpoints were not delivered, as the log itself reports.
    pub undelivered: u64,
    /// The number of checkpoints.
    pub checkpoints: u64,
    /// The number of records of each kind. Kinds that this version does not know count as `other`.
    pub kinds: BTreeMap<&'static str, u64>,
    calls: BTreeMap<(LaunchId, u64), OpenCall>,
    launches: BTreeMap<LaunchId, u64>,
    /// Whether more calls and launches were open together than are kept in memory.
    pub is_cut: bool,
}

/// A call without a `returned` record: its outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenCall {
    /// The index of the `call` record.
    pub index: u64,
    /// The method, cut if it is longer than any writer writes.
    pub method: String,
}

/// Bounds the memory that forged names can take: one may fill a whole line.
fn cut(method: String) -> String {
    if method.len() > METHOD_BYTES { text(&method) } else { method }
}

impl LogTotals {
    /// The calls without an end, as launch, call number and call.
    pub fn open_calls(&self) -> impl Iterator<Item = (LaunchId, u64, &OpenCall)> {
        self.calls.iter().map(|((launch, call), open)| (*launch, *call, open))
    }

    /// The launches without an end, with the index of their record.
    pub fn open_launches(&self) -> impl Iterator<Item = (LaunchId, u64)> {
        self.launches.iter().map(|(launch, index)| (*launch, *index))
    }

    pub(super) fn add(&mut self, index: u64, event: Option<Event>) {
        *self.kinds.entry(event.as_ref().map_or("other", Event::kind)).or_default() += 1;
        match event {
            Some(Event::Opened(opened)) => {
                self.openings += 1;
                self.torn += opened.torn.len() as u64;
            }
            Some(Event::Lost(lost)) => self.lost = self.lost.saturating_add(lost.records),
            Some(Event::Undelivered(undelivered)) => {
                self.undelivered = self.undelivered.saturating_add(undelivered.count);
            }
            Some(Event::Checkpoint(_)) => self.checkpoints += 1,
            Some(Event::Launch(launch)) if self.has_room() => drop(self.launches.insert(launch.launch, index)),
            Some(Event::LaunchFailed(failed)) => drop(self.launches.remove(&failed.launch)),
            Some(Event::Exit(exit)) => drop(self.launches.remove(&exit.launch)),
            Some(Event::Call(call)) if self.has_room() => {
                self.calls.insert((call.launch, call.call), OpenCall { index, method: cut(call.method) });
            }
            Some(Event::Returned(returned)) => drop(self.calls.remove(&(returned.launch, returned.call))),
            _ => {}
        }
    }

    fn has_room(&mut self) -> bool {
        let has_room = self.calls.len() + self.launches.len() < OPEN_ACTIONS;
        self.is_cut |= !has_room;
        has_room
    }
}
