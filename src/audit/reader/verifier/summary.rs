//! What the records of a log say, added up: what was lost or put aside, and what was begun and has
//! no end in it.

use std::collections::BTreeMap;

use crate::event::{Event, LaunchId, text};

/// As many calls and launches that have no end are kept in mind.
const OPEN: usize = 64 * 1024;

/// No writer writes longer names, in bytes.
const METHOD: usize = 1024 + '…'.len_utf8();

/// What the records say.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Account {
    /// How often a writer opened the log.
    pub openings: u64,
    /// How often what a killed writer left unfinished was put aside.
    pub torn: u64,
    /// How many records were lost, because nobody waited for them.
    pub lost: u64,
    /// How many copies and checkpoints did not arrive elsewhere.
    pub undelivered: u64,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// How many records there are of each kind. Kinds of another day are `other`.
    pub kinds: BTreeMap<&'static str, u64>,
    calls: BTreeMap<(LaunchId, u64), OpenCall>,
    launches: BTreeMap<LaunchId, u64>,
    /// Whether there were more of them than are kept in mind.
    pub is_cut: bool,
}

/// A call that was begun and has no end in the log: what came of it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenCall {
    /// The number of its record.
    pub seq: u64,
    /// What was called, cut if it is longer than a writer would write it.
    pub method: String,
}

/// Names as long as a line would add up to more than whoever examines a log has memory for.
fn cut(method: String) -> String {
    if method.len() > METHOD { text(&method) } else { method }
}

impl Account {
    /// The calls that have no end in the log.
    pub fn open_calls(&self) -> impl Iterator<Item = (LaunchId, u64, &OpenCall)> {
        self.calls.iter().map(|((launch, call), open)| (*launch, *call, open))
    }

    /// The launches that have no end in the log, with the number of their record.
    pub fn open_launches(&self) -> impl Iterator<Item = (LaunchId, u64)> {
        self.launches.iter().map(|(launch, seq)| (*launch, *seq))
    }

    pub(super) fn take(&mut self, seq: u64, event: Option<Event>) {
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
            Some(Event::Launch(launch)) if self.has_room() => drop(self.launches.insert(launch.launch, seq)),
            Some(Event::LaunchFailed(failed)) => drop(self.launches.remove(&failed.launch)),
            Some(Event::Exit(exit)) => drop(self.launches.remove(&exit.launch)),
            Some(Event::Call(call)) if self.has_room() => {
                self.calls.insert((call.launch, call.call), OpenCall { seq, method: cut(call.method) });
            }
            Some(Event::Returned(returned)) => drop(self.calls.remove(&(returned.launch, returned.call))),
            _ => {}
        }
    }

    fn has_room(&mut self) -> bool {
        let has_room = self.calls.len() + self.launches.len() < OPEN;
        self.is_cut |= !has_room;
        has_room
    }
}
