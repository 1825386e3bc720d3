//! What is written at once: the batch of what waits, as far as there is room for them, and what
//! holds when they are on the disk. Writes nothing.

use std::collections::VecDeque;
use std::time::SystemTime;

use super::task::Done;
use crate::audit::evidence::chain::Chain;
use crate::event::{Event, RecordsLost};

/// A entry that is not recorded yet.
pub(super) struct MandatoryEntry {
    pub(super) event: Event,
    /// Whether room is kept for it.
    pub(super) redeems: bool,
}

/// Something that waits to be recorded.
pub(super) enum Entry {
    Record { event: Event, reserves: bool, done: Option<Done<()>> },
    Mandatory(MandatoryEntry, Option<Done<()>>),
}

/// All that waits.
pub(super) struct BatchInput<'a> {
    /// How many records are missing here.
    pub(super) lost: u64,
    /// What the log has to say of itself.
    pub(super) own: &'a [Event],
    /// What could not be recorded before.
    pub(super) backlog: &'a VecDeque<MandatoryEntry>,
    pub(super) entries: &'a [Entry],
}

/// How much of it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    All,
    /// What cannot be refused any more.
    Mandatory,
    /// The outcomes for which room was kept.
    Outcomes,
}

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    Written,
    TooLarge,
    Deferred,
}

/// Batch that are not written yet, and what holds when they are.
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) chain: Chain,
    /// How many outcomes are to come for which room is kept.
    pub(super) reservations: u64,
    /// Whether it is said what is missing, and what the log says of itself.
    pub(super) includes_own: bool,
    /// What became of each entry, and of each entry.
    pub(super) backlog: Vec<Disposition>,
    pub(super) entries: Vec<Disposition>,
}

impl Batch {
    pub(super) fn new(chain: &Chain, reservations: u64) -> Self {
        Self {
            bytes: Vec::new(),
            chain: chain.clone(),
            reservations,
            includes_own: false,
            backlog: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// The batch of so much of what waits.
    pub(super) fn build(chain: &Chain, reservations: u64, input: &BatchInput<'_>, admission: Admission) -> Self {
        let (mut batch, now) = (Self::new(chain, reservations), SystemTime::now());
        if admission != Admission::Outcomes {
            batch.includes_own = true;
            if input.lost > 0 {
                batch.push(now, &Event::Lost(RecordsLost { records: input.lost }));
            }
            for event in input.own {
                batch.push(now, event);
            }
        }
        batch.backlog = input.backlog.iter().map(|entry| batch.push_mandatory(now, entry, admission)).collect();
        let entries = input.entries.iter().map(|entry| match entry {
            Entry::Mandatory(entry, _) => batch.push_mandatory(now, entry, admission),
            Entry::Record { .. } if admission != Admission::All => Disposition::Deferred,
            Entry::Record { event, reserves, .. } => {
                let disposition = batch.push(now, event);
                batch.reservations += u64::from(*reserves && disposition == Disposition::Written);
                disposition
            }
        });
        batch.entries = entries.collect();
        batch
    }

    pub(super) fn push(&mut self, now: SystemTime, event: &Event) -> Disposition {
        if self.chain.write(&mut self.bytes, now, event) { Disposition::Written } else { Disposition::TooLarge }
    }

    fn push_mandatory(&mut self, now: SystemTime, entry: &MandatoryEntry, admission: Admission) -> Disposition {
        if admission == Admission::Outcomes && !entry.redeems {
            return Disposition::Deferred;
        }
        // Also one that is too large is over.
        self.reservations = self.reservations.saturating_sub(u64::from(entry.redeems));
        self.push(now, &entry.event)
    }
}
