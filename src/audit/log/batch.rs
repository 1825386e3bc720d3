//! The content of one write: the lines of a batch, and the state of the log after it. Writes
//! nothing to the disk.

use std::collections::VecDeque;
use std::time::SystemTime;

use super::task::Done;
use crate::audit::evidence::chain::Chain;
use crate::event::{Event, RecordsLost};

/// An event that has happened already, so the writer tries again until it is recorded.
pub(super) struct MandatoryEntry {
    pub(super) event: Event,
    /// Whether it is the outcome of a reservation.
    pub(super) redeems: bool,
}

/// A queued event.
pub(super) enum Entry {
    Record { event: Event, reserves: bool, done: Option<Done<()>> },
    Mandatory(MandatoryEntry, Option<Done<()>>),
}

/// The events that wait for a batch.
pub(super) struct BatchInput<'a> {
    /// How many records were lost since the last batch.
    pub(super) lost: u64,
    /// Events of the log itself.
    pub(super) own: &'a [Event],
    /// Mandatory entries of earlier batches.
    pub(super) backlog: &'a VecDeque<MandatoryEntry>,
    pub(super) entries: &'a [Entry],
}

/// Which events a batch admits. Each level needs less disk space than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Every event.
    All,
    /// No records that can still be refused.
    Mandatory,
    /// Only outcomes with a reservation: their disk space is allocated.
    Outcomes,
}

/// The disposition of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It has a line in the batch.
    Written,
    /// It would be longer than a line may be.
    TooLarge,
    /// It was not admitted.
    Deferred,
}

/// Lines to write, and the state of the log once they are written.
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) chain: Chain,
    /// How many reservations are open after the batch.
    pub(super) reservations: u64,
    /// Whether the loss and the events of the log itself are included.
    pub(super) includes_own: bool,
    /// One for each entry of the backlog, in its order.
    pub(super) backlog: Vec<Disposition>,
    /// One for each queued entry, in their order.
    pub(super) entries: Vec<Disposition>,
}

impl Batch {
    /// A batch without lines.
    pub(super) fn new(chain: &Chain, reservations: u64) -> Self {
        Self {
            bytes: Vec::new(),
            // A copy, which the writer adopts once the batch is written.
            chain: chain.clone(),
            reservations,
            includes_own: false,
            backlog: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Builds the batch of the events that `admission` lets in.
    pub(super) fn build(chain: &Chain, reservations: u64, input: &BatchInput<'_>, admission: Admission) -> Self {
        let (mut batch, now) = (Self::new(chain, reservations), SystemTime::now());
        // First the loss, where the lost records would have been; then the backlog, which is older
        // than the queued entries.
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
                // An intent without a line gets an error, so no outcome follows.
                batch.reservations += u64::from(*reserves && disposition == Disposition::Written);
                disposition
            }
        });
        batch.entries = entries.collect();
        batch
    }

    /// Adds the line of `event`.
    pub(super) fn push(&mut self, now: SystemTime, event: &Event) -> Disposition {
        if self.chain.write(&mut self.bytes, now, event) { Disposition::Written } else { Disposition::TooLarge }
    }

    fn push_mandatory(&mut self, now: SystemTime, entry: &MandatoryEntry, admission: Admission) -> Disposition {
        if admission == Admission::Outcomes && !entry.redeems {
            return Disposition::Deferred;
        }
        // An outcome that is too large for a line ends its reservation too: it is never tried
        // again.
        self.reservations = self.reservations.saturating_sub(u64::from(entry.redeems));
        self.push(now, &entry.event)
    }
}
