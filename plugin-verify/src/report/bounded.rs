//! Collections that do not grow with the log: a ring of the latest items, and the first N different
//! keys. Both report what they leave out.

use std::collections::{BTreeMap, VecDeque};

/// The latest items of a kind, and how many there were.
#[derive(Debug)]
pub(super) struct RingLog<T, const KEPT: usize> {
    kept: VecDeque<T>,
    total: u64,
}

impl<T, const KEPT: usize> Default for RingLog<T, KEPT> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), total: 0 }
    }
}

impl<T, const KEPT: usize> RingLog<T, KEPT> {
    pub(super) fn push(&mut self, item: T) {
        self.total += 1;
        self.kept.push_back(item);
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// The kept items, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.kept.iter()
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many items were dropped.
    pub(super) fn left_out(&self) -> u64 {
        self.total - self.kept.len() as u64
    }
}

/// Values by key, for as many different keys as fit. The values of other keys are added up.
#[derive(Debug, Clone)]
pub(super) struct TopN<K, V, const KEPT: usize> {
    kept: BTreeMap<K, V>,
    rest: V,
    is_full: bool,
}

impl<K, V: Default, const KEPT: usize> Default for TopN<K, V, KEPT> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), rest: V::default(), is_full: false }
    }
}

impl<K: Ord, V: Default, const KEPT: usize> TopN<K, V, KEPT> {
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        if self.kept.len() >= KEPT && !self.kept.contains_key(&key) {
            self.is_full = true;
            return &mut self.rest;
        }
        self.kept.entry(key).or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The number of different keys, or a lower bound once keys were left out.
    pub(super) fn len(&self) -> usize {
        self.kept.len() + usize::from(self.is_full)
    }

    /// All values, the sum of the other keys included.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.kept.values().chain(self.is_full.then_some(&self.rest))
    }

    /// The `shown` entries with the largest `weight`, in descending order.
    pub(super) fn top(&self, shown: usize, weight: impl Fn(&V) -> u64) -> Ranking<'_, K, V> {
        let mut rows: Vec<_> = self.kept.iter().collect();
        // A stable sort: entries of equal weight stay in the order of their keys.
        rows.sort_by_key(|(_, value)| std::cmp::Reverse(weight(value)));
        let left_out = rows.len().saturating_sub(shown);
        rows.truncate(shown);
        Ranking { rows, left_out, is_more: self.is_full }
    }
}

/// The first entries of a [`TopN`].
pub(super) struct Ranking<'a, K, V> {
    pub(super) rows: Vec<(&'a K, &'a V)>,
    /// The number of further entries.
    pub(super) left_out: usize,
    /// Whether there are even more, which were not counted by key.
    pub(super) is_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_keeps_latest_and_counts_all() {
        let mut latest = RingLog::<_, 3>::default();
        (0..10).for_each(|number| latest.push(number));
        assert_eq!(
            (latest.iter().copied().collect::<Vec<_>>(), latest.total(), latest.left_out()),
            (vec![7, 8, 9], 10, 7)
        );
    }

    #[test]
    fn overflow_is_summed_and_heaviest_come_first() {
        let mut counts = TopN::<u32, u64, 3>::default();
        for key in [5, 1, 1, 3, 3, 3, 7, 8, 1] {
            *counts.entry(key) += 1;
        }
        let top = counts.top(2, |count| *count);
        assert_eq!((top.rows, top.left_out, top.is_more), (vec![(&1, &3), (&3, &3)], 1, true));
        assert_eq!((counts.values().sum::<u64>(), counts.len()), (9, 4));
    }
}
