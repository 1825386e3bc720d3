//! What is written at once: the lines of what waits, as far as there is room for them, and what
//! holds when they are on the disk. Writes nothing.

use std::collections::VecDeque;
use std::time::SystemTime;

use super::task::Done;
use crate::audit::evidence::chain::Chain;
use crate::event::{Event, RecordsLost};

/// A fact that is not recorded yet.
pub(super) struct Fact {
    pub(super) event: Event,
    /// Whether room is kept for it.
    pub(super) pays: bool,
}

/// Something that waits to be recorded.
pub(super) enum Entry {
    Record { event: Event, owes: bool, done: Option<Done<()>> },
    Fact(Fact, Option<Done<()>>),
}

/// All that waits.
pub(super) struct Waiting<'a> {
    /// How many records are missing here.
    pub(super) lost: u64,
    /// What the log has to say of itself.
    pub(super) own: &'a [Event],
    /// What could not be recorded before.
    pub(super) facts: &'a VecDeque<Fact>,
    pub(super) entries: &'a [Entry],
}

/// How much of it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    All,
    /// What cannot be refused any more.
    Facts,
    /// The outcomes for which room was kept.
    Outcomes,
}

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Written,
    TooLarge,
    Left,
}

/// Lines that are not written yet, and what holds when they are.
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    pub(super) chain: Chain,
    /// How many outcomes are to come for which room is kept.
    pub(super) owed: u64,
    /// Whether it is said what is missing, and what the log says of itself.
    pub(super) has_own: bool,
    /// What became of each fact, and of each entry.
    pub(super) facts: Vec<Fate>,
    pub(super) entries: Vec<Fate>,
}

impl Lines {
    pub(super) fn new(chain: &Chain, owed: u64) -> Self {
        Self { bytes: Vec::new(), chain: chain.clone(), owed, has_own: false, facts: Vec::new(), entries: Vec::new() }
    }

    /// The lines of so much of what waits.
    pub(super) fn of(chain: &Chain, owed: u64, waiting: &Waiting<'_>, measure: Measure) -> Self {
        let (mut lines, now) = (Self::new(chain, owed), SystemTime::now());
        if measure != Measure::Outcomes {
            lines.has_own = true;
            if waiting.lost > 0 {
                lines.add(now, &Event::Lost(RecordsLost { records: waiting.lost }));
            }
            for event in waiting.own {
                lines.add(now, event);
            }
        }
        lines.facts = waiting.facts.iter().map(|fact| lines.fact(now, fact, measure)).collect();
        let entries = waiting.entries.iter().map(|entry| match entry {
            Entry::Fact(fact, _) => lines.fact(now, fact, measure),
            Entry::Record { .. } if measure != Measure::All => Fate::Left,
            Entry::Record { event, owes, .. } => {
                let fate = lines.add(now, event);
                lines.owed += u64::from(*owes && fate == Fate::Written);
                fate
            }
        });
        lines.entries = entries.collect();
        lines
    }

    pub(super) fn add(&mut self, now: SystemTime, event: &Event) -> Fate {
        if self.chain.write(&mut self.bytes, now, event) { Fate::Written } else { Fate::TooLarge }
    }

    fn fact(&mut self, now: SystemTime, fact: &Fact, measure: Measure) -> Fate {
        if measure == Measure::Outcomes && !fact.pays {
            return Fate::Left;
        }
        // Also one that is too large is over.
        self.owed = self.owed.saturating_sub(u64::from(fact.pays));
        self.add(now, &fact.event)
    }
}
