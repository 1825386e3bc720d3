//! What a sink did not get, and when the log says so: often enough to be noticed, seldom enough
//! that a dead sink does not fill the log with its own name.

use crate::audit::event::{Undelivered, text};

/// What is missing at one sink.
#[derive(Debug, Default)]
pub(super) struct Debt {
    /// Since the last record that arrived.
    count: u64,
    /// How much of it was said.
    said: u64,
    /// What was missing before that record and was not said.
    before: u64,
    /// Why the last one did not arrive.
    reason: String,
}

impl Debt {
    /// A record did not arrive.
    pub(super) fn missed(&mut self, reason: &str) {
        self.count += 1;
        reason.clone_into(&mut self.reason);
    }

    /// A record arrived.
    pub(super) fn arrived(&mut self) {
        if self.count > self.said {
            self.before += self.count;
        }
        (self.count, self.said) = (0, 0);
    }

    /// What is to be said now.
    pub(super) fn due(&mut self, to: &str) -> Option<Undelivered> {
        let count = match std::mem::take(&mut self.before) {
            0 if self.count == 0 || self.count < 2 * self.said => return None,
            0 => {
                self.said = self.count;
                self.count
            }
            before => before,
        };
        Some(Undelivered { to: text(to), count, reason: text(&self.reason) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(debt: &mut Debt) -> Option<u64> {
        debt.due("sink").map(|undelivered| undelivered.count)
    }

    #[test]
    fn a_dead_sink_is_named_at_once_and_then_ever_more_seldom() {
        let mut debt = Debt::default();
        let mut said = Vec::new();
        for number in 1..=1000 {
            debt.missed("dead");
            // Each time that it is said, the record that says it does not arrive either.
            while let Some(count) = count(&mut debt) {
                said.push((number, count));
                debt.missed("dead");
            }
        }
        let counts: Vec<_> = said.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    }

    #[test]
    fn what_was_missed_before_something_arrived_is_said_whole() {
        let mut debt = Debt::default();
        assert_eq!(count(&mut debt), None);
        debt.missed("one");
        assert_eq!(debt.due("sink"), Some(Undelivered { to: "sink".into(), count: 1, reason: "one".into() }));
        assert_eq!(count(&mut debt), None, "it was said");
        debt.arrived();
        assert_eq!(count(&mut debt), None, "nothing more is missing");
        (0..4).for_each(|_| debt.missed("two"));
        debt.arrived();
        (0..3).for_each(|_| debt.missed("three\n"));
        debt.arrived();
        assert_eq!(debt.due("sink"), Some(Undelivered { to: "sink".into(), count: 7, reason: r"three\n".into() }));
        assert_eq!(count(&mut debt), None);
    }
}
