//! What the writer tells those who brought something, and what it keeps of what it could not write.
//! Writes nothing.

use std::time::Instant;

use super::{PATIENCE, Writer};
use crate::audit::log::batch::{Entry, Fact, Fate, Lines};
use crate::audit::log::error::LogError;
use crate::audit::log::task::{Done, FACTS, FACTS_BYTES, tell};
use crate::event::Event;

impl Writer {
    /// Tells everybody what became of what they brought.
    pub(super) fn written(&mut self, lines: Lines, own: Vec<Event>, entries: Vec<Entry>, refused: Option<LogError>) {
        if lines.has_own {
            self.lost = 0;
        } else {
            own.into_iter().for_each(|event| self.keep(Fact { event, pays: false }));
        }
        self.kept = 0;
        for (fact, fate) in std::mem::take(&mut self.facts).into_iter().zip(lines.facts) {
            self.over(fact, fate);
        }
        self.fails(refused.as_ref());
        for (entry, fate) in entries.into_iter().zip(lines.entries) {
            let outcome = match fate {
                Fate::Written => Ok(()),
                Fate::TooLarge => Err(LogError::TooLarge),
                Fate::Left => Err(refused.clone().unwrap_or(LogError::Busy)),
            };
            match entry {
                Entry::Fact(fact, done) => {
                    self.over(fact, fate);
                    done.into_iter().for_each(|done| tell(done, outcome.clone()));
                }
                Entry::Record { done, .. } => self.answer(done, outcome),
            }
        }
        let is_owing = self.lost > 0 || !self.facts.is_empty();
        self.again = (refused.is_some() && is_owing).then(|| Instant::now() + PATIENCE);
    }

    /// What became of a fact.
    fn over(&mut self, fact: Fact, fate: Fate) {
        match fate {
            Fate::Written => {}
            Fate::TooLarge => self.lose(1),
            Fate::Left => self.keep(fact),
        }
    }

    /// What nobody waits for is missed by nobody but the log.
    fn answer(&mut self, done: Option<Done<()>>, outcome: Result<(), LogError>) {
        match done {
            Some(done) => tell(done, outcome),
            None => self.lose(u64::from(outcome.is_err())),
        }
    }

    /// Takes everything back. Facts are kept for another time.
    pub(super) fn failed(&mut self, own: Vec<Event>, entries: Vec<Entry>, error: &LogError) {
        self.fails(Some(error));
        self.again = Some(Instant::now() + PATIENCE);
        own.into_iter().for_each(|event| self.keep(Fact { event, pays: false }));
        for entry in entries {
            match entry {
                Entry::Record { done, .. } => self.answer(done, Err(error.clone())),
                Entry::Fact(fact, done) => {
                    self.keep(fact);
                    done.into_iter().for_each(|done| tell(done, Err(error.clone())));
                }
            }
        }
    }

    /// Says it once when it begins, and once when it is over.
    pub(super) fn fails(&mut self, error: Option<&LogError>) {
        let log = self.shared.shown();
        match error {
            Some(error) if !self.is_failing => {
                tracing::error!(%log, error = %crate::Chain::of(error), "the audit log could not be written");
            }
            None if self.is_failing => tracing::info!(%log, "the audit log can be written again"),
            _ => {}
        }
        self.is_failing = error.is_some();
    }

    fn keep(&mut self, fact: Fact) {
        let weight = fact.event.weight();
        if fact.pays || (self.facts.len() < FACTS && self.kept + weight <= FACTS_BYTES) {
            self.kept += weight;
            self.facts.push_back(fact);
        } else {
            self.lose(1);
        }
    }
}
