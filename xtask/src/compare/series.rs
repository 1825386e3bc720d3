//! Samples by round, and their statistics.

/// The samples of one row and pairing.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    rounds: Vec<Vec<f64>>,
}

impl Series {
    /// Adds the samples of a round, unless it has none.
    pub(super) fn add_round(&mut self, samples: Vec<f64>) {
        if !samples.is_empty() {
            self.rounds.push(samples);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.rounds.iter().map(Vec::len).sum()
    }

    /// The quantile of all samples, interpolated; `None` without samples.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        quantile(self.rounds.iter().flatten().copied().collect(), part)
    }

    pub(super) fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// The smallest and the largest of the rounds' medians: how much a repetition of the whole run
    /// is likely to differ.
    pub(super) fn spread(&self) -> Option<(f64, f64)> {
        let medians = self.rounds.iter().filter_map(|round| quantile(round.clone(), 0.5));
        medians.fold(None, |range, median| {
            let (low, high) = range.unwrap_or((median, median));
            Some((f64::min(low, median), f64::max(high, median)))
        })
    }

    pub(super) fn rounds(&self) -> &[Vec<f64>] {
        &self.rounds
    }
}

fn quantile(mut samples: Vec<f64>, part: f64) -> Option<f64> {
    (!samples.is_empty()).then(|| crate::quantile(&mut samples, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_cover_the_samples_of_all_rounds() {
        let mut series = Series::default();
        assert_eq!((series.median(), series.spread()), (None, None));
        series.add_round(vec![3.0, 1.0, 2.0]);
        series.add_round(vec![30.0, 10.0]);
        series.add_round(vec![]);
        assert_eq!([0.0, 0.5, 1.0].map(|part| series.quantile(part)), [Some(1.0), Some(3.0), Some(30.0)]);
        assert_eq!(series.count(), 5);
        series.add_round(vec![4.0]);
        assert_eq!(series.median(), Some(3.5));
    }

    #[test]
    fn spread_is_that_of_the_rounds() {
        let mut series = Series::default();
        for round in [[1.0, 2.0, 900.0], [5.0, 6.0, 7.0], [3.0, 4.0, 5.0]] {
            series.add_round(round.to_vec());
        }
        assert_eq!(series.spread(), Some((2.0, 6.0)));
    }
}
